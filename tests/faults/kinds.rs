//! Errors and responses of a policy or a transport of the caller.

use crate::{
    bounded,
    reply::documented,
    request::RawRequest,
    rule::{Failure, Kind, Outcome},
    support::{
        fixtures::KEY,
        http_client::http_client,
        operation::{Operation, Subject},
        raw_server::RawServer,
    },
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

/// The place of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A policy that refuses the request instead of passing it on.
    PolicyBefore,
    /// A policy that rejects the response.
    PolicyAfter,
    /// A transport that rejects the response. `Connection` would be wrong there: the request was sent.
    Transport,
}

pub(crate) const PLACES: [Place; 3] = [Place::PolicyBefore, Place::PolicyAfter, Place::Transport];

/// Returns the errors of each place.
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
        attempts: match (was_sent, retried) {
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
async fn only_an_unsent_request_counts_as_not_executed() {
    let server = RawServer::start(|mut connection| async move {
        while let Some(request) = connection.read_request().await? {
            connection.write(documented(&RawRequest(request)).to_bytes()).await?;
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
            let result = bounded(operation.call(&client, &Subject::default())).await;
            let outcome = Outcome::of(wiretap.sent(), &result);
            assert_eq!(outcome, expected(place, kind, operation), "{case}: {result:?}");
        }
    }
}
