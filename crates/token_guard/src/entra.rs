//! Microsoft Entra ID.

use crate::{
    builder::{Issuer, TokenGuardBuilder},
    error::{ConfigurationError, Denial, TokenFault},
    guard::TokenGuard,
    keys::VerifyingKey,
    token::{AudienceRule, Claims, Identity, IssuerRule, TokenType},
};
use std::sync::Arc;
use url::Url;
use uuid::Uuid;

/// The worldwide cloud.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// The host of Azure Government.
const GOVERNMENT_HOST: &str = "login.microsoftonline.us";

/// The issuer of tokens of version 1, and that of the cloud in China.
const V1_AUTHORITY: &str = "https://sts.windows.net";
const V1_AUTHORITY_CHINA: &str = "https://sts.chinacloudapi.cn";

/// The tenant in the issuer of documents and keys that all tenants share.
const ANY_TENANT: &str = "{tenantid}";

/// An API that is registered in Microsoft Entra ID.
///
/// Tokens of both versions are accepted. Their issuers are `https://sts.windows.net/{tenant}/` and
/// `https://login.microsoftonline.com/{tenant}/v2.0`. The token must be an
/// [access token](https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference): an id token for the
/// same registration is refused. A token without a scope and without a role gets a 403, because Entra ID issues tokens for an
/// API to every application of the tenant.
///
/// Scopes are the permissions that users have granted to an application. Roles can be those of an application that acts for
/// itself, but also a user's: add [`requiring_application`](TokenGuard::requiring_application) for an API of daemons.
///
/// # Examples
///
/// ```
/// use token_guard::{EntraApi, TokenGuard};
///
/// let api = EntraApi::new("11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000");
/// let guard = TokenGuard::entra(api).build()?.requiring_scopes(["access_as_user"]);
/// # Ok::<(), token_guard::ConfigurationError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EntraApi {
    directory: Directory,
    tenants: Vec<String>,
    client_id: String,
    audiences: Vec<String>,
    authority: String,
}

/// The product that issues the tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Directory {
    Workforce,
    ExternalId,
    B2c { policy: String },
}

impl EntraApi {
    /// Creates an API for the users and applications of one tenant.
    ///
    /// The audience of a token must be `client_id`, or `api://` followed by it.
    ///
    /// # Arguments
    ///
    /// * `tenant_id` - The id of the tenant, a GUID.
    /// * `client_id` - The application (client) id of the API's registration, a GUID.
    #[must_use]
    pub fn new(tenant_id: &str, client_id: &str) -> Self {
        Self {
            directory: Directory::Workforce,
            tenants: vec![tenant_id.to_owned()],
            client_id: client_id.to_owned(),
            audiences: Vec::new(),
            authority: AUTHORITY.to_owned(),
        }
    }

    /// Creates an API for the customers in an external tenant of
    /// [Entra External ID](https://learn.microsoft.com/entra/external-id/customers/overview-customers-ciam).
    ///
    /// The issuer of its tokens names the tenant by its id, also in the host:
    /// `https://{tenant}.ciamlogin.com/{tenant}/v2.0`.
    ///
    /// # Arguments
    ///
    /// * `authority` - The address of the tenant: `https://contoso.ciamlogin.com`, or a custom domain.
    /// * `tenant_id` - The id of the tenant, a GUID.
    /// * `client_id` - The application (client) id of the API's registration, a GUID.
    ///
    /// # Examples
    ///
    /// ```
    /// use token_guard::{EntraApi, TokenGuard};
    ///
    /// let (tenant, client) = ("11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000");
    /// let api = EntraApi::external_id("https://contoso.ciamlogin.com", tenant, client);
    /// let guard = TokenGuard::entra(api).build()?.requiring_scopes(["access_as_user"]);
    /// # Ok::<(), token_guard::ConfigurationError>(())
    /// ```
    #[must_use]
    pub fn external_id(authority: &str, tenant_id: &str, client_id: &str) -> Self {
        Self {
            directory: Directory::ExternalId,
            ..Self::new(tenant_id, client_id).authority(authority)
        }
    }

