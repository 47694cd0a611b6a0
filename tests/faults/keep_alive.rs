//! Kept connections: a response belongs to one request, and a connection to many.

use crate::{
    bounded,
    recorder::{Recorder, client},
    reply::{documented, response},
    request::{RawRequest, documented_output},
    rule::{Failure, Kind},
    support::{
        fixtures::{KEY, TOKEN, USER},
        http_client::http_client,
        operation::{Operation, Subject},
        raw_server::RawServer,
    },
};

/// Bytes after a response that no request asked for.
pub(crate) const EXTRA: [&str; 6] = [
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n{\"token\":\"of another user!\",\"expiresOn\":\"2099-01-01T00:00:00+00:00\"}",
    "HTTP/1.1 201 Created\r\ncontent-length: 31\r\n\r\n{\"identity\":{\"id\":\"8:acs:a_b\"}}",
    "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "\r\n\0",
];

#[tokio::test]
async fn an_extra_response_belongs_to_no_request() {
    for extra in EXTRA {
        let server = RawServer::start(move |mut connection| async move {
            while let Some(request) = connection.read_request().await? {
                let reply = documented(&RawRequest(request)).to_bytes();
                connection.write([&reply, extra.as_bytes()].concat()).await?;
            }
            Ok(())
        })
        .await;
        let client = client(&server.endpoint, KEY, Recorder::new(&http_client()).options());
        for operation in Operation::ALL.into_iter().chain(Operation::ALL) {
            let output = bounded(operation.call(&client, &Subject::default())).await;
            assert_eq!(output.unwrap(), documented_output(operation), "{extra}");
        }
    }
}

/// The first response arrives after the second request, when no caller waits for it.
#[tokio::test]
async fn a_late_response_belongs_to_no_request() {
    for operation in Operation::ALL {
        let (second, wait) = tokio::sync::watch::channel(false);
        let server = RawServer::start(move |mut connection| {
            let (second, mut wait) = (second.clone(), wait.clone());
            async move {
                while let Some(request) = connection.read_request().await? {
                    if connection.committed() == 1 {
                        wait.wait_for(|arrived| *arrived).await.ok();
                        let late = format!(r#"{{"identity":{{"id":"{USER}0"}},"token":"{TOKEN}0"}}"#);
                        connection.write(response(200, "", late).to_bytes()).await?;
                    } else {
                        second.send_replace(true);
                        connection.write(documented(&RawRequest(request)).to_bytes()).await?;
                    }
                }
                Ok(())
            }
        })
        .await;
        let client = client(&server.endpoint, KEY, Recorder::new(&http_client()).options());
        let subject = Subject::default();
        tokio::select! {
            result = operation.call(&client, &subject) => panic!("{result:?}"),
            () = bounded(server.requests_arrived(1)) => {}
        }
        let output = bounded(operation.call(&client, &subject)).await;
        assert_eq!(output.unwrap(), documented_output(operation));
    }
}

/// A server may close a kept connection while the next request is on its way. The client does not know then whether the
/// server received it, so a creation is uncertain, and is never executed twice.
#[tokio::test]
async fn a_connection_closed_between_requests_creates_no_second_user() {
    const CALLS: usize = 100;
    let server = RawServer::start(|mut connection| async move {
        let request = connection.read_request().await?;
        let reply = request.map(|request| documented(&RawRequest(request)).to_bytes());
        connection.write(reply.unwrap_or_default()).await
    })
    .await;
    let recorder = Recorder::new(&http_client());
    let client = client(&server.endpoint, KEY, recorder.options());
    for _ in 0..CALLS {
        match bounded(Operation::CreateUser.call(&client, &Subject::default())).await {
            Ok(output) => assert_eq!(output, documented_output(Operation::CreateUser)),
            Err(error) => {
                let failure = Failure::of(&error);
                assert_eq!((failure.kind, failure.outcome_unknown), (Kind::Io, true), "{error}");
            }
        }
    }
    assert_eq!(recorder.sent(), CALLS);
    assert!(server.requests() <= CALLS, "{}", server.requests());
}

#[tokio::test]
async fn clones_share_connections() {
    let server = RawServer::start(|mut connection| async move {
        while let Some(request) = connection.read_request().await? {
            connection.write(documented(&RawRequest(request)).to_bytes()).await?;
        }
        Ok(())
    })
    .await;
    let client = client(&server.endpoint, KEY, Recorder::new(&http_client()).options());
    for client in [client.clone(), client.clone(), client] {
        let output = bounded(Operation::CreateUser.call(&client, &Subject::default())).await;
        assert_eq!(output.unwrap(), documented_output(Operation::CreateUser));
    }
    assert_eq!((server.requests(), server.connections()), (3, 1));
}
