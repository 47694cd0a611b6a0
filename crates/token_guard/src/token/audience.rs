//! The audience of a token, and the organization that it is for.

use crate::error::{Denial, GuardError, TokenFault};

/// The beginning of the audience of a Logto token for an organization's permissions. The id of the organization follows.
const ORGANIZATION_PREFIX: &str = "urn:logto:organization:";

/// The accepted audiences and organizations.
#[derive(Clone, Debug)]
pub(crate) enum AudienceRule {
    /// One of these audiences, with or without an organization.
    Any(Vec<String>),
    /// One of these audiences, and no organization.
    Global(Vec<String>),
    /// One of these audiences, and an organization.
    OrganizationApi(Vec<String>),
    /// An organization as the only audience.
    Organization,
}

impl AudienceRule {
    /// Returns whether there is no audience, or an empty one.
    pub(crate) fn has_empty(&self) -> bool {
        match self {
            Self::Any(accepted) | Self::Global(accepted) | Self::OrganizationApi(accepted) => {
                accepted.is_empty() || accepted.iter().any(String::is_empty)
            }
            Self::Organization => false,
        }
    }

    /// Checks `aud`, and returns the organization of the token. `forbid` makes another audience a 403 instead of a 401.
    pub(crate) fn organization(
        &self,
        audiences: &[String],
        organization_id: Option<&str>,
        forbid: bool,
    ) -> Result<Option<String>, GuardError> {
        let other_audience = || {
            if forbid {
                GuardError::from(Denial::Audience)
            } else {
                TokenFault::Audience.into()
            }
        };
        match self {
            Self::Any(accepted) | Self::Global(accepted) | Self::OrganizationApi(accepted) => {
                if !audiences.iter().any(|audience| accepted.contains(audience)) {
                    return Err(other_audience());
                }
            }
            Self::Organization => {
                let [audience] = audiences else {
                    return Err(other_audience());
                };
                let id = audience.strip_prefix(ORGANIZATION_PREFIX).filter(|id| !id.is_empty());
                let id = id.ok_or_else(other_audience)?;
                if organization_id.is_some_and(|claimed| claimed != id) {
                    return Err(Denial::Organization.into());
                }
                return Ok(Some(id.to_owned()));
            }
        }
        match (self, organization_id) {
            (Self::Global(_), Some(_)) | (Self::OrganizationApi(_), None | Some("")) => {
                Err(Denial::Organization.into())
            }
            (_, organization_id) => Ok(organization_id.map(str::to_owned)),
        }
    }
}
