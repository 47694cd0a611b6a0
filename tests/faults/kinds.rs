//! Policies and transports of the caller: their errors, their own responses, and requests that they send twice.

use crate::{
    bounded,
    recorder::{ATTEMPTS, Recorder, client},
    redaction::assert_fit_to_show,
    reply::documented,
    request::{RawRequest, documented_output},
    rule::{
        Failure, Kind, Outcome,
        Rule::{Permanent, Refused, Transient},
    },
    support::{
        fake_service::{AttemptResponse, BUSY, FakeService, busy, created, failure, status},
        fixtures::{CONNECTION_STRING, KEY},
        http_client::http_client,
        operation::{Operation, Output, Subject},
        raw_server::RawServer,
    },
};
use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        AsyncRawResponse, ClientOptions, Context, HttpClient, Request, StatusCode, Transport,
        headers::Headers,
        policies::{Policy, PolicyResult},
    },
};
use futures::future::join;
use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

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
    /// A policy of the call, before the request is sent.
    CallBefore,
    /// A policy of the call, after the response.
    CallAfter,
    /// A policy of each attempt, before the request is sent.
    AttemptBefore,
    /// A policy of each attempt, after the response.
    AttemptAfter,
    /// A transport, after the response. `Connection` would be wrong there: the request was sent.
    Transport,
}

impl Place {
    const ALL: [Self; 5] = [
        Self::CallBefore,
        Self::CallAfter,
        Self::AttemptBefore,
        Self::AttemptAfter,
        Self::Transport,
    ];

    fn is_before(self) -> bool {
        matches!(self, Self::CallBefore | Self::AttemptBefore)
    }

    fn is_retried(self) -> bool {
        !matches!(self, Self::CallBefore | Self::CallAfter)
    }
}

/// Returns the errors of each place.
pub(crate) fn errors() -> Vec<(Place, Kind)> {
    let all = Place::ALL.into_iter().flat_map(|place| KINDS.map(|kind| (place, kind)));
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

async fn pass_on(ctx: &Context<'_>, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
    let (policy, next) = next.split_first().unwrap();
    policy.send(ctx, request, next).await
}

#[derive(Debug)]
struct FailingPolicy(Place, Kind);

#[async_trait::async_trait]
impl Policy for FailingPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if !self.0.is_before() {
            pass_on(ctx, request, next).await?;
        }
        Err(error(self.1))
    }
}

#[derive(Debug)]
struct FailingTransport(Arc<Recorder>, Kind);

#[async_trait::async_trait]
impl HttpClient for FailingTransport {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        self.0.execute_request(request).await?;
        Err(error(self.1))
    }
}

/// Starts a server that gives every request the documented response.
pub(crate) async fn healthy_server() -> RawServer {
    RawServer::start(|mut connection| async move {
        while let Some(request) = connection.read_request().await? {
            connection.write(documented(&RawRequest(request)).to_bytes()).await?;
        }
        Ok(())
    })
    .await
}

fn expected(place: Place, kind: Kind, operation: Operation) -> Outcome {
    let is_uncertain = !place.is_before() && operation.creates_user();
    let is_retried = place.is_retried() && matches!(kind, Kind::Connection | Kind::Io) && !is_uncertain;
    Outcome {
        attempts: match (place.is_before(), is_retried) {
            (true, _) => 0,
            (false, true) => ATTEMPTS,
            (false, false) => 1,
        },
        failure: Some(Failure {
            kind,
            outcome_unknown: is_uncertain,
        }),
    }
}

#[tokio::test]
async fn only_an_unsent_request_counts_as_not_executed() {
    let server = healthy_server().await;
    for (place, kind) in errors() {
        let http_client = http_client();
        for operation in Operation::ALL {
            let case = format!("{place:?}, {kind:?}, {operation:?}");
            let recorder = Recorder::new(&http_client);
            let mut options = recorder.options();
            let client_options = &mut options.client_options;
            let policy = Arc::new(FailingPolicy(place, kind));
            match place {
                Place::CallBefore | Place::CallAfter => client_options.per_call_policies.push(policy),
                Place::AttemptBefore | Place::AttemptAfter => client_options.per_try_policies.push(policy),
                Place::Transport => {
                    let transport = FailingTransport(recorder.clone(), kind);
                    client_options.transport = Some(Transport::new(Arc::new(transport)));
                }
            }
            let client = client(&server.endpoint, KEY, options);
            let result = bounded(operation.call(&client, &Subject::default())).await;
            let outcome = Outcome::of(recorder.sent(), &result);
            assert_eq!(outcome, expected(place, kind, operation), "{case}: {result:?}");
        }
    }
}

