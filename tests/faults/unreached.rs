//! Servers that cannot be reached: nothing was sent, so nothing is lost.

use crate::{
    asked::{KEY, subject},
    bounded,
    hidden::assert_fit_to_show,
    rule::{Failure, Outcome, Rule::NotSent, Times},
    support::{
        http_client::{http_client, trusting},
        operation::Operation,
        raw_server::RawServer,
    },
    wiretap::{Wiretap, client},
};
use acs_identity_emulator::Emulator;

/// Why a server cannot be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Obstacle {
    /// Nobody listens.
    Closed,
    /// It does not speak TLS.
    Plain,
    /// It closes the connection in the handshake.
    Hangup,
    /// It resets the connection in the handshake.
    Reset,
    /// No authority that is trusted vouches for its certificate.
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
async fn a_server_that_is_not_reached_was_sent_nothing() {
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
            let wiretap = Wiretap::new(&http_client);
            let client = client(&endpoint, KEY, wiretap.options());
            let error = bounded(operation.call(&client, &subject())).await.unwrap_err();
            let outcome = Outcome {
                tries: wiretap.sent(),
                failure: Some(Failure::of(&error)),
            };
            assert_eq!(
                outcome,
                NotSent.outcome(operation, false, Times::Always),
                "{case}: {error}"
            );
            assert_fit_to_show(&error, &wiretap.secrets(), case);
        }
        assert_eq!(server.map_or(0, |server| server.requests()), 0);
    }
    assert_eq!(emulator.identity_count(), 0);
}
