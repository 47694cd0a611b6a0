//! Ids of identities in paths.

use crate::{
    identity_id::IdentityId,
    service::{ServiceError, path},
};
use axum::extract::FromRequestParts;
use http::{StatusCode, request::Parts};
use std::convert::Infallible;

/// The id in the path, percent-decoded; empty if that is not UTF-8.
pub(super) struct RawId(String);

impl<S: Send + Sync> FromRequestParts<S> for RawId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(path::parameter(parts, "id")))
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
