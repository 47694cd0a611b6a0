//! Whose identity and tokens are asked for.

use crate::error::ApiError;
use axum::http::StatusCode;
use std::fmt::{self, Debug, Formatter};
use token_guard::Caller;

/// How users are told apart, by claims of their tokens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum UserNaming {
    /// By `sub`, within the issuer. For any issuer.
    #[default]
    Subject,
    /// By `tid` and `oid`, as `sub` is another one for each application. For Entra ID alone: other issuers may let users
    /// choose what stands in these claims, and so become somebody else.
    EntraObject,
}

/// A user of the app. `Debug` shows nothing of it.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct AppUser(String);

impl UserNaming {
    /// The user that a caller is.
    pub(crate) fn user(self, caller: &Caller) -> Result<AppUser, ApiError> {
        match self {
            Self::Subject => {
                let issuer = caller
                    .claim("iss")
                    .and_then(|issuer| issuer.as_str())
                    .unwrap_or_default();
                Ok(AppUser(format!("{issuer} {}", caller.subject())))
            }
            Self::EntraObject => {
                let tenant_id = caller.tenant_id().filter(|id| !id.is_empty());
                let ids = tenant_id.zip(self.object_id(caller));
                let (tenant_id, object_id) = ids.ok_or_else(|| {
                    let message = "the caller is not a user of Entra ID: their token has no tid or no oid";
                    ApiError::new(StatusCode::FORBIDDEN, "not_an_entra_user", message)
                })?;
                Ok(AppUser(format!("{tenant_id} {object_id}")))
            }
        }
    }

    /// The caller's `oid`, where it can be believed.
    pub(crate) fn object_id(self, caller: &Caller) -> Option<&str> {
        match self {
            Self::Subject => None,
            Self::EntraObject => caller.object_id().filter(|id| !id.is_empty()),
        }
    }
}

impl AppUser {
    /// A user by their id.
    #[cfg(test)]
    pub(crate) fn stored(id: String) -> Self {
        Self(id)
    }

    /// What is stored.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Debug for AppUser {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("AppUser")
    }
}
