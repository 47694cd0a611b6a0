//! The access keys and their connection strings.

use super::Result;
use crate::{
    auth::AccessKeyKind,
    endpoint::{Endpoint, Scheme, connection_string},
    service::{Answer, ServiceError},
};
use axum::extract::{Path, State, rejection::PathRejection};
use http::StatusCode;
use serde::Serialize;

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
    fn of(endpoint: &Endpoint, kind: AccessKeyKind) -> Self {
        let access_key = endpoint.resource.access_keys.get(kind).key.as_base64().to_owned();
        let string = |scheme| connection_string(&endpoint.ports.endpoint(scheme), &access_key);
        Self {
            connection_string: string(Scheme::Http),
            https_connection_string: string(Scheme::Https),
            access_key,
        }
    }
}

/// `GET /_emulator/access-keys`
pub(super) async fn list(State(endpoint): State<Endpoint>) -> Answer<KeyPair> {
    let pair = KeyPair {
        primary: Credentials::of(&endpoint, AccessKeyKind::Primary),
        secondary: Credentials::of(&endpoint, AccessKeyKind::Secondary),
    };
    Answer(StatusCode::OK, pair)
}

/// `POST /_emulator/access-keys/{kind}/regenerate`
pub(super) async fn regenerate(
    State(endpoint): State<Endpoint>,
    kind: std::result::Result<Path<AccessKeyKind>, PathRejection>,
) -> Result<Credentials> {
    let Ok(Path(kind)) = kind else {
        return Err(ServiceError::not_found());
    };
    let changed = endpoint.resource.access_keys.regenerate(kind)?;
    endpoint.resource.store.wait(changed).await?;
    Ok(Answer(StatusCode::OK, Credentials::of(&endpoint, kind)))
}
