//! Notes of what was asked of the service and how it was answered, in the log and in the journal.

use crate::{
    endpoint::Endpoint,
    faults::Strike,
    journal::Answered,
    operation::Operation,
    reset::ResetConnection,
    resource::Resource,
    service::{ConcernedIdentity, Refusal},
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use std::{borrow::Cow, sync::Arc, time::Instant};
use tracing::{field::display, info};

/// Why a request has no answer, if nobody waits for it any more.
const GIVEN_UP: &str = "the connection was closed before the answer";

/// Lets the request have its faults, and notes how it was answered.
pub(crate) async fn note(State(endpoint): State<Endpoint>, request: Request, next: Next) -> Response {
    let mut noted = Noted::begin(endpoint.resource.clone(), &request);
    let mut response = match &noted.strike {
        None => next.run(request).await,
        Some(strike) => strike.carry_out(&endpoint, request, next).await,
    };
    noted.outcome = Some(Outcome::of(&mut response));
    response
}

/// A request. When it is dropped, answered or not, it is logged without its query, headers and body, which may contain
/// secrets, and without access keys, and added to the journal.
struct Noted {
    resource: Arc<Resource>,
    started: Instant,
    method: Method,
    path: String,
    strike: Option<Strike>,
    /// None as long as there is no answer.
    outcome: Option<Outcome>,
}

/// How a request was answered.
struct Outcome {
    /// Absent if nothing is sent and nothing was done.
    status: Option<u16>,
    code: Option<Cow<'static, str>>,
    explanation: Option<String>,
    /// The identity in the response, if the path does not name it.
    identity: Option<String>,
}

impl Noted {
    fn begin(resource: Arc<Resource>, request: &Request) -> Self {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        Self {
            started: Instant::now(),
            strike: resource.faults.strike(&method, &path),
            outcome: None,
            resource,
            method,
            path,
        }
    }
}

impl Outcome {
    fn given_up() -> Self {
        Self {
            status: None,
            code: None,
            explanation: Some(GIVEN_UP.to_owned()),
            identity: None,
        }
    }

    /// Takes from the response what is not to be sent.
    fn of(response: &mut Response) -> Self {
        // Where the operation did not run and nothing is sent, no status was decided.
        let reset = response.extensions().get();
        let is_decided = reset != Some(&ResetConnection::BeforeCommit);
        let status = is_decided.then(|| response.status().as_u16());
        let extensions = response.extensions_mut();
        let (code, explanation) = match extensions.remove() {
            Some(Refusal { code, reason, .. }) => (code, reason),
            None => (None, None),
        };
        Self {
            status,
            code,
            explanation,
            identity: extensions.remove().map(|ConcernedIdentity(id)| id),
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let access_keys = &self.resource.access_keys;
        let method = &*access_keys.hide(self.method.as_str());
        let path = &*access_keys.hide(&self.path);
        let Outcome {
            status,
            code,
            explanation,
            identity,
        } = self.outcome.take().unwrap_or_else(Outcome::given_up);
        let fault = self.strike.as_ref().map(Strike::description);
        // Not quoted, so that the backslashes of an explanation are not doubled. A reason is one line.
        let reason = explanation.as_ref().map(display);
        info!(%method, path, status, fault, code = code.as_deref(), reason);
        self.resource.journal.add(Answered {
            time: self.resource.clock.now(),
            method,
            path,
            operation: Operation::of(&self.method, &self.path),
            identity,
            status,
            duration: self.started.elapsed(),
            code,
            explanation,
            fault,
        });
    }
}
