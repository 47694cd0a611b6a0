//! Answers that do not come: the option `timeout` ends the wait for them.

use crate::{
    answers::SERVICE_ERROR,
    asked::{KEY, subject},
    bounded,
    hidden::assert_fit_to_show,
    reply::{End, Reply, answer},
    rule::{Failure, Kind},
    support::http_client::http_client,
    support::operation::Operation,
    support::raw_server::RawServer,
    support::retries::AtOnce,
    wiretap::{Wiretap, client},
};
use azure_core::{http::RetryOptions, time::Duration};
use std::sync::Arc;

/// What the caller allows. Nothing here is answered, however long it is.
const TIMEOUT: Duration = Duration::milliseconds(100);

type Silence = (&'static str, fn() -> Reply);

/// What a server sends before it falls silent, or instead of an answer for ever.
pub(crate) const SILENCES: [Silence; 7] = [
    ("no byte", || Reply::new("").then(End::Silence)),
    ("half a status line", || Reply::new("HTTP/1.1 2").then(End::Silence)),
    ("half a head", || {
        Reply::new("HTTP/1.1 201 Created\r\na: b\r\n").then(End::Silence)
    }),
    ("no body", || {
        answer(201, "", [b' '; 9]).without_last(9).then(End::Silence)
    }),
    ("half a body", || {
        answer(201, "", [b' '; 9]).without_last(1).then(End::Silence)
    }),
    ("half a chunk", || {
        Reply::new("HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{").then(End::Silence)
    }),
    ("interim answers for ever", || {
        Reply::new("").then(End::Repeat("HTTP/1.1 100 Continue\r\n\r\n".to_owned()))
    }),
];

async fn silent_server(reply: fn() -> Reply) -> RawServer {
    RawServer::start(move |mut connection| async move {
        if connection.read_request().await?.is_some() {
            reply().send(connection).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    for (name, reply) in SILENCES {
        for operation in Operation::ALL {
            let case = &format!("{name}, {operation:?}");
            let server = silent_server(reply).await;
            let wiretap = Wiretap::new(&http_client());
            let mut options = wiretap.options();
            options.timeout = Some(TIMEOUT);
            let client = client(&server.endpoint, KEY, options);

            let error = bounded(operation.call(&client, &subject())).await.unwrap_err();
            let expected = Failure {
                kind: Kind::Io,
                outcome_unknown: operation.creates_user(),
            };
            assert_eq!((Failure::of(&error), wiretap.sent()), (expected, 1), "{case}: {error}");
            assert!(
                error.to_string().contains("was given up after 100ms"),
                "{case}: {error}"
            );
            assert_fit_to_show(&error, &wiretap.secrets(), case);
            bounded(server.all_closed()).await;
        }
    }
}

/// A service that is busy for ever, and a client that is told to try for ever.
#[tokio::test]
async fn attempts_without_an_end_time_out() {
    for (headers, operation) in [
        ("", Operation::CreateUser),
        ("retry-after: 0\r\n", Operation::RefreshToken),
    ] {
        let server = RawServer::start(move |mut connection| async move {
            while connection.read_request().await?.is_some() {
                connection.write(answer(503, headers, SERVICE_ERROR).bytes).await?;
            }
            Ok(())
        })
        .await;
        let mut options = Wiretap::new(&http_client()).options();
        options.timeout = Some(TIMEOUT);
        options.client_options.retry = RetryOptions::custom(Arc::new(AtOnce::new(usize::MAX)));
        let client = client(&server.endpoint, KEY, options);
        let error = bounded(operation.call(&client, &subject())).await.unwrap_err();
        // A wait that is as long as the time that is left ends the call with the service's answer.
        let expected = if headers.is_empty() {
            &[Kind::Io][..]
        } else {
            &[Kind::Io, Kind::HttpResponse(503)]
        };
        assert!(expected.contains(&Failure::of(&error).kind), "{error}");
    }
}

/// Dropping a call while the server thinks closes its connection.
#[tokio::test]
async fn a_call_that_is_dropped_leaves_no_connection_open() {
    for (name, reply) in SILENCES {
        for operation in Operation::ALL {
            let server = silent_server(reply).await;
            let client = client(&server.endpoint, KEY, Wiretap::new(&http_client()).options());
            let subject = subject();
            tokio::select! {
                result = operation.call(&client, &subject) => panic!("{name}: {result:?}"),
                () = bounded(server.requests_arrived(1)) => {}
            }
            bounded(server.all_closed()).await;
        }
    }
}