/// A policy that replaces a success by a response of its own.
#[derive(Debug)]
struct ReplacingPolicy(u16, &'static str);

#[async_trait::async_trait]
impl Policy for ReplacingPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let response = pass_on(ctx, request, next).await?;
        assert!(response.status().is_success());
        Ok(own_response(self.0, self.1))
    }
}

fn own_response(status: u16, body: &'static str) -> AsyncRawResponse {
    AsyncRawResponse::from_bytes(status.into(), Headers::new(), body)
}

/// Responses of policies, and whether azure_core retries them. The last is even the service's own error.
pub(crate) const OWN_RESPONSES: [(u16, &str, bool); 9] = [
    (400, "", false),
    (401, "", false),
    (403, "", false),
    (409, "", false),
    (429, "", true),
    (500, "", true),
    (501, "", false),
    (503, "", true),
    (503, BUSY, true),
];

/// Calls an operation over a service with these responses, through policies that an attempt or the call passes.
async fn call_through(
    service: &Arc<FakeService>,
    operation: Operation,
    change: impl FnOnce(&mut ClientOptions),
) -> Result<Output> {
    let mut options = CommunicationIdentityClientOptions {
        client_options: service.client_options(),
        ..Default::default()
    };
    change(&mut options.client_options);
    let client = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap();
    operation.call(&client, &Subject::default()).await
}

