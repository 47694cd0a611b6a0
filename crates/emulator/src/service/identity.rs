//! Identities in responses.

use crate::tokens::AccessToken;
use serde::Serialize;

/// An identity, of which the service returns the id alone.
#[derive(Serialize)]
pub(crate) struct Identity {
    pub(crate) id: String,
}

/// An identity, and its token if one was asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentityAndToken {
    pub(super) identity: Identity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_token: Option<AccessToken>,
}
