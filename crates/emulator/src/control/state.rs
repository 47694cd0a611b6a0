//! What the emulator holds, and what it was asked.

use crate::{
    dates,
    endpoint::Endpoint,
    journal::Entry,
    ring_buffer::Numbered,
    service::{Answer, Identity},
};
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

/// How many identities are listed.
const IDENTITIES: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Description {
    name: &'static str,
    version: &'static str,
    resource_id: Uuid,
    identities: usize,
    time: String,
}

/// `GET /_emulator/resource`
pub(super) async fn resource(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<Description> {
    let description = Description {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        resource_id: resource.id,
        identities: resource.registry.count(),
        time: dates::format_http_date(resource.clock.now()),
    };
    Answer(StatusCode::OK, description)
}

#[derive(Serialize)]
pub(super) struct RequestList {
    requests: Vec<Numbered<Entry>>,
}

/// `GET /_emulator/requests`
pub(super) async fn requests(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<RequestList> {
    let requests = resource.journal.requests();
    Answer(StatusCode::OK, RequestList { requests })
}

#[derive(Serialize)]
pub(super) struct RefusalList {
    refusals: Vec<Numbered<Entry>>,
}

/// `GET /_emulator/refusals`
pub(super) async fn refusals(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<RefusalList> {
    let refusals = resource.journal.refusals();
    Answer(StatusCode::OK, RefusalList { refusals })
}

#[derive(Serialize)]
pub(super) struct IdentityList {
    total: usize,
    /// The newest ones.
    identities: Vec<Identity>,
}

/// `GET /_emulator/identities`
pub(super) async fn identities(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<IdentityList> {
    let (total, newest) = resource.registry.newest(IDENTITIES);
    let identities = newest.into_iter().map(|id| Identity { id: id.to_string() }).collect();
    Answer(StatusCode::OK, IdentityList { total, identities })
}
