//! Identities in responses.

use crate::{registry::IdentityDetails, timestamp::WholeSeconds, tokens::AccessToken};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_token_issued_at: Option<WholeSeconds>,
}

impl Identity {
    /// An identity of which only the id is told.
    pub(super) fn of_id(id: String) -> Self {
        Self {
            id,
            custom_id: None,
            last_token_issued_at: None,
        }
    }
}

impl From<IdentityDetails> for Identity {
    fn from(details: IdentityDetails) -> Self {
        Self {
            id: details.id.to_string(),
            custom_id: details.custom_id,
            last_token_issued_at: details.last_token_issued_at.map(WholeSeconds),
        }
    }
}

/// An identity and a token of it, if one was asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentityAndToken {
    pub(super) identity: Identity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_token: Option<AccessToken>,
}
