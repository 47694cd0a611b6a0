//! The state of the emulator: the resource, its access keys and identities, and the last requests.

use super::{Result, invalid};
use crate::{
    auth::AccessKeyKind,
    dates,
    http::{Identity, JsonResponse, RequestBody, RequestRecord, Scheme, Service, ServiceError, connection_string},
    identities::{EmulatorState, InvalidState},
    ring_buffer::Numbered,
};
use axum::extract::{Path, Request, State, rejection::PathRejection};
use http::StatusCode;
use serde::Serialize;
use std::sync::{Arc, atomic::Ordering};
use tracing::info;
use uuid::Uuid;

/// The most identities in a list.
const MAX_IDENTITIES: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Description {
    name: &'static str,
    version: &'static str,
    resource_id: Uuid,
    identities: usize,
    time: String,
    imports: u64,
    resets: u64,
}

/// `GET /_emulator/resource`
pub(super) async fn resource(State(service): State<Arc<Service>>) -> JsonResponse<Description> {
    let resource = &service.resource;
    let description = Description {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        resource_id: resource.id,
        identities: resource.registry.count(),
        time: dates::format_http_date(resource.clock.now()),
        imports: service.imports.load(Ordering::Relaxed),
        resets: service.resets.load(Ordering::Relaxed),
    };
    JsonResponse(StatusCode::OK, description)
}

#[derive(Serialize)]
pub(super) struct KeyPair {
    primary: Credentials,
    secondary: Credentials,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credentials {
    access_key: String,
    connection_string: String,
    https_connection_string: String,
}

impl Credentials {
    fn of(service: &Service, kind: AccessKeyKind) -> Self {
        let access_key = service.resource.access_keys.get(kind).key.as_base64().to_owned();
        let string = |scheme| connection_string(&service.addresses.endpoint(scheme), &access_key);
        Self {
            connection_string: string(Scheme::Http),
            https_connection_string: string(Scheme::Https),
            access_key,
        }
    }
}

/// `GET /_emulator/access-keys`
pub(super) async fn access_keys(State(service): State<Arc<Service>>) -> JsonResponse<KeyPair> {
    let pair = KeyPair {
        primary: Credentials::of(&service, AccessKeyKind::Primary),
        secondary: Credentials::of(&service, AccessKeyKind::Secondary),
    };
    JsonResponse(StatusCode::OK, pair)
}

/// `POST /_emulator/access-keys/{kind}/regenerate`
pub(super) async fn regenerate_access_key(
    State(service): State<Arc<Service>>,
    kind: std::result::Result<Path<AccessKeyKind>, PathRejection>,
) -> Result<Credentials> {
    let Ok(Path(kind)) = kind else {
        return Err(ServiceError::not_found());
    };
    let resource = &service.resource;
    let receipt = resource.access_keys.regenerate(kind)?;
    resource.store.wait(receipt).await?;
    Ok(JsonResponse(StatusCode::OK, Credentials::of(&service, kind)))
}

#[derive(Serialize)]
pub(super) struct IdentityList {
    total: usize,
    /// The newest ones.
    identities: Vec<Identity>,
}

/// `GET /_emulator/identities`
pub(super) async fn identities(State(service): State<Arc<Service>>) -> JsonResponse<IdentityList> {
    let (total, newest) = service.resource.registry.newest(MAX_IDENTITIES);
    let identities = newest.into_iter().map(|id| Identity { id: id.to_string() }).collect();
    JsonResponse(StatusCode::OK, IdentityList { total, identities })
}

/// The most bytes of a state: some hundred thousand identities.
const MAX_STATE: usize = 16 * 1024 * 1024;

/// `GET /_emulator/state`
pub(super) async fn export(State(service): State<Arc<Service>>) -> JsonResponse<EmulatorState> {
    JsonResponse(StatusCode::OK, service.resource.export())
}

/// `PUT /_emulator/state`
pub(super) async fn import(
    State(service): State<Arc<Service>>,
    request: Request,
) -> std::result::Result<StatusCode, ServiceError> {
    let RequestBody(body) = RequestBody::read_at_most(MAX_STATE, request.into_body()).await?;
    let json = str::from_utf8(&body).map_err(|_| invalid("The state is not UTF-8."))?;
    let state: EmulatorState = json.parse().map_err(|error| refused(&error))?;
    let receipt = service.import(&state).map_err(|error| refused(&error))?;
    service.resource.store.wait(receipt).await?;
    info!("the state was imported");
    Ok(StatusCode::NO_CONTENT)
}

fn refused(error: &InvalidState) -> ServiceError {
    invalid(format!(
        r#"{error}. Send JSON such as {{"identities":[{{"id":"00000000-0000-0000-0000-000000000001"}}]}}."#
    ))
}

/// `POST /_emulator/reset`
pub(super) async fn reset(State(service): State<Arc<Service>>) -> std::result::Result<StatusCode, ServiceError> {
    service.reset().await?;
    info!("the emulator was reset");
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
pub(super) struct RequestList {
    requests: Vec<Numbered<RequestRecord>>,
}

/// `GET /_emulator/requests`
pub(super) async fn requests(State(service): State<Arc<Service>>) -> JsonResponse<RequestList> {
    let requests = service.request_log.requests();
    JsonResponse(StatusCode::OK, RequestList { requests })
}

#[derive(Serialize)]
pub(super) struct RefusalList {
    refusals: Vec<Numbered<RequestRecord>>,
}

/// `GET /_emulator/refusals`
pub(super) async fn refusals(State(service): State<Arc<Service>>) -> JsonResponse<RefusalList> {
    let refusals = service.request_log.refusals();
    JsonResponse(StatusCode::OK, RefusalList { refusals })
}
