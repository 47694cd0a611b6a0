//! Clocks that differ by ten minutes, of which a signature may be five off.

use crate::{
    bounded,
    hidden::assert_fit_to_show,
    reply::response,
    request::RawRequest,
    rule::{Failure, Kind},
    support::{
        emulator::{self, start, subject},
        fixtures::KEY,
        http_client::{http_client, trusting},
        operation::{Operation, Subject},
        raw_server::RawServer,
    },
    wiretap::{Wiretap, client},
};
use acs_identity_emulator::Fault;
use azure_communication_identity::CommunicationError;
use azure_core::time::{Duration, parse_rfc7231, to_rfc7231};

/// The time that the service's clock is ahead.
pub(crate) const OFFSETS: [Duration; 2] = [Duration::minutes(10), Duration::minutes(-10)];

#[tokio::test]
async fn a_wrong_clock_costs_one_request_and_no_call() {
    for offset in OFFSETS {
        for operation in Operation::ALL {
            let emulator = start().await;
            let http_client = trusting(&[emulator.ca_pem()]);
            emulator.set_clock_offset(offset);
            let subject = subject(&emulator, &emulator::client(&emulator)).await;
            let wiretap = Wiretap::new(&http_client);
            let client = client(emulator.endpoint(), &emulator.access_key(), wiretap.options());
            bounded(operation.call(&client, &subject)).await.unwrap();
            assert_eq!(wiretap.sent(), 2, "{operation:?}");
            bounded(client.create_user(None)).await.unwrap();
            assert_eq!(wiretap.sent(), 3, "{operation:?}");
        }
    }
}

#[tokio::test]
async fn an_uncorrected_clock_is_named() {
    let emulator = start().await;
    let http_client = trusting(&[emulator.ca_pem()]);
    let subject = subject(&emulator, &emulator::client(&emulator)).await;
    for offset in OFFSETS {
        emulator.set_clock_offset(offset);
        for operation in Operation::ALL {
            let wiretap = Wiretap::new(&http_client);
            let mut options = wiretap.options();
            options.correct_clock_skew = false;
            let client = client(emulator.endpoint(), &emulator.access_key(), options);
            let error = bounded(operation.call(&client, &subject)).await.unwrap_err();
            let expected = Failure {
                kind: Kind::HttpResponse(401),
                outcome_unknown: false,
            };
            assert_eq!((Failure::of(&error), wiretap.sent()), (expected, 1), "{error}");
            let found = CommunicationError::from_error(&error).unwrap();
            assert_eq!(found.code.as_deref(), Some("Denied"));
            let direction = if offset.is_positive() { "behind" } else { "ahead of" };
            for part in [
                "greater than the allowed margin of 5 minutes",
                "This machine's clock is ",
                &format!("{direction} the service's"),
            ] {
                assert!(error.to_string().contains(part), "{error}");
            }
            assert_fit_to_show(&error, &wiretap.secrets(), "clock");
        }
    }
    assert_eq!(emulator.identity_count(), 1);
}

/// Refusals with a date that is far off, and the requests of two calls that meet one at every attempt. Only a refusal that can
/// be about the date is followed by a second request, and only once, because it does not help. A refusal that proves that the
/// signature was accepted, or that is a gateway's, says nothing about the date.
pub(crate) const FAR_OFF: [(&str, [usize; 2]); 5] = [
    (r#"{"error":{"code":"IdentityNotOwned","message":"Refused."}}"#, [1, 1]),
    (
        r#"{"error":{"code":"InvalidAccessToken","message":"Refused."}}"#,
        [1, 1],
    ),
    ("<html>401 Unauthorized</html>", [1, 1]),
    ("", [1, 1]),
    (r#"{"error":{"code":"Denied","message":"Refused."}}"#, [2, 1]),
];

#[tokio::test]
async fn a_date_is_tried_where_it_can_be_the_reason() {
    for (body, requests) in FAR_OFF {
        let server = RawServer::start(move |mut connection| async move {
            while let Some(request) = connection.read_request().await? {
                // Ten minutes after the request's own date, also after a correction.
                let request = RawRequest(request);
                let date = parse_rfc7231(request.header("x-ms-date").unwrap()).unwrap() + OFFSETS[0];
                let headers = format!("date: {}\r\nms-cv: {}\r\n", to_rfc7231(&date), connection.committed());
                connection.write(response(401, &headers, body).to_bytes()).await?;
            }
            Ok(())
        })
        .await;
        for operation in Operation::ALL {
            let wiretap = Wiretap::new(&http_client());
            let client = client(&server.endpoint, KEY, wiretap.options());
            for (call, requests) in requests.into_iter().enumerate() {
                let before = server.requests();
                let error = bounded(operation.call(&client, &Subject::default())).await.unwrap_err();
                let found = CommunicationError::from_error(&error).unwrap();
                // The caller gets the first response.
                assert_eq!(
                    found.correlation_vector,
                    Some((before + 1).to_string()),
                    "{body}, {operation:?}, {call}"
                );
                assert_eq!(server.requests() - before, requests, "{body}, {operation:?}, {call}");
            }
        }
    }
}

/// The request with the corrected date is the second of an attempt. If its response is lost, the creation is uncertain.
#[tokio::test]
async fn a_creation_lost_after_the_correction_is_not_retried() {
    for offset in OFFSETS {
        for operation in [Operation::CreateUser, Operation::CreateUserAndToken] {
            let emulator = start().await;
            let http_client = trusting(&[emulator.ca_pem()]);
            let subject = subject(&emulator, &emulator::client(&emulator)).await;
            let before = emulator.identity_count();
            emulator.set_clock_offset(offset);
            // Every second request, which is the one with the corrected date.
            emulator.inject(Fault::reset_after_commit().share(0.5)).unwrap();
            let wiretap = Wiretap::new(&http_client);
            let client = client(emulator.endpoint(), &emulator.access_key(), wiretap.options());
            let error = bounded(operation.call(&client, &subject)).await.unwrap_err();
            let expected = Failure {
                kind: Kind::Io,
                outcome_unknown: true,
            };
            assert_eq!((Failure::of(&error), wiretap.sent()), (expected, 2), "{error}");
            assert_eq!(emulator.identity_count() - before, 1);
        }
    }
}

/// Many calls share the correction while the clock jumps.
#[tokio::test]
async fn a_jumping_clock_loses_no_call() {
    const ROUNDS: usize = 6;
    const CALLS: usize = 20;
    let emulator = start().await;
    let http_client = trusting(&[emulator.ca_pem()]);
    let client = client(
        emulator.endpoint(),
        &emulator.access_key(),
        Wiretap::new(&http_client).options(),
    );
    for round in 0..ROUNDS {
        emulator.set_clock_offset(OFFSETS[round % OFFSETS.len()]);
        let calls = futures::future::join_all((0..CALLS).map(|_| client.create_user(None)));
        for result in bounded(calls).await {
            result.unwrap();
        }
    }
    assert_eq!(emulator.identity_count(), ROUNDS * CALLS);
}
