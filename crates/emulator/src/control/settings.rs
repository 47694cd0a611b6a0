//! Settings that concern every request.

use super::{Result, invalid, object};
use crate::{
    clock::CENTURY,
    endpoint::Endpoint,
    resource::Resource,
    service::{Answer, RequestBody},
};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::Duration;

const MAX_SECONDS: i64 = CENTURY.whole_seconds();

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    clock_offset_seconds: i64,
    revocation_delay_seconds: i64,
    withdrawn_versions: Vec<&'static str>,
}

impl Settings {
    fn of(resource: &Resource) -> Self {
        Self {
            clock_offset_seconds: resource.clock.offset().whole_seconds(),
            revocation_delay_seconds: resource.revocation_delay.get().whole_seconds(),
            withdrawn_versions: resource.withdrawn_versions.names(),
        }
    }
}

/// Settings to change. Those that are not given stay as they are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Change {
    clock_offset_seconds: Option<i64>,
    revocation_delay_seconds: Option<i64>,
    withdrawn_versions: Option<Vec<String>>,
}

/// `GET /_emulator/settings`
pub(super) async fn get(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<Settings> {
    Answer(StatusCode::OK, Settings::of(&resource))
}

/// `PATCH /_emulator/settings`
///
/// Either all of the given settings change or none.
pub(super) async fn change(
    State(Endpoint { resource, .. }): State<Endpoint>,
    RequestBody(body): RequestBody,
) -> Result<Settings> {
    let change: Change = object(
        &body,
        r#"{"clockOffsetSeconds":-600,"withdrawnVersions":["2023-10-01"]}"#,
    )?;
    let offset = change.clock_offset_seconds.map(Duration::seconds);
    let delay = change.revocation_delay_seconds.map(Duration::seconds);
    if offset.is_some_and(|offset| offset.abs() > CENTURY) {
        return Err(invalid(format!(
            "clockOffsetSeconds is at most {MAX_SECONDS}, a century, ahead or behind."
        )));
    }
    if delay.is_some_and(|delay| !(Duration::ZERO..=CENTURY).contains(&delay)) {
        return Err(invalid(format!(
            "revocationDelaySeconds is at least 0 and at most {MAX_SECONDS}, a century."
        )));
    }
    if let Some(versions) = &change.withdrawn_versions {
        let known = resource.withdrawn_versions.set(versions);
        known.map_err(|error| invalid(format!("{error}.")))?;
    }
    if let Some(offset) = offset {
        resource.clock.set_offset(offset);
    }
    if let Some(delay) = delay {
        resource.revocation_delay.set(delay);
    }
    Ok(Answer(StatusCode::OK, Settings::of(&resource)))
}