    /// Creates an API for the customers in a tenant of
    /// [Azure AD B2C](https://learn.microsoft.com/azure/active-directory-b2c/tokens-overview), with tokens of one policy.
    ///
    /// A token must name the policy, as `tfp` or `acr`, or in its issuer: another policy may ask less of a user. Join the
    /// guards of several policies with [`TokenGuard::any_of`].
    ///
    /// B2C writes the roles of applications among the scopes, so a scope does not show that a user granted it. Their tokens
    /// are those of applications for [`Caller::is_application`](crate::Caller::is_application) only if an
    /// [`application_claim`](TokenGuardBuilder::application_claim) says so.
    ///
    /// # Arguments
    ///
    /// * `authority` - The address of the tenant: `https://contoso.b2clogin.com`, or a custom domain.
    /// * `tenant_id` - The id of the tenant, a GUID.
    /// * `policy` - The user flow or custom policy, such as `B2C_1_signin`, in any case.
    /// * `client_id` - The application (client) id of the API's registration, a GUID.
    ///
    /// # Examples
    ///
    /// ```
    /// use token_guard::{EntraApi, TokenGuard};
    ///
    /// let (tenant, client) = ("11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000");
    /// let api = EntraApi::b2c("https://contoso.b2clogin.com", tenant, "B2C_1_signin", client);
    /// let guard = TokenGuard::entra(api).build()?.requiring_scopes(["access_as_user"]);
    /// # Ok::<(), token_guard::ConfigurationError>(())
    /// ```
    #[must_use]
    pub fn b2c(authority: &str, tenant_id: &str, policy: &str, client_id: &str) -> Self {
        Self {
            directory: Directory::B2c {
                policy: policy.to_owned(),
            },
            ..Self::new(tenant_id, client_id).authority(authority)
        }
    }

    /// Accepts the tokens of another tenant, too. Tokens of tenants that are not on the list are refused.
    #[must_use]
    pub fn allow_tenant(mut self, tenant_id: &str) -> Self {
        self.tenants.push(tenant_id.to_owned());
        self
    }

    /// Accepts another audience, too: an application ID URI of the registration, such as `https://contoso.com/api`.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.push(audience.to_owned());
        self
    }

    /// Sets the authority of a national cloud: `https://login.microsoftonline.us` or
    /// `https://login.partner.microsoftonline.cn`. Default: `https://login.microsoftonline.com`.
    #[must_use]
    pub fn authority(mut self, authority: &str) -> Self {
        authority.trim_end_matches('/').clone_into(&mut self.authority);
        self
    }

    /// Returns whether the tenant is in Azure Government.
    pub(crate) fn is_of_government(&self) -> bool {
        let authority = Url::parse(&self.authority);
        authority.is_ok_and(|authority| authority.domain() == Some(GOVERNMENT_HOST))
    }

    fn tenants(&self) -> Result<Tenants, ConfigurationError> {
        if self.directory != Directory::Workforce && self.tenants.len() > 1 {
            let reason = "must be the only one of External ID or B2C: join the guards of several with any_of";
            return Err(ConfigurationError::new(reason).of("the tenant"));
        }
        if matches!(&self.directory, Directory::B2c { policy } if policy.is_empty()) {
            return Err(ConfigurationError::new("is empty").of("the policy"));
        }
        let authority = Url::parse(&self.authority).ok();
        let domain = authority.as_ref().and_then(Url::domain).unwrap_or_default();
        let is_china = domain.rsplit('.').next() == Some("cn");
        let ids = self.tenants.iter().map(|id| guid(id, "a tenant id"));
        Ok(Tenants {
            directory: self.directory.clone(),
            ids: ids.collect::<Result<_, _>>()?,
            authority: self.authority.clone(),
            v1_authority: if is_china { V1_AUTHORITY_CHINA } else { V1_AUTHORITY },
        })
    }

    fn all_audiences(&self) -> Result<Vec<String>, ConfigurationError> {
        let client_id = guid(&self.client_id, "a client id")?;
        let mut audiences = vec![format!("api://{client_id}"), client_id];
        audiences.extend(self.audiences.iter().cloned());
        Ok(audiences)
    }
}

