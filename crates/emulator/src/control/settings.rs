//! Settings that concern every request.

use super::{Result, invalid, object};
use crate::{
    clock::CENTURY,
    http::{JsonResponse, RequestBody, Service},
};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
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
    fn of(service: &Service) -> Self {
        Self {
            clock_offset_seconds: service.resource.clock.offset().whole_seconds(),
            revocation_delay_seconds: service.resource.revocation_delay.get().whole_seconds(),
            withdrawn_versions: service.withdrawn_versions.names(),
        }
    }
}

/// Settings to change. Absent ones stay.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Change {
    clock_offset_seconds: Option<i64>,
    revocation_delay_seconds: Option<i64>,
    withdrawn_versions: Option<Vec<String>>,
}

/// `GET /_emulator/settings`
pub(super) async fn get(State(service): State<Arc<Service>>) -> JsonResponse<Settings> {
    JsonResponse(StatusCode::OK, Settings::of(&service))
}

/// `PATCH /_emulator/settings`
///
/// Either all of the given settings change or none.
pub(super) async fn change(State(service): State<Arc<Service>>, RequestBody(body): RequestBody) -> Result<Settings> {
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
        let known = service.withdrawn_versions.set(versions);
        known.map_err(|error| invalid(format!("{error}.")))?;
    }
    if let Some(offset) = offset {
        service.resource.clock.set_offset(offset);
    }
    if let Some(delay) = delay {
        service.resource.revocation_delay.set(delay);
    }
    Ok(JsonResponse(StatusCode::OK, Settings::of(&service)))
}
