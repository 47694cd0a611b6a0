//! How long a call waits.

use crate::support::{
    fake_service::{BUSY, FakeService, busy, created, respond, status},
    fixtures::{CONNECTION_STRING, user},
};
use azure_communication_identity::{
    CommunicationError, CommunicationIdentityClient, CommunicationIdentityClientOptions, creation_outcome_unknown,
};
use azure_core::{
    Result,
    error::ErrorKind,
    http::{AsyncRawResponse, ClientOptions, HttpClient, Request, StatusCode, Transport, headers::Headers},
    sleep,
    time::Duration,
};
use std::sync::Arc;
use tokio::time::Instant;

fn client(options: CommunicationIdentityClientOptions) -> CommunicationIdentityClient {
    CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap()
}

/// Options of a client whose tries are ten seconds apart.
fn options(service: &Arc<FakeService>) -> CommunicationIdentityClientOptions {
    CommunicationIdentityClientOptions {
        client_options: service.client_options(),
        ..Default::default()
    }
}

/// A transport that answers after a time.
#[derive(Debug)]
struct SlowService(Duration);

#[async_trait::async_trait]
impl HttpClient for SlowService {
    async fn execute_request(&self, _: &Request) -> Result<AsyncRawResponse> {
        sleep(self.0).await;
        Ok(AsyncRawResponse::from_bytes(StatusCode::NoContent, Headers::new(), ""))
    }
}