/// Parses a GUID in any of its forms, and returns it in the form of tokens.
pub(crate) fn guid(text: &str, setting: &'static str) -> Result<String, ConfigurationError> {
    let guid = Uuid::parse_str(text).map(|guid| guid.to_string());
    guid.map_err(|_| ConfigurationError::new("must be a GUID").of(setting))
}

impl TokenGuard {
    /// Creates a builder for tokens of Microsoft Entra ID, External ID or B2C.
    pub fn entra(api: EntraApi) -> TokenGuardBuilder {
        let (issuer, audiences) = match (api.tenants(), api.all_audiences()) {
            (Ok(tenants), Ok(audiences)) => (Ok(tenants.into_issuer()), audiences),
            // The error is that of `build`, which checks the audiences first.
            (Err(error), _) | (_, Err(error)) => (Err(error), vec![api.client_id]),
        };
        TokenGuardBuilder::new(issuer, AudienceRule::any(audiences))
            .token_type(TokenType::Jwt)
            .scope_claim("scp")
    }
}

/// The tenants whose tokens are accepted.
#[derive(Debug)]
struct Tenants {
    directory: Directory,
    ids: Vec<String>,
    authority: String,
    v1_authority: &'static str,
}

impl Tenants {
    /// Chooses the discovery document. The one for several tenants names an issuer with a
    /// [placeholder](https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer).
    fn into_issuer(self) -> Issuer {
        let (base, names) = match (self.ids.as_slice(), &self.directory) {
            ([only], Directory::B2c { policy }) => {
                (format!("{}/{only}/{policy}/v2.0", self.authority), self.issuers(only))
            }
            ([only], _) => (format!("{}/{only}/v2.0", self.authority), self.v2_issuers(only)),
            _ => (format!("{}/common/v2.0", self.authority), self.v2_issuers(ANY_TENANT)),
        };
        Issuer {
            base,
            names,
            rule: Arc::new(self),
        }
    }

    /// Returns the issuers of a tenant's tokens.
    fn issuers(&self, tenant: &str) -> Vec<String> {
        let mut issuers = self.v2_issuers(tenant);
        if !matches!(self.directory, Directory::B2c { .. }) {
            issuers.push(format!("{}/{tenant}/", self.v1_authority));
        }
        issuers
    }

    /// Returns the issuers of tokens of version 2. B2C writes the policy into the issuer for clients that follow OpenID
    /// Connect strictly.
    fn v2_issuers(&self, tenant: &str) -> Vec<String> {
        let authority = &self.authority;
        match &self.directory {
            Directory::Workforce => vec![format!("{authority}/{tenant}/v2.0")],
            Directory::ExternalId => vec![
                format!("https://{tenant}.ciamlogin.com/{tenant}/v2.0"),
                format!("{authority}/{tenant}/v2.0"),
            ],
            Directory::B2c { policy } => vec![
                format!("{authority}/{tenant}/v2.0/"),
                format!("{authority}/tfp/{tenant}/{policy}/v2.0/"),
                format!("{authority}/tfp/{tenant}/{}/v2.0/", policy.to_lowercase()),
            ],
        }
    }

    /// Checks that the token names its issuer's tenant, and that the key may sign for this tenant.
    fn check_tenant(&self, claims: &Claims, issuer: &str, key: &VerifyingKey) -> Result<(), TokenFault> {
        // Tokens of B2C have `tid` only if a policy adds it. Their issuer names the tenant.
        let tenant = if let (Directory::B2c { .. }, [only]) = (&self.directory, self.ids.as_slice()) {
            only
        } else {
            let claimed = claims.text("tid")?.ok_or(TokenFault::Issuer)?;
            self.ids.iter().find(|id| *id == claimed).ok_or(TokenFault::Issuer)?
        };
        if !self.issuers(tenant).iter().any(|accepted| accepted == issuer) {
            return Err(TokenFault::Issuer);
        }
        let key_issuer = key.issuer.as_ref().map(|issuer| issuer.replace(ANY_TENANT, tenant));
        let mut key_issuers = self.v2_issuers(tenant);
        if self.directory == Directory::ExternalId {
            key_issuers.push(format!("{AUTHORITY}/{tenant}/v2.0"));
        }
        if key_issuer.is_some_and(|issuer| !key_issuers.contains(&issuer)) {
            return Err(TokenFault::Issuer);
        }
        Ok(())
    }

