//! Whom a token is for.

use crate::error::{Denial, GuardError, TokenFault};

/// What Logto puts in front of the id of an organisation, in the audience of a token for its own permissions.
const ORGANIZATION: &str = "urn:logto:organization:";

/// Which audiences and organisations are accepted.
#[derive(Clone, Debug)]
pub(crate) enum AudienceRule {
    /// One of these, whatever the organisation.
    Any(Vec<String>),
    /// One of these, and no organisation.
    Global(Vec<String>),
    /// One of these, and an organisation.
    OrganizationApi(Vec<String>),
    /// An organisation itself.
    Organization,
}

impl AudienceRule {
    /// Whether there is nothing that a token could be for, or an audience without a name.
    pub(crate) fn has_empty(&self) -> bool {
        match self {
            Self::Any(accepted) | Self::Global(accepted) | Self::OrganizationApi(accepted) => {
                accepted.is_empty() || accepted.iter().any(String::is_empty)
            }
            Self::Organization => false,
        }
    }

    /// The organisation that a token with these claims is for. Where a token for another audience is forbidden rather
    /// than invalid, it gets a 403.
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
                let id = audience.strip_prefix(ORGANIZATION).filter(|id| !id.is_empty());
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
