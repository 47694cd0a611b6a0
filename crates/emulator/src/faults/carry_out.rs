//! Faults applied to a request.

use crate::{
    endpoint::Endpoint,
    faults::{Fault, answers::InjectedBody, effect::Effect, truncated},
    reset::ResetConnection,
    service::{Answering, ConcernedIdentity, Refusal, RequestBody},
};
use axum::{extract::Request, middleware::Next, response::Response};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::sleep;

/// The faults that apply to a request.
#[derive(Default)]
pub(crate) struct Strike {
    latency: Duration,
    /// The effect after the latency; `None` for the operation itself.
    effect: Option<Effect>,
    description: String,
}

impl Strike {
    pub(super) fn add(&mut self, effect: Effect, fault: &Fault) {
        match effect {
            Effect::Latency(latency) => self.latency += latency,
            effect => self.effect = Some(effect),
        }
        if !self.description.is_empty() {
            self.description += "; ";
        }
        self.description += &fault.to_string();
    }

    /// Returns whether only latencies can be added.
    pub(super) fn is_decided(&self) -> bool {
        self.effect.is_some()
    }

    /// The faults as text, separated by semicolons.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// Answers the request with the faults applied.
    pub(crate) async fn carry_out(&self, endpoint: &Endpoint, request: Request, next: Next) -> Response {
        let answering = Answering::begin(request.headers());
        if !self.latency.is_zero() {
            sleep(self.latency).await;
        }
        match &self.effect {
            None | Some(Effect::Latency(_)) => next.run(request).await,
            Some(Effect::ResetAfterCommit) => ResetConnection::AfterCommit.in_place_of(next.run(request).await),
            Some(Effect::TruncatedBody) => truncated::truncate(next.run(request).await).await,
            Some(Effect::Answer { answer, after_commit }) => {
                let unsent = if *after_commit {
                    Some(Unsent::of(next.run(request).await).await)
                } else {
                    read(request).await;
                    None
                };
                let mut response = answer.response(&self.description);
                if matches!(answer.body, InjectedBody::Error { .. }) {
                    answering.describe(endpoint, &mut response);
                }
                if let Some(unsent) = unsent {
                    unsent.note(&mut response);
                }
                response
            }
            Some(Effect::ResetBeforeCommit) => {
                read(request).await;
                ResetConnection::BeforeCommit.in_place_of(Response::default())
            }
        }
    }
}

/// An operation's answer that is not sent, as the log and the list of requests show it.
struct Unsent {
    explanation: String,
    identity: Option<ConcernedIdentity>,
}

impl Unsent {
    /// Reads the answer to its end, and drops it.
    async fn of(response: Response) -> Self {
        let (mut head, body) = response.into_parts();
        body.collect().await.ok();
        let mut explanation = format!("the operation's answer was not sent: {}", head.status.as_u16());
        if let Some(Refusal { code, reason, .. }) = head.extensions.remove() {
            explanation.extend(code.map(|code| format!(" {code}")));
            explanation.extend(reason.map(|reason| format!(": {reason}")));
        }
        Self {
            explanation,
            identity: head.extensions.remove(),
        }
    }

    /// Adds it to the response in its place.
    fn note(self, response: &mut Response) {
        let extensions = response.extensions_mut();
        let refusal = extensions.get_or_insert_default::<Refusal>();
        refusal.reason = Some(self.explanation);
        if let Some(identity) = self.identity {
            extensions.insert(identity);
        }
    }
}

/// Takes the whole request, so that what the client sees does not depend on how much of it is still on its way.
async fn read(request: Request) {
    RequestBody::read(request.into_body()).await.ok();
}
