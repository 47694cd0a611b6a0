//! Which requests are sent again, and which never.

use crate::{
    client, client_with,
    support::{
        fake_service::{Answer, BUSY, FakeService, busy, created, failure, issued, respond, status},
        fixtures::user,
    },
};
use azure_communication_identity::{CommunicationTokenScope, creation_outcome_unknown};
use azure_core::{
    Bytes, Error,
    error::ErrorKind,
    http::{AsyncRawResponse, StatusCode, headers::Headers},
};

async fn attempts(answer: fn() -> Answer, retry_uncertain_creation: bool) -> (usize, Option<Error>) {
    let service = FakeService::new([answer(), created(), created()]);
    let client = client_with(service.client_options(), retry_uncertain_creation);
    let result = client.create_user(None).await;
    (service.requests().len(), result.err())
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_may_have_been_executed_is_not_sent_again() {
    type Case = (fn() -> Answer, Option<StatusCode>);
    let cases: [Case; 11] = [
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
        // A gateway's 503, with a wait or without, and half of the service's.
        (
            || status(StatusCode::ServiceUnavailable),
            Some(StatusCode::ServiceUnavailable),
        ),
        (
            || respond(StatusCode::ServiceUnavailable, &[], "<html>Service Unavailable</html>"),
            Some(StatusCode::ServiceUnavailable),
        ),
        (
            || respond(StatusCode::ServiceUnavailable, &[("retry-after", "1")], "{}"),
            Some(StatusCode::ServiceUnavailable),
        ),
        (
            || respond(StatusCode::ServiceUnavailable, &[], &BUSY[..BUSY.len() - 1]),
            Some(StatusCode::ServiceUnavailable),
        ),
    ];
    for (answer, status) in cases {
        let (attempts, error) = attempts(answer, false).await;
        let error = error.unwrap();
        assert_eq!(attempts, 1, "{error}");
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
        busy,
    ];
    for answer in answers {
        let (attempts, error) = attempts(answer, false).await;
        assert_eq!(attempts, 2);
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
        let (attempts, error) = attempts(answer, true).await;
        assert_eq!(attempts, 2);
        assert!(error.is_none(), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retried_creations_end_with_an_unknown_outcome() {
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
            error.to_string().contains("with several attempts several users"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_an_earlier_attempt_is_not_forgotten() {
    let endings: [fn() -> Answer; 3] = [
        || status(StatusCode::Unauthorized),
        busy,
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
async fn an_odd_answer_leaves_the_outcome_unknown() {
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

#[tokio::test(start_paused = true)]
async fn a_creation_that_was_refused_created_nothing() {
    let answers: [fn() -> Answer; 4] = [
        || failure(ErrorKind::Connection, "connection refused"),
        || status(StatusCode::TooManyRequests),
        busy,
        || status(StatusCode::Unauthorized),
    ];
    for answer in answers {
        let service = FakeService::new([answer(), answer(), answer()]);
        let error = client(&service).create_user(None).await.unwrap_err();
        assert!(!creation_outcome_unknown(&error), "{error}");
    }
}