fn slow_options(answers_after: Duration) -> CommunicationIdentityClientOptions {
    CommunicationIdentityClientOptions {
        client_options: ClientOptions {
            transport: Some(Transport::new(Arc::new(SlowService(answers_after)))),
            ..Default::default()
        },
        ..Default::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_the_service_asks_for_is_kept_to_the_end() {
    for (name, value) in [
        ("retry-after", "90"),
        ("retry-after-ms", "90000"),
        ("x-ms-retry-after-ms", "90000"),
    ] {
        for code in [StatusCode::TooManyRequests, StatusCode::ServiceUnavailable] {
            let service = FakeService::new([respond(code, &[(name, value)], BUSY), created()]);
            let options = CommunicationIdentityClientOptions {
                max_retry_after: Duration::seconds(90),
                ..options(&service)
            };
            let start = Instant::now();
            client(options).create_user(None).await.unwrap();
            // tokio rounds up to a millisecond.
            assert_eq!(start.elapsed().as_secs(), 90, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_longer_wait_than_allowed_ends_the_call_with_the_answer() {
    for (code, headers, wait) in [
        (429, [("retry-after", "61")], Duration::seconds(61)),
        (503, [("retry-after", "7200")], Duration::hours(2)),
        (429, [("retry-after-ms", "60001")], Duration::milliseconds(60_001)),
        (503, [("x-ms-retry-after-ms", "60001")], Duration::milliseconds(60_001)),
    ] {
        let service = FakeService::new([respond(StatusCode::from(code), &headers, BUSY)]);
        let client = client(options(&service));
        let start = Instant::now();
        let error = client.create_user(None).await.unwrap_err();
        assert_eq!(start.elapsed().as_secs(), 0);
        assert_eq!(error.http_status(), Some(StatusCode::from(code)));
        assert_eq!(CommunicationError::from_error(&error).unwrap().retry_after, Some(wait));
        assert!(!creation_outcome_unknown(&error), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_longer_wait_than_is_left_ends_the_call_with_the_answer() {
    let service = FakeService::new([respond(StatusCode::TooManyRequests, &[("retry-after", "30")], "")]);
    let options = CommunicationIdentityClientOptions {
        timeout: Some(Duration::seconds(30)),
        ..options(&service)
    };
    let start = Instant::now();
    let error = client(options).delete_user(&user(), None).await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 0);
    let error = CommunicationError::from_error(&error).unwrap();
    assert_eq!(error.status, StatusCode::TooManyRequests);
    assert_eq!(error.retry_after, Some(Duration::seconds(30)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_core_does_not_heed_ends_nothing() {
    let answer = respond(StatusCode::BadGateway, &[("retry-after", "7200")], "");
    let service = FakeService::new([answer, status(StatusCode::NoContent)]);
    client(options(&service)).delete_user(&user(), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_no_longer_than_allowed() {
    for (timeout, seconds) in [
        (CommunicationIdentityClientOptions::default().timeout, 120),
        (Some(Duration::seconds(7)), 7),
    ] {
        let options = CommunicationIdentityClientOptions {
            timeout,
            ..slow_options(Duration::hours(1))
        };
        let client = client(options);
        let start = Instant::now();
        let error = client.delete_user(&user(), None).await.unwrap_err();
        assert_eq!(start.elapsed().as_secs(), seconds);
        assert_eq!(*error.kind(), ErrorKind::Io);
        assert_eq!(
            error.to_string(),
            format!(
                "DELETE request to contoso.communication.azure.com was given up after {}, the most that \
                 the option `timeout` allows",
                Duration::seconds(i64::try_from(seconds).unwrap())
            )
        );
        assert!(!creation_outcome_unknown(&error));

        // A creation was on its way.
        let error = client.create_user(None).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Io);
        assert!(creation_outcome_unknown(&error));
        assert!(
            error
                .to_string()
                .contains("not known whether the service created a user"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_between_tries_says_how_the_last_one_failed() {
    let service = FakeService::new([status(StatusCode::TooManyRequests), busy()]);
    let options = CommunicationIdentityClientOptions {
        timeout: Some(Duration::seconds(15)),
        ..options(&service)
    };
    let start = Instant::now();
    let error = client(options).create_user(None).await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 15);
    assert!(
        error
            .to_string()
            .ends_with(": its last attempt failed: 503 Service Unavailable"),
        "{error}"
    );
    // Neither attempt was executed.
    assert!(!creation_outcome_unknown(&error), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_bound_waits_for_the_answer() {
    let options = CommunicationIdentityClientOptions {
        timeout: None,
        ..slow_options(Duration::hours(30))
    };
    client(options).delete_user(&user(), None).await.unwrap();
}

#[test]
fn bounds_that_cannot_be_kept_are_refused() {
    for (timeout, max_retry_after, name) in [
        (Some(Duration::ZERO), Duration::ZERO, "timeout"),
        (Some(Duration::seconds(-1)), Duration::ZERO, "timeout"),
        (None, Duration::seconds(-1), "max_retry_after"),
    ] {
        let options = CommunicationIdentityClientOptions {
            timeout,
            max_retry_after,
            ..slow_options(Duration::ZERO)
        };
        let error = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}

#[test]
fn a_call_outside_an_async_runtime_works_without_a_bound() {
    let service = FakeService::new([created()]);
    let creation = client(options(&service));
    futures::executor::block_on(creation.create_user(None)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_read_in_every_form() {
    // Half a year away from any clock that this test can run by.
    const DATE: &str = "Mon, 01 Feb 2038 00:00:00 GMT";
    for (retry_after, seconds) in [
        ("Mon, 01 Feb 2038 00:10:00 GMT", Some(600)),
        ("Sun, 31 Jan 2038 23:50:00 GMT", Some(0)),
        ("-5", Some(0)),
        ("61", Some(61)),
        ("soon", None),
    ] {
        let headers = [("date", DATE), ("retry-after", retry_after)];
        let answers = (0..3).map(|_| respond(StatusCode::TooManyRequests, &headers, ""));
        let service = FakeService::new(answers);
        let error = client(options(&service)).create_user(None).await.unwrap_err();
        let wait = CommunicationError::from_error(&error).unwrap().retry_after;
        assert_eq!(wait, seconds.map(Duration::seconds), "{retry_after}");
    }
}

/// The machine's clock is years behind the service's.
#[tokio::test(start_paused = true)]
async fn a_date_to_wait_for_is_measured_by_the_answers_own_date() {
    let headers = [
        ("date", "Mon, 01 Feb 2038 00:00:00 GMT"),
        ("retry-after", "Mon, 01 Feb 2038 00:00:30 GMT"),
    ];
    let service = FakeService::new([respond(StatusCode::TooManyRequests, &headers, ""), created()]);
    let start = Instant::now();
    client(options(&service)).create_user(None).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 30);
}
