//! An answer belongs to one request, whatever else comes on its connection.

use crate::{
    asked::{Asked, KEY, TOKEN, USER, subject},
    bounded,
    matrix::documented_gain,
    reply::{answer, documented},
    rule::{Failure, Kind},
    support::http_client::http_client,
    support::operation::Operation,
    support::raw_server::RawServer,
    wiretap::{Wiretap, client},
};

/// What comes after an answer without having been asked for.
pub(crate) const EXTRA: [&str; 6] = [
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n{\"token\":\"somebody else's\",\"expiresOn\":\"2099-01-01T00:00:00+00:00\"}",
    "HTTP/1.1 201 Created\r\ncontent-length: 31\r\n\r\n{\"identity\":{\"id\":\"8:acs:a_b\"}}",
    "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "\r\n\0",
];

#[tokio::test]
async fn what_was_not_asked_for_is_nobodys_answer() {
    for extra in EXTRA {
        let server = RawServer::start(move |mut connection| async move {
            while let Some(request) = connection.read_request().await? {
                let reply = documented(&Asked(request)).bytes;
                connection.write([&reply, extra.as_bytes()].concat()).await?;
            }
            Ok(())
        })
        .await;
        let client = client(&server.endpoint, KEY, Wiretap::new(&http_client()).options());
        for operation in Operation::ALL.into_iter().chain(Operation::ALL) {
            let gained = bounded(operation.call(&client, &subject())).await;
            assert_eq!(gained.unwrap(), documented_gain(operation), "{extra}");
        }
    }
}

/// The first request is answered when the second has come, and by then nobody waits for it.
#[tokio::test]
async fn an_answer_that_comes_too_late_is_nobodys() {
    for operation in Operation::ALL {
        let (second, wait) = tokio::sync::watch::channel(false);
        let server = RawServer::start(move |mut connection| {
            let (second, mut wait) = (second.clone(), wait.clone());
            async move {
                while let Some(request) = connection.read_request().await? {
                    if connection.committed() == 1 {
                        wait.wait_for(|arrived| *arrived).await.ok();
                        let late = format!(r#"{{"identity":{{"id":"{USER}0"}},"token":"{TOKEN}0"}}"#);
                        connection.write(answer(200, "", late).bytes).await?;
                    } else {
                        second.send_replace(true);
                        connection.write(documented(&Asked(request)).bytes).await?;
                    }
                }
                Ok(())
            }
        })
        .await;
        let client = client(&server.endpoint, KEY, Wiretap::new(&http_client()).options());
        let subject = subject();
        tokio::select! {
            result = operation.call(&client, &subject) => panic!("{result:?}"),
            () = bounded(server.requests_arrived(1)) => {}
        }
        let gained = bounded(operation.call(&client, &subject)).await;
        assert_eq!(gained.unwrap(), documented_gain(operation));
    }
}

/// A server may close a connection that is kept alive as the next request is on its way. Whether the request went out on
/// it is not known then, so a creation is left open, and is never made twice.
#[tokio::test]
async fn a_connection_that_ends_between_two_requests_makes_no_creation_twice() {
    const CALLS: usize = 100;
    let server = RawServer::start(|mut connection| async move {
        let request = connection.read_request().await?;
        let reply = request.map(|request| documented(&Asked(request)).bytes);
        connection.write(reply.unwrap_or_default()).await
    })
    .await;
    let wiretap = Wiretap::new(&http_client());
    let client = client(&server.endpoint, KEY, wiretap.options());
    for _ in 0..CALLS {
        match bounded(Operation::CreateUser.call(&client, &subject())).await {
            Ok(gained) => assert_eq!(gained, documented_gain(Operation::CreateUser)),
            Err(error) => {
                let failure = Failure::of(&error);
                assert_eq!((failure.kind, failure.outcome_unknown), (Kind::Io, true), "{error}");
            }
        }
    }
    assert_eq!(wiretap.sent(), CALLS);
    assert!(server.requests() <= CALLS, "{}", server.requests());
}
