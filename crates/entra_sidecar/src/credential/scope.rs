//! Which API of the sidecar's configuration a scope is.

use crate::error::invalid_argument;
use azure_core::{Error, Result, Uuid, error::ErrorKind};

/// A scope that an Azure client asks for, and the API of the sidecar's configuration that has it.
///
/// The sidecar knows APIs by name, and by default takes no scopes from a request, so each scope is named an API here. The
/// token's audience has to be the resource of the scope, which is what precedes its last `/`, or one that is added.
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
    /// Names the API of a scope.
    ///
    /// # Arguments
    ///
    /// * `scope` - The scope, exactly as the client asks for it, such as `https://vault.azure.net/.default`.
    /// * `api_name` - The API's name in the sidecar's configuration (`DownstreamApis`).
    #[must_use]
    pub fn new(scope: impl Into<String>, api_name: impl Into<String>) -> Self {
        Self {
            scope: scope.into(),
            api_name: api_name.into(),
            audiences: Vec::new(),
        }
    }

    /// Accepts one more audience: tokens of version 2 name an API by its application id.
    ///
    /// # Arguments
    ///
    /// * `audience` - The claim `aud` of the token.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Whether a token with this audience is one for the scope.
    pub(super) fn accepts(&self, audience: &str) -> bool {
        let resource = match self.scope.rsplit_once('/') {
            Some((resource, _permission)) if resource.contains("://") || Uuid::parse_str(resource).is_ok() => resource,
            _ => &self.scope,
        };
        // Entra ID writes some resources with a slash at the end, whatever the scope has.
        let name = audience.trim_end_matches('/');
        let same = |expected: &str| !name.is_empty() && expected.trim_end_matches('/') == name;
        same(resource)
            || resource.strip_prefix("api://").is_some_and(same)
            || self.audiences.iter().any(|expected| expected == audience)
    }
}

/// The scopes of a credential.
#[derive(Debug)]
pub(super) struct ScopeMap(Vec<SidecarScope>);

impl ScopeMap {
    pub(super) fn new(scopes: impl IntoIterator<Item = SidecarScope>) -> Result<Self> {
        let scopes: Vec<SidecarScope> = scopes.into_iter().collect();
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
        let is_repeated = |(index, scope): (usize, &SidecarScope)| {
            scopes.iter().take(index).any(|earlier| earlier.scope == scope.scope)
        };
        if scopes.iter().enumerate().any(is_repeated) {
            return Err(invalid_argument(
                "a scope is named an API twice; which one it means is not clear",
            ));
        }
        Ok(Self(scopes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The one scope that is asked for, and its place.
    pub(super) fn find(&self, scopes: &[&str]) -> Result<(usize, &SidecarScope)> {
        let [asked] = scopes else {
            return Err(refused(
                "a token can be asked for with one scope only, such as https://vault.azure.net/.default",
            ));
        };
        let found = self.0.iter().enumerate().find(|(_, scope)| scope.scope == *asked);
        found.ok_or_else(|| {
            refused(format!(
                "the credential does not know the scope {}; name the API of the sidecar's configuration that has it with \
                 SidecarScope::new",
                one_line(asked)
            ))
        })
    }
}

/// A text from outside on one line of a bounded length.
fn one_line(text: &str) -> String {
    text.chars().take(200).filter(|c| !c.is_control()).collect()
}

fn refused(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::with_message(ErrorKind::Credential, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_audience_is_the_resource_of_the_scope_with_or_without_a_slash_or_one_that_is_named() {
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
            // An API without a URI is named by its application id.
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
    fn scopes_without_an_api_and_repeated_ones_are_refused() {
        assert!(ScopeMap::new([]).is_err());
        assert!(ScopeMap::new([SidecarScope::new("", "x")]).is_err());
        assert!(ScopeMap::new([SidecarScope::new("s", "")]).is_err());
        assert!(ScopeMap::new([SidecarScope::new("s", "x"), SidecarScope::new("s", "y")]).is_err());
        assert!(ScopeMap::new([SidecarScope::new("s", "x"), SidecarScope::new("t", "x")]).is_ok());
    }

    proptest! {
        #[test]
        fn an_audience_that_is_accepted_is_a_part_of_the_scope(
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
