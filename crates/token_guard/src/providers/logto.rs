//! Logto.

use crate::{builder::TokenGuardBuilder, token::audience::AudienceRule};

/// Which of Logto's permission models an API uses ([its documentation](https://docs.logto.io/authorization)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogtoPermissions {
    /// Permissions of an API for everybody: the audience is the API resource's indicator, and a token for an organisation
    /// is refused.
    GlobalApi {
        /// The indicator of the API resource, as registered.
        resource: String,
    },
    /// Permissions of an organisation, apart from any API: the audience is the organisation. A handler asks with
    /// [`Caller::require_organization`](crate::Caller::require_organization) whether it is the right one.
    Organization,
    /// Permissions of an API within an organisation: the audience is the API resource's indicator, and the token has to
    /// be for an organisation. A handler asks with
    /// [`Caller::require_organization`](crate::Caller::require_organization) whether it is the right one.
    OrganizationApi {
        /// The indicator of the API resource, as registered.
        resource: String,
    },
}

/// The builder for tokens of the Logto service at `endpoint`, such as `https://contoso.logto.app`.
pub(crate) fn builder(endpoint: &str, permissions: LogtoPermissions) -> TokenGuardBuilder {
    let audience = match permissions {
        LogtoPermissions::GlobalApi { resource } => AudienceRule::Global(vec![resource]),
        LogtoPermissions::Organization => AudienceRule::Organization,
        LogtoPermissions::OrganizationApi { resource } => AudienceRule::OrganizationApi(vec![resource]),
    };
    TokenGuardBuilder::new(format!("{}/oidc", endpoint.trim_end_matches('/')), audience)
}
