//! Logto.

use crate::{
    builder::{Issuer, TokenGuardBuilder},
    guard::TokenGuard,
    token::AudienceRule,
};

/// The permission model of an API that is protected with Logto.
///
/// Logto's [documentation](https://docs.logto.io/authorization) describes the models.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogtoPermissions {
    /// Permissions of an API that all organizations share. The audience is the indicator of the API resource. A token for an
    /// organization is refused.
    GlobalApi {
        /// The indicator of the API resource, as registered.
        resource: String,
    },
    /// Permissions of an organization, for no API resource. The audience is the organization. Check in the handler, with
    /// [`Caller::require_organization`](crate::Caller::require_organization), that it is the right one.
    Organization,
    /// Permissions of an API within an organization. The audience is the indicator of the API resource, and the token must
    /// be for an organization. Check in the handler, with
    /// [`Caller::require_organization`](crate::Caller::require_organization), that it is the right one.
    OrganizationApi {
        /// The indicator of the API resource, as registered.
        resource: String,
    },
}

impl TokenGuard {
    /// Creates a builder for tokens of Logto.
    ///
    /// With [`LogtoPermissions::Organization`] and [`LogtoPermissions::OrganizationApi`], a token for *any* organization of
    /// the tenant is accepted. Require the right one with [`requiring_organization`](Self::requiring_organization), or in a
    /// handler with [`Caller::require_organization`](crate::Caller::require_organization).
    ///
    /// # Arguments
    ///
    /// * `endpoint` - The endpoint of the Logto tenant without `/oidc`, such as `https://contoso.logto.app`.
    /// * `permissions` - The permission model of the API.
    ///
    /// # Examples
    ///
    /// ```
    /// use token_guard::{LogtoPermissions, TokenGuard};
    ///
    /// let resource = "https://api.contoso.com".to_owned();
    /// let guard = TokenGuard::logto("https://contoso.logto.app", LogtoPermissions::GlobalApi { resource }).build()?;
    /// let readers = guard.requiring_scopes(["read:messages"]);
    /// # Ok::<(), token_guard::ConfigurationError>(())
    /// ```
    pub fn logto(endpoint: &str, permissions: LogtoPermissions) -> TokenGuardBuilder {
        let audience = match permissions {
            LogtoPermissions::GlobalApi { resource } => AudienceRule::Global(vec![resource]),
            LogtoPermissions::Organization => AudienceRule::Organization,
            LogtoPermissions::OrganizationApi { resource } => AudienceRule::OrganizationApi(vec![resource]),
        };
        let issuer = format!("{}/oidc", endpoint.trim_end_matches('/'));
        TokenGuardBuilder::new(Ok(Issuer::standard(issuer)), audience)
    }
}
