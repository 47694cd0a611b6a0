//! Ids of identities in paths.

use crate::{
    identity_id::IdentityId,
    service::{ServiceError, path},
    store::{Store, Ticket},
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

/// The answer to an operation on an identity that answers without a body, once its change is kept; `None` if there is
/// no such identity.
pub(super) async fn owned(store: &Store, changed: Option<Ticket>) -> Result<StatusCode, ServiceError> {
    store
        .wait(changed.ok_or_else(ServiceError::identity_not_owned)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