    /// Checks that a token of B2C is of the policy.
    fn check_policy(&self, claims: &Claims, issuer: &str) -> Result<(), TokenFault> {
        let Directory::B2c { policy } = &self.directory else {
            return Ok(());
        };
        let claimed = claims.text_at("tfp").or_else(|| claims.text_at("acr"));
        let is_in_issuer = issuer.starts_with(&format!("{}/tfp/", self.authority));
        let is_of_policy = claimed.map_or(is_in_issuer, |claimed| claimed.eq_ignore_ascii_case(policy));
        is_of_policy.then_some(()).ok_or(TokenFault::Issuer)
    }
}

impl IssuerRule for Tenants {
    fn accepts(&self, issuer: &str) -> bool {
        self.ids
            .iter()
            .any(|tenant| self.issuers(tenant).iter().any(|accepted| accepted == issuer))
    }

    /// Distinguishes the policies of B2C, which share an issuer.
    fn may_be_of(&self, claims: &Claims, issuer: &str) -> bool {
        self.accepts(issuer) && self.check_policy(claims, issuer).is_ok()
    }

    fn names(&self) -> Vec<String> {
        self.ids.iter().flat_map(|tenant| self.issuers(tenant)).collect()
    }

    fn reads_application_claims(&self) -> bool {
        matches!(self.directory, Directory::B2c { .. })
    }

    fn identify(
        &self,
        standard: Identity,
        issuer: &str,
        claims: &Claims,
        key: &VerifyingKey,
    ) -> Result<Identity, TokenFault> {
        self.check_tenant(claims, issuer, key)?;
        self.check_policy(claims, issuer)?;
        // Access tokens of version 2 have `azp`, those of version 1 `appid`; id tokens have neither.
        let client_id = claims.text_at("azp").or_else(|| claims.text_at("appid"));
        let client_id = client_id.ok_or(TokenFault::NotAnAccessToken)?;
        // `idtyp` is an optional claim. Without it, only tokens of users have scopes, except in B2C.
        let is_application = match (&self.directory, claims.get("idtyp"), claims.get("scp")) {
            (Directory::B2c { .. }, None, _) => standard.is_application,
            (_, None, scopes) => scopes.is_none_or(|scopes| scopes == ""),
            (_, Some(kind), _) => kind == "app",
        };
        Ok(Identity {
            client_id: Some(client_id.to_owned()),
            is_application,
            ..standard
        })
    }

    fn check_permissions(&self, identity: &Identity) -> Result<(), Denial> {
        if identity.scopes.is_empty() && identity.roles.is_empty() {
            return Err(Denial::NoPermission);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_cloud_has_issuers_of_both_versions() {
        const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
        const AUTHORITIES: [&str; 3] = [
            "https://login.microsoftonline.com",
            "https://login.microsoftonline.us",
            "https://login.partner.microsoftonline.cn",
        ];
        // Of RFC 8037, appendix A.2.
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let key = VerifyingKey::from_json(&key).unwrap();
        let claims = Claims::from_json(json!({"tid": TENANT}).to_string().as_bytes()).unwrap();
        for (issuer, accepted) in [
            ("https://login.microsoftonline.com/{}/v2.0", [true, false, false]),
            ("https://login.microsoftonline.us/{}/v2.0", [false, true, false]),
            ("https://login.partner.microsoftonline.cn/{}/v2.0", [false, false, true]),
            ("https://sts.windows.net/{}/", [true, true, false]),
            ("https://sts.chinacloudapi.cn/{}/", [false, false, true]),
        ] {
            let issuer = issuer.replace("{}", TENANT);
            let outcomes = AUTHORITIES.map(|authority| {
                let api = EntraApi::new(TENANT, TENANT).authority(authority);
                let tenants = api.tenants().unwrap();
                tenants.check_tenant(&claims, &issuer, &key).is_ok()
            });
            assert_eq!(outcomes, accepted, "{issuer}");
        }
    }
}
