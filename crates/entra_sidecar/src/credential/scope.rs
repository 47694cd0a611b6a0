//! The scopes of a credential, and their APIs in the sidecar's configuration.

use crate::error::invalid_argument;
use azure_core::{Result, Uuid};

/// A scope that an Azure client requests, and its API in the sidecar's configuration.
///
/// The sidecar knows APIs by name, and by default accepts no scopes from a request. The token's audience must be the resource of
/// the scope, which is the part before its last `/`, or an [added one](Self::audience).
///
/// # Examples
///
/// ```
/// use entra_sidecar::SidecarScope;
///
/// // `DownstreamApis__Acs__Scopes__0=https://communication.azure.com/.default` and
/// // `DownstreamApis__Acs__RequestAppToken=true`.
/// let scope = SidecarScope::new("https://communication.azure.com//.default", "Acs");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidecarScope {
    pub(super) scope: String,
    pub(super) api_name: String,
    pub(super) audiences: Vec<String>,
}

impl SidecarScope {
    /// Creates a scope with the name of its API.
    ///
    /// # Arguments
    ///
    /// * `scope` - The scope, exactly as the client requests it, such as `https://vault.azure.net/.default`.
    /// * `api_name` - The API's name in the sidecar's configuration (`DownstreamApis`).
    #[must_use]
    pub fn new(scope: impl Into<String>, api_name: impl Into<String>) -> Self {
        Self {
            scope: scope.into(),
            api_name: api_name.into(),
            audiences: Vec::new(),
        }
    }

    /// Adds an accepted audience. Tokens of version 2 name an API by its application ID.
    ///
    /// # Arguments
    ///
    /// * `audience` - The claim `aud` of the token.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Returns whether a token with this audience is for the scope.
    pub(super) fn accepts(&self, audience: &str) -> bool {
        let resource = match self.scope.rsplit_once('/') {
            Some((resource, _permission)) if resource.contains("://") || Uuid::parse_str(resource).is_ok() => resource,
            _ => &self.scope,
        };
        // Entra ID writes some resources with a slash at the end, also if the scope has none.
        let name = audience.trim_end_matches('/');
        let same = |expected: &str| !name.is_empty() && expected.trim_end_matches('/') == name;
        same(resource)
            || resource.strip_prefix("api://").is_some_and(same)
            || self.audiences.iter().any(|expected| expected == audience)
    }
}

/// Refuses a list of scopes in which one is missing or ambiguous.
pub(super) fn check_scopes(scopes: &[SidecarScope]) -> Result<()> {
    if scopes.is_empty() {
        return Err(invalid_argument(
            "there is no scope; name the API of each that clients ask for",
        ));
    }
    if scopes
        .iter()
        .any(|scope| scope.scope.is_empty() || scope.api_name.is_empty())
    {
        return Err(invalid_argument("a scope is empty, or the name of its API is"));
    }
    let is_repeated =
        |(index, scope): (usize, &SidecarScope)| scopes.iter().take(index).any(|earlier| earlier.scope == scope.scope);
    if scopes.iter().enumerate().any(is_repeated) {
        return Err(invalid_argument(
            "a scope is named an API twice; which one it means is not clear",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn audiences_are_resources_of_scopes_or_added() {
        for (scope, audience, accepted) in [
            ("https://vault.azure.net/.default", "https://vault.azure.net", true),
            ("https://vault.azure.net/.default", "https://vault.azure.net/", true),
            (
                "https://communication.azure.com//.default",
                "https://communication.azure.com",
                true,
            ),
            (
                "https://communication.azure.com//.default",
                "https://communication.azure.com/",
                true,
            ),
            (
                "https://storage.azure.com/user_impersonation",
                "https://storage.azure.com",
                true,
            ),
            ("https://storage.azure.com", "https://storage.azure.com", true),
            ("api://2f0b/.default", "api://2f0b", true),
            ("api://2f0b/.default", "2f0b", true),
            // An API without a URI is named by its application ID.
            (
                "7f1f4c1e-0d4e-4f8e-9a53-3f2f5f0c9a11/.default",
                "7f1f4c1e-0d4e-4f8e-9a53-3f2f5f0c9a11",
                true,
            ),
            (
                "7f1f4c1e-0d4e-4f8e-9a53-3f2f5f0c9a11/.default",
                "8f1f4c1e-0d4e-4f8e-9a53-3f2f5f0c9a11",
                false,
            ),
            ("2f0b/.default", "2f0b", false),
            ("/", "", false),
            ("api:///.default", "/", false),
            ("https://vault.azure.net/.default", "https://storage.azure.com", false),
            (
                "https://vault.azure.net/.default",
                "https://vault.azure.net.evil.com",
                false,
            ),
            ("https://vault.azure.net/.default", "vault.azure.net", false),
            ("https://vault.azure.net/.default", "", false),
            ("https://vault.azure.net/.default", "2f0b", false),
            ("https://vault.azure.net/.default", "https:", false),
            ("User.Read", "https://graph.microsoft.com", false),
        ] {
            assert_eq!(
                SidecarScope::new(scope, "x").accepts(audience),
                accepted,
                "{scope} {audience}"
            );
        }
        let scope = SidecarScope::new("https://vault.azure.net/.default", "x").audience("2f0b");
        assert!(scope.accepts("2f0b") && scope.accepts("https://vault.azure.net"));
    }

    #[test]
    fn missing_and_repeated_scopes_are_refused() {
        assert!(check_scopes(&[]).is_err());
        assert!(check_scopes(&[SidecarScope::new("", "x")]).is_err());
        assert!(check_scopes(&[SidecarScope::new("s", "")]).is_err());
        assert!(check_scopes(&[SidecarScope::new("s", "x"), SidecarScope::new("s", "y")]).is_err());
        assert!(check_scopes(&[SidecarScope::new("s", "x"), SidecarScope::new("t", "x")]).is_ok());
    }

    proptest! {
        #[test]
        fn accepted_audiences_are_parts_of_scopes(
            scope in "(https://|api://|[0-9a-f]{8}/)?[a-c./]{0,6}(/.default)?|.*",
            audience in "(https://|api://)?[a-c./]{0,6}|.*",
        ) {
            let audience = audience.as_str();
            if SidecarScope::new(&scope, "x").accepts(audience) {
                let name = audience.trim_end_matches('/');
                prop_assert!(!name.is_empty() && scope.contains(name), "{} {}", scope, audience);
            }
        }
    }
}
