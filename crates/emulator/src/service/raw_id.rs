//! Ids of identities in paths.

use crate::{
    identities::{Access, IdentityId},
    resource::Resource,
    service::{ServiceError, authentication::explained, path},
    storage::Ticket,
};
use axum::extract::FromRequestParts;
use http::{StatusCode, request::Parts};
use std::convert::Infallible;
use uuid::Uuid;

/// The id in the path, percent-decoded; empty if that is not UTF-8.
pub(super) struct RawId(String);

impl<S: Send + Sync> FromRequestParts<S> for RawId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(path::parameter(parts, "id")))
    }
}

impl RawId {
    /// The id as one of the resource's identities, which need not exist.
    pub(super) fn parse(&self, resource: &Resource) -> Result<IdentityId, ServiceError> {
        let reason = match IdentityId::parse(&self.0) {
            Some(id) if id.resource == resource.id => return Ok(id),
            Some(id) => format!(
                "the id is one of the resource {}, and this emulator's resource is {}. Use an id that was created here. \
                 Ids of an earlier run contain the id of that run's resource, unless `--data` or `--resource-id` keeps it.",
                id.resource, resource.id
            ),
            None if is_assigned_user(&self.0) => {
                "the id is that of an assigned user, not of an identity. Let the users exchange their own tokens, and \
                 delete the assignment to end their access."
                    .to_owned()
            }
            None => {
                "the path does not contain the id of an identity, which is `8:acs:<resource>_<user>` with two GUIDs in \
                     lower case. Send the id as it was returned, percent-encoded once at most."
                    .to_owned()
            }
        };
        Err(not_owned(resource, &reason))
    }
}

/// What the registry has of an identity; `None` if there is no such identity.
pub(super) async fn existing<T>(resource: &Resource, found: Option<T>) -> Result<T, ServiceError> {
    if found.is_none() {
        resource.store.wait_for_all().await?;
    }
    found.ok_or_else(|| {
        let reason = "it was deleted, or never created here. Create an identity, and use its id. `--data` keeps the \
                      identities of earlier runs.";
        not_owned(resource, reason)
    })
}

/// The answer to an operation on an identity that answers without a body, once its change is kept; `None` if there is
/// no such identity.
pub(super) async fn owned(resource: &Resource, changed: Option<Ticket>) -> Result<StatusCode, ServiceError> {
    let changed = existing(resource, changed).await?;
    resource.store.wait(changed).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_owned(resource: &Resource, reason: &str) -> ServiceError {
    explained(
        ServiceError::identity_not_owned().because_of("identity", reason),
        resource,
    )
}

fn is_assigned_user(id: &str) -> bool {
    let skype_id = id.strip_prefix("8:").unwrap_or_default();
    let mut parts = skype_id.split(['_', ':']).skip(1);
    Access::of_skype_id(skype_id).is_some() && parts.all(|part| part == "wf" || Uuid::try_parse(part).is_ok())
}
