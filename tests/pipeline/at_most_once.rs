//! Which requests are sent again, and which never.

use crate::{
    client, client_with,
    fake_service::{Answer, FakeService, USER, created, failure, issued, respond, status},
    user,
};
use azure_communication_identity::{CommunicationTokenScope, creation_outcome_unknown};
use azure_core::{
    Bytes, Error,
    error::ErrorKind,
    http::{AsyncRawResponse, StatusCode, headers::Headers},
};

async fn tries(answer: fn() -> Answer, retry_uncertain_creation: bool) -> (usize, Option<Error>) {
    let service = FakeService::new([answer(), created(), created()]);
    let client = client_with(service.client_options(), retry_uncertain_creation);
    let result = client.create_user(None).await;
    (service.requests().len(), result.err())
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_may_have_been_executed_is_not_sent_again() {
    type Case = (fn() -> Answer, Option<StatusCode>);
    let cases: [Case; 7] = [
        (|| failure(ErrorKind::Io, "connection reset by peer"), None),
        (interrupted_body, None),
        (|| status(StatusCode::RequestTimeout), Some(StatusCode::RequestTimeout)),
        (
            || status(StatusCode::InternalServerError),
            Some(StatusCode::InternalServerError),
        ),
        (|| status(StatusCode::BadGateway), Some(StatusCode::BadGateway)),
        (|| status(StatusCode::GatewayTimeout), Some(StatusCode::GatewayTimeout)),
        (|| status(StatusCode::from(599)), Some(StatusCode::from(599))),
    ];
    for (answer, status) in cases {
        let (tries, error) = tries(answer, false).await;
        let error = error.unwrap();
        assert_eq!(tries, 1, "{error}");
        assert_eq!(error.http_status(), status);
        if status.is_none() {
            assert_eq!(*error.kind(), ErrorKind::Io, "{error}");
        }
        assert!(
            error
                .to_string()
                .contains("not known whether the service created a user"),
            "{error}"
        );
        assert!(creation_outcome_unknown(&error), "{error:?}");
    }
}

/// A body that ends with a reset connection.
fn interrupted_body() -> Answer {
    Box::new(|_| {
        let error = Error::with_message(ErrorKind::Io, "connection reset by peer");
        let chunks = [Ok(Bytes::from_static(b"{\"identity\":")), Err(error)];
        let stream = Box::pin(futures::stream::iter(chunks));
        Ok(AsyncRawResponse::new(StatusCode::Created, Headers::new(), stream))
    })
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_was_not_executed_is_sent_again() {
    let answers: [fn() -> Answer; 3] = [
        || failure(ErrorKind::Connection, "connection refused"),
        || status(StatusCode::TooManyRequests),
        || status(StatusCode::ServiceUnavailable),
    ];
    for answer in answers {
        let (tries, error) = tries(answer, false).await;
        assert_eq!(tries, 2);
        assert!(error.is_none(), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_option_retries_creations_like_the_peers_do() {
    let answers: [fn() -> Answer; 4] = [
        || failure(ErrorKind::Io, "connection reset by peer"),
        interrupted_body,
        || status(StatusCode::InternalServerError),
        || status(StatusCode::GatewayTimeout),
    ];
    for answer in answers {
        let (tries, error) = tries(answer, true).await;
        assert_eq!(tries, 2);
        assert!(error.is_none(), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn creations_that_are_retried_leave_open_what_the_last_try_did() {
    let answers: [fn() -> Answer; 3] = [
        || failure(ErrorKind::Io, "connection reset by peer"),
        interrupted_body,
        || status(StatusCode::InternalServerError),
    ];
    for answer in answers {
        let service = FakeService::new([answer(), answer(), answer()]);
        let error = client_with(service.client_options(), true)
            .create_user(None)
            .await
            .unwrap_err();
        assert_eq!(service.requests().len(), 3);
        assert!(creation_outcome_unknown(&error), "{error}");
        assert!(
            error.to_string().contains("with several tries several users"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_try_may_have_done_is_not_forgotten() {
    let endings: [fn() -> Answer; 3] = [
        || status(StatusCode::Unauthorized),
        || status(StatusCode::ServiceUnavailable),
        || failure(ErrorKind::Connection, "connection refused"),
    ];
    for ending in endings {
        let service = FakeService::new([status(StatusCode::InternalServerError), ending(), ending()]);
        let error = client_with(service.client_options(), true)
            .create_user(None)
            .await
            .unwrap_err();
        assert!(creation_outcome_unknown(&error), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn operations_that_can_be_repeated_are() {
    let answers: [fn() -> Answer; 4] = [
        || failure(ErrorKind::Io, "connection reset by peer"),
        interrupted_body,
        || status(StatusCode::InternalServerError),
        || status(StatusCode::BadGateway),
    ];
    for answer in answers {
        let service = FakeService::new([answer(), issued()]);
        client(&service)
            .get_token(&user(), &[CommunicationTokenScope::Chat], None)
            .await
            .unwrap();
        assert_eq!(service.requests().len(), 2);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_right_says_that_a_user_may_exist() {
    let overlong = respond(StatusCode::Created, &[], vec![b' '; 2_000_000]);
    let error = client(&FakeService::new([overlong]))
        .create_user(None)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::DataConversion);
    assert!(creation_outcome_unknown(&error), "{error}");

    let error = client(&FakeService::new([status(StatusCode::Accepted)]))
        .create_user(None)
        .await
        .unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::Accepted));
    assert!(creation_outcome_unknown(&error), "{error}");
}

#[tokio::test]
async fn a_user_that_there_is_already_is_a_success() {
    // The preview versions answer so for a custom id that is taken.
    let existing = respond(StatusCode::Ok, &[], format!(r#"{{"identity":{{"id":"{USER}"}}}}"#));
    let response = client(&FakeService::new([existing])).create_user(None).await.unwrap();
    assert_eq!(response.into_model().unwrap().as_str(), USER);
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_was_refused_created_nothing() {
    let answers: [fn() -> Answer; 4] = [
        || failure(ErrorKind::Connection, "connection refused"),
        || status(StatusCode::TooManyRequests),
        || status(StatusCode::ServiceUnavailable),
        || status(StatusCode::Unauthorized),
    ];
    for answer in answers {
        let service = FakeService::new([answer(), answer(), answer()]);
        let error = client(&service).create_user(None).await.unwrap_err();
        assert!(!creation_outcome_unknown(&error), "{error}");
    }
}
