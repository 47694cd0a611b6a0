//! Ids of identities in paths.

use crate::{identity_id::IdentityId, service::ServiceError};
use axum::extract::{FromRequestParts, Path};
use http::{StatusCode, request::Parts};

/// The id in the path, percent-decoded; empty if that is not UTF-8.
pub(super) struct RawId(String);

impl<S: Send + Sync> FromRequestParts<S> for RawId {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = Path::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(id)| id).unwrap_or_default()))
    }
}

impl RawId {
    pub(super) fn parse(&self) -> Result<IdentityId, ServiceError> {
        IdentityId::parse(&self.0).ok_or_else(ServiceError::identity_not_owned)
    }
}

/// The answer to an operation on an identity that answers without a body.
pub(super) fn owned(is_owned: bool) -> Result<StatusCode, ServiceError> {
    if is_owned {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ServiceError::identity_not_owned())
    }
}
