//! Servers that cannot be reached, so that no request is sent.

use crate::{
    bounded,
    recorder::{Recorder, client},
    redaction::assert_fit_to_show,
    rule::{Outcome, Rule::NotSent},
    support::{
        fixtures::KEY,
        http_client::{http_client, trusting},
        operation::{Operation, Subject},
        raw_server::RawServer,
    },
};
use acs_identity_emulator::Emulator;
use std::iter;

/// The reason that a server cannot be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Obstacle {
    /// The port is closed.
    Closed,
    /// It does not speak TLS.
    Plain,
    /// It closes the connection in the handshake.
    Hangup,
    /// It resets the connection in the handshake.
    Reset,
    /// No trusted authority has issued its certificate.
    Untrusted,
    /// Its certificate is for another name.
    WrongName,
}

pub(crate) const OBSTACLES: [Obstacle; 6] = [
    Obstacle::Closed,
    Obstacle::Plain,
    Obstacle::Hangup,
    Obstacle::Reset,
    Obstacle::Untrusted,
    Obstacle::WrongName,
];

impl Obstacle {
    async fn server(self) -> RawServer {
        RawServer::start(move |mut connection| async move {
            match self {
                Self::Plain => connection.write("HTTP/1.1 400 Bad Request\r\n\r\n").await,
                Self::Reset => connection.reset(),
                _ => Ok(()),
            }
        })
        .await
    }
}

#[tokio::test]
async fn an_unreached_server_is_sent_no_request() {
    let emulator = Emulator::builder().start().await.unwrap();
    for obstacle in OBSTACLES {
        let mut server = Some(obstacle.server().await);
        let over_tls = |server: &RawServer| server.endpoint.replace("http://", "https://");
        let (endpoint, http_client) = match obstacle {
            Obstacle::Closed => {
                let server = server.take().unwrap();
                let endpoint = server.endpoint.clone();
                server.stop().await;
                (endpoint, http_client())
            }
            Obstacle::Plain | Obstacle::Hangup | Obstacle::Reset => (over_tls(server.as_ref().unwrap()), http_client()),
            Obstacle::Untrusted => (emulator.https_endpoint().to_owned(), http_client()),
            Obstacle::WrongName => {
                let endpoint = emulator.https_endpoint().replace("127.0.0.1", "127.0.0.2");
                (endpoint, trusting(&[emulator.ca_pem()]))
            }
        };
        for operation in Operation::ALL {
            let case = &format!("{obstacle:?}, {operation:?}");
            let recorder = Recorder::new(&http_client);
            let client = client(&endpoint, KEY, recorder.options());
            let result = bounded(operation.call(&client, &Subject::default())).await;
            let expected = Outcome::documented(iter::repeat(NotSent), operation, false);
            assert_eq!(Outcome::of(recorder.sent(), &result), expected, "{case}: {result:?}");
            assert_fit_to_show(&result.unwrap_err(), &recorder.secrets(), case);
        }
        assert_eq!(server.map_or(0, |server| server.requests()), 0);
    }
    assert_eq!(emulator.identity_count(), 0);
}
