//! How faults are carried out.

use crate::{
    endpoint::Endpoint,
    faults::{Fault, answers, effect::Effect, truncated},
    reset::ResetConnection,
    service::{Answering, RequestBody},
};
use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::time::Duration;
use tokio::time::sleep;

/// The faults that strike a request.
#[derive(Default)]
pub(crate) struct Strike {
    latency: Duration,
    /// What happens then, if not what always does.
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

    /// Whether only latencies can be added.
    pub(super) fn is_decided(&self) -> bool {
        self.effect.is_some()
    }

    /// The faults as text, separated by semicolons.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// Answers the request as the faults will have it.
    pub(crate) async fn carry_out(&self, endpoint: &Endpoint, request: Request, next: Next) -> Response {
        let answering = Answering::begin(request.headers());
        if !self.latency.is_zero() {
            sleep(self.latency).await;
        }
        match self.effect {
            None | Some(Effect::Latency(_)) => next.run(request).await,
            Some(Effect::ResetAfterCommit) => ResetConnection::AfterCommit.in_place_of(next.run(request).await),
            Some(Effect::TruncatedBody) => truncated::truncate(next.run(request).await).await,
            Some(Effect::Status { status, retry_after }) => {
                read(request).await;
                let mut response = answers::error(status, retry_after, &self.description).into_response();
                answering.describe(endpoint, &mut response);
                response
            }
            Some(Effect::HtmlBody) => {
                read(request).await;
                answers::page()
            }
            Some(Effect::ResetBeforeCommit) => {
                read(request).await;
                ResetConnection::BeforeCommit.in_place_of(Response::default())
            }
        }
    }
}

/// Takes the whole request, so that what the client sees does not depend on how much of it is still on its way.
async fn read(request: Request) {
    RequestBody::read(request.into_body()).await.ok();
}