/// Creates a service that gives every request the documented response.
fn healthy_service() -> Arc<FakeService> {
    FakeService::with(|request| documented(&RawRequest::from(request)).received().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_success_replaced_by_a_policy_is_uncertain() {
    for (status, body, is_retried) in OWN_RESPONSES {
        for operation in Operation::ALL {
            let case = &format!("{status}, {body}, {operation:?}");
            let service = healthy_service();
            let policy = Arc::new(ReplacingPolicy(status, body));
            let result = call_through(&service, operation, |options| options.per_try_policies.push(policy)).await;
            let rule = if is_retried {
                Transient(status)
            } else {
                Permanent(status)
            };
            let expected = Outcome::documented(iter::repeat(rule), operation, false);
            assert_eq!(
                Outcome::of(service.requests().len(), &result),
                expected,
                "{case}: {result:?}"
            );

            let service = healthy_service();
            let policy = Arc::new(ReplacingPolicy(status, body));
            let result = call_through(&service, operation, |options| options.per_call_policies.push(policy)).await;
            let expected = Outcome::documented(iter::repeat(Permanent(status)), operation, false);
            assert_eq!(
                Outcome::of(service.requests().len(), &result),
                expected,
                "{case}: {result:?}"
            );
        }
    }
}

/// A policy that responds to some attempts itself, and sends none of them.
#[derive(Debug)]
struct RespondingPolicy {
    status: u16,
    body: &'static str,
    left: AtomicUsize,
}

#[async_trait::async_trait]
impl Policy for RespondingPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let left = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) {
            Ok(_) => Ok(own_response(self.status, self.body)),
            Err(_) => pass_on(ctx, request, next).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_of_a_policy_alone_is_certain() {
    for (status, body, is_retried) in OWN_RESPONSES {
        for operation in Operation::ALL {
            for times in [1, usize::MAX] {
                let case = &format!("{status}, {body}, {operation:?}, {times}");
                let service = healthy_service();
                let policy = Arc::new(RespondingPolicy {
                    status,
                    body,
                    left: AtomicUsize::new(times),
                });
                let counted = policy.clone();
                let result = call_through(&service, operation, |options| options.per_try_policies.push(policy)).await;
                let responded = times - counted.left.load(Ordering::SeqCst);
                if is_retried && times == 1 {
                    assert_eq!(result.unwrap(), documented_output(operation), "{case}");
                    assert_eq!((responded, service.requests().len()), (1, 1), "{case}");
                    continue;
                }
                let mut expected = Outcome::documented(iter::repeat(Refused(status)), operation, false);
                expected.attempts = if is_retried { ATTEMPTS } else { 1 };
                assert_eq!(Outcome::of(responded, &result), expected, "{case}: {result:?}");
                assert_eq!(service.requests().len(), 0, "{case}");
            }
        }
    }
}

/// A policy that sends a request again after a failure.
#[derive(Debug)]
struct RepeatingPolicy;

#[async_trait::async_trait]
impl Policy for RepeatingPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        match pass_on(ctx, request, next).await {
            Err(_) => pass_on(ctx, request, next).await,
            response => response,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_repeated_by_a_policy_is_not_sent_again() {
    let endings: [(fn() -> AttemptResponse, Kind); 5] = [
        (
            || failure(ErrorKind::Connection, "connection refused"),
            Kind::Connection,
        ),
        (|| failure(ErrorKind::Io, "connection reset by peer"), Kind::Io),
        (|| status(StatusCode::TooManyRequests), Kind::HttpResponse(429)),
        (|| status(StatusCode::Unauthorized), Kind::HttpResponse(401)),
        (busy, Kind::HttpResponse(503)),
    ];
    for (ending, kind) in endings {
        for operation in [Operation::CreateUser, Operation::CreateUserAndToken] {
            let reset = failure(ErrorKind::Io, "connection reset by peer");
            let service = FakeService::new([reset, ending(), created(), created()]);
            let result = call_through(&service, operation, |options| {
                options.per_try_policies.push(Arc::new(RepeatingPolicy));
            })
            .await;
            assert_uncertain(&service, &result, kind);
        }
    }
}

/// A policy that sends a request twice at once, and returns the failure of the first.
#[derive(Debug)]
struct HedgingPolicy;

#[async_trait::async_trait]
impl Policy for HedgingPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let mut second = request.clone();
        let (first, second) = join(pass_on(ctx, request, next), pass_on(ctx, &mut second, next)).await;
        if first.is_err() { first } else { second }
    }
}

/// The first request turns out not to have been sent after the second was lost.
#[tokio::test(start_paused = true)]
async fn a_request_hedged_by_a_policy_is_not_sent_again() {
    for operation in [Operation::CreateUser, Operation::CreateUserAndToken] {
        let mut requests = 0;
        let service = FakeService::with(move |request| {
            requests += 1;
            let (kind, delay) = match requests {
                1 => (ErrorKind::Connection, 1),
                2 => (ErrorKind::Io, 0),
                _ => return documented(&RawRequest::from(request)).received().unwrap(),
            };
            Box::pin(async move {
                tokio::time::sleep(std::time::Duration::from_secs(delay)).await;
                Err(Error::with_message(kind, "on purpose"))
            })
        });
        let result = call_through(&service, operation, |options| {
            options.per_try_policies.push(Arc::new(HedgingPolicy));
        })
        .await;
        assert_uncertain(&service, &result, Kind::Connection);
    }
}

/// Asserts that a creation failed after two requests, of which one may have been executed.
fn assert_uncertain(service: &FakeService, result: &Result<Output>, kind: Kind) {
    let expected = Outcome {
        attempts: 2,
        failure: Some(Failure {
            kind,
            outcome_unknown: true,
        }),
    };
    assert_eq!(Outcome::of(service.requests().len(), result), expected, "{result:?}");
}

/// A policy that sets a header which no HTTP client can send.
#[derive(Debug)]
struct BrokenHeaderPolicy;

#[async_trait::async_trait]
impl Policy for BrokenHeaderPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("x-tenant", "contoso\r\nx-other: fabrikam");
        pass_on(ctx, request, next).await
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_certain() {
    let server = healthy_server().await;
    let http_client = http_client();
    for operation in Operation::ALL {
        let recorder = Recorder::new(&http_client);
        let mut options = recorder.options();
        options
            .client_options
            .per_try_policies
            .push(Arc::new(BrokenHeaderPolicy));
        let client = client(&server.endpoint, KEY, options);
        let result = bounded(operation.call(&client, &Subject::default())).await;
        let expected = Outcome {
            attempts: 1,
            failure: Some(Failure {
                kind: Kind::Other,
                outcome_unknown: false,
            }),
        };
        assert_eq!(Outcome::of(recorder.sent(), &result), expected, "{result:?}");
        assert_fit_to_show(&result.unwrap_err(), &recorder.secrets(), "a broken header");
        assert_eq!((server.requests(), server.connections()), (0, 0));
    }
}
