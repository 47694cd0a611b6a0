//! The audience of a token, and the organization that it is for.

use crate::{
    error::{Denial, GuardError, TokenFault},
    token::claims::Claims,
};

/// The beginning of the audience of a Logto token for an organization's permissions. The id of the organization follows.
const ORGANIZATION_PREFIX: &str = "urn:logto:organization:";

/// The accepted audiences and organizations.
#[derive(Clone, Debug)]
pub(crate) enum AudienceRule {
    /// One of these audiences, with or without an organization; or one of these clients in a token that has no audience.
    Any {
        audiences: Vec<String>,
        client_ids: Vec<String>,
    },
    /// One of these audiences, and no organization.
    Global(Vec<String>),
    /// One of these audiences, and an organization.
    OrganizationApi(Vec<String>),
    /// An organization as the only audience.
    Organization,
}

impl AudienceRule {
    pub(crate) fn any(audiences: Vec<String>) -> Self {
        Self::Any {
            audiences,
            client_ids: Vec::new(),
        }
    }

    /// Returns whether there is no audience, or an empty one.
    pub(crate) fn has_empty(&self) -> bool {
        match self {
            Self::Any { audiences, client_ids } => {
                let mut accepted = audiences.iter().chain(client_ids).peekable();
                accepted.peek().is_none() || accepted.any(String::is_empty)
            }
            Self::Global(accepted) | Self::OrganizationApi(accepted) => {
                accepted.is_empty() || accepted.iter().any(String::is_empty)
            }
            Self::Organization => false,
        }
    }

    /// Returns the accepted audiences, for a log.
    pub(crate) fn expected(&self) -> Vec<&str> {
        match self {
            Self::Any { audiences, .. } | Self::Global(audiences) | Self::OrganizationApi(audiences) => {
                audiences.iter().map(String::as_str).collect()
            }
            Self::Organization => vec![ORGANIZATION_PREFIX],
        }
    }

    /// Returns the clients that are accepted in place of an audience.
    pub(crate) fn client_ids(&self) -> &[String] {
        match self {
            Self::Any { client_ids, .. } => client_ids,
            _ => &[],
        }
    }

    /// Checks `aud`, and returns the organization of the token. `forbid` makes another audience a 403 instead of a 401.
    pub(crate) fn organization(&self, claims: &Claims, forbid: bool) -> Result<Option<String>, GuardError> {
        let audiences = claims.list("aud")?;
        let has_one_of = |accepted: &[String]| {
            let has_one = audiences.iter().any(|audience| accepted.contains(audience));
            has_one.then_some(()).ok_or_else(|| other_audience(forbid))
        };
        match self {
            // A client's id takes the place of an audience only in a token that names none: a token with an audience must
            // not be accepted by others (RFC 7519, section 4.1.3), and an id token always has one.
            Self::Any { client_ids, .. } if claims.get("aud").is_none() && !client_ids.is_empty() => {
                let client_id = claims.text_at("client_id");
                let is_listed = client_id.is_some_and(|id| client_ids.iter().any(|listed| listed == id));
                is_listed
                    .then(|| organization_of(claims))
                    .ok_or_else(|| other_audience(forbid))
            }
            Self::Any { audiences, .. } => {
                has_one_of(audiences)?;
                Ok(organization_of(claims))
            }
            Self::Global(audiences) => {
                has_one_of(audiences)?;
                match claims.get("organization_id") {
                    None => Ok(None),
                    Some(_) => Err(Denial::Organization.into()),
                }
            }
            Self::OrganizationApi(audiences) => {
                has_one_of(audiences)?;
                let id = organization_of(claims).filter(|id| !id.is_empty());
                Ok(Some(id.ok_or(Denial::Organization)?))
            }
            Self::Organization => {
                let [audience] = audiences.as_slice() else {
                    return Err(other_audience(forbid));
                };
                let id = audience.strip_prefix(ORGANIZATION_PREFIX).filter(|id| !id.is_empty());
                let id = id.ok_or_else(|| other_audience(forbid))?;
                if claims.get("organization_id").is_some_and(|claimed| claimed != id) {
                    return Err(Denial::Organization.into());
                }
                Ok(Some(id.to_owned()))
            }
        }
    }
}

fn organization_of(claims: &Claims) -> Option<String> {
    let id = claims.text("organization_id").ok().flatten();
    id.map(str::to_owned)
}

fn other_audience(forbid: bool) -> GuardError {
    if forbid {
        Denial::Audience.into()
    } else {
        TokenFault::Audience.into()
    }
}
