//! Errors of any kind from a transport or a policy of the caller's.

use crate::{
    asked::{Asked, KEY, subject},
    bounded,
    reply::documented,
    rule::{Failure, Kind, Outcome},
    support::http_client::http_client,
    support::operation::Operation,
    support::raw_server::RawServer,
    wiretap::{ATTEMPTS, Wiretap, client},
};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        AsyncRawResponse, Context, HttpClient, Request, Transport,
        policies::{Policy, PolicyResult},
    },
};
use std::sync::Arc;

pub(crate) const KINDS: [Kind; 5] = [
    Kind::Connection,
    Kind::Io,
    Kind::DataConversion,
    Kind::Credential,
    Kind::Other,
];

/// The place of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A policy that refuses the request instead of passing it on.
    PolicyBefore,
    /// A policy that does not like the response.
    PolicyAfter,
    /// A transport that does not like the response. `Connection` would be wrong there: the request was sent.
    Transport,
}

pub(crate) const PLACES: [Place; 3] = [Place::PolicyBefore, Place::PolicyAfter, Place::Transport];

/// The errors that are tried.
pub(crate) fn errors() -> Vec<(Place, Kind)> {
    let all = PLACES.into_iter().flat_map(|place| KINDS.map(|kind| (place, kind)));
    all.filter(|error| *error != (Place::Transport, Kind::Connection))
        .collect()
}

fn error(kind: Kind) -> Error {
    let kind = match kind {
        Kind::Connection => ErrorKind::Connection,
        Kind::Io => ErrorKind::Io,
        Kind::DataConversion => ErrorKind::DataConversion,
        Kind::Credential => ErrorKind::Credential,
        _ => ErrorKind::Other,
    };
    Error::with_message(kind, "on purpose")
}

#[derive(Debug)]
struct FailingPolicy(Place, Kind);

#[async_trait::async_trait]
impl Policy for FailingPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if self.0 == Place::PolicyAfter {
            let (policy, next) = next.split_first().unwrap();
            policy.send(ctx, request, next).await?;
        }
        Err(error(self.1))
    }
}

#[derive(Debug)]
struct FailingTransport(Arc<Wiretap>, Kind);

#[async_trait::async_trait]
impl HttpClient for FailingTransport {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        self.0.execute_request(request).await?;
        Err(error(self.1))
    }
}

fn expected(place: Place, kind: Kind, operation: Operation) -> Outcome {
    let was_sent = place != Place::PolicyBefore;
    let uncertain = was_sent && operation.creates_user();
    let retried = matches!(kind, Kind::Connection | Kind::Io) && !uncertain;
    Outcome {
        tries: match (was_sent, retried) {
            (false, _) => 0,
            (true, true) => ATTEMPTS,
            (true, false) => 1,
        },
        failure: Some(Failure {
            kind,
            outcome_unknown: uncertain,
        }),
    }
}

#[tokio::test]
async fn only_what_was_not_sent_counts_as_not_executed() {
    let server = RawServer::start(|mut connection| async move {
        while let Some(request) = connection.read_request().await? {
            connection.write(documented(&Asked(request)).bytes).await?;
        }
        Ok(())
    })
    .await;
    for (place, kind) in errors() {
        for operation in Operation::ALL {
            let case = format!("{place:?}, {kind:?}, {operation:?}");
            let wiretap = Wiretap::new(&http_client());
            let mut options = wiretap.options();
            match place {
                Place::Transport => {
                    let transport = FailingTransport(wiretap.clone(), kind);
                    options.client_options.transport = Some(Transport::new(Arc::new(transport)));
                }
                _ => options
                    .client_options
                    .per_try_policies
                    .push(Arc::new(FailingPolicy(place, kind))),
            }
            let client = client(&server.endpoint, KEY, options);
            let result = bounded(operation.call(&client, &subject())).await;
            let outcome = Outcome {
                tries: wiretap.sent(),
                failure: result.as_ref().err().map(Failure::of),
            };
            assert_eq!(outcome, expected(place, kind, operation), "{case}: {result:?}");
        }
    }
}
