//! Users and their ids.

use std::fmt::{self, Debug, Display, Formatter};
use token_guard::Caller;

/// The longest id, in bytes. A key of a PostgreSQL index, of which one holds an id and the names of scopes, has at most 2704
/// bytes. A subject has at most 255 characters (OpenID Connect Core 1.0, section 2), and a tenant's and an object's id have
/// 73 together.
pub(crate) const MAX_USER_ID_BYTES: u16 = 512;

/// The claims of a token that identify its user.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum UserIdClaims {
    /// `iss` and `sub`. For any issuer.
    #[default]
    Subject,
    /// `tid` and `oid`, the same in every application, unlike `sub`. For Entra ID only: another issuer may let users choose
    /// these claims, and so impersonate others.
    EntraObject,
}

/// An issuer and its other names, which share their users.
#[derive(Clone, Debug, Default)]
pub(crate) struct IssuerAliases {
    pub(crate) issuer: String,
    pub(crate) aliases: Vec<String>,
}

impl IssuerAliases {
    /// Returns the name under which the users of an issuer are known.
    fn name<'a>(&'a self, issuer: &'a str) -> &'a str {
        if self.aliases.iter().any(|alias| alias == issuer) {
            &self.issuer
        } else {
            issuer
        }
    }

    /// Returns the id by which a user is known, from an id with any name of the issuer.
    pub(crate) fn known_id(&self, id: &str) -> String {
        match id.split_once(' ') {
            Some((issuer, subject)) => format!("{} {subject}", self.name(issuer)),
            None => id.to_owned(),
        }
    }
}

/// The id of a user: the text by which this service distinguishes users, made of claims of their tokens. `Debug` hides it.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct UserId(String);

/// A user of Entra ID.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct EntraUser<'a> {
    pub(crate) tenant_id: &'a str,
    pub(crate) object_id: &'a str,
}

/// A caller's token that identifies no user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum UserIdError {
    /// The token lacks `tid` or `oid`.
    NotEntraUser,
    /// The id is too long or contains a NUL character, which PostgreSQL does not store.
    Invalid,
}

impl UserIdClaims {
    /// Returns the id of the user who is calling.
    pub(crate) fn user_id(self, caller: &Caller, aliases: &IssuerAliases) -> Result<UserId, UserIdError> {
        match self {
            Self::Subject => {
                let issuer = caller.claim("iss").and_then(|issuer| issuer.as_str());
                let issuer = aliases.name(issuer.unwrap_or_default());
                UserId::new(format!("{issuer} {}", caller.subject()))
            }
            Self::EntraObject => {
                let EntraUser { tenant_id, object_id } = self.entra_user(caller).ok_or(UserIdError::NotEntraUser)?;
                UserId::new(format!("{tenant_id} {object_id}"))
            }
        }
    }

    /// Returns the caller's `tid` and `oid`, if the issuer can be trusted with them.
    pub(crate) fn entra_user(self, caller: &Caller) -> Option<EntraUser<'_>> {
        match self {
            Self::Subject => None,
            Self::EntraObject => Some(EntraUser {
                tenant_id: caller.tenant_id().filter(|id| !id.is_empty())?,
                object_id: caller.object_id().filter(|id| !id.is_empty())?,
            }),
        }
    }
}

impl UserId {
    pub(crate) fn new(id: String) -> Result<Self, UserIdError> {
        if id.len() > usize::from(MAX_USER_ID_BYTES) || id.contains('\0') {
            return Err(UserIdError::Invalid);
        }
        Ok(Self(id))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for UserIdError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEntraUser => f.write_str("the caller is not a user of Entra ID: their token has no tid or no oid"),
            Self::Invalid => write!(
                f,
                "the caller's token identifies its user by more than {MAX_USER_ID_BYTES} bytes, or with a NUL character"
            ),
        }
    }
}

impl Debug for UserId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("UserId")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_ids_are_refused_without_showing_them() {
        for id in ["secret".repeat(86), "sec\0ret".to_owned()] {
            let error = UserId::new(id).unwrap_err();
            assert_eq!(error, UserIdError::Invalid);
            assert!(!format!("{error} {error:?}").contains("sec"), "{error:?}");
            assert!(error.to_string().contains("512 bytes"), "{error}");
        }
        let longest = UserId::new("a".repeat(512)).unwrap();
        assert_eq!(format!("{longest:?}"), "UserId");
    }
}
