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
    tenants: Vec<String>,
    audiences: Vec<String>,
    authority: String,
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
            tenants: vec![tenant_id.to_owned()],
            audiences: vec![client_id.to_owned(), format!("api://{client_id}")],
            authority: AUTHORITY.to_owned(),
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

    fn tenants(&self) -> Result<Tenants, ConfigurationError> {
        let guid = |id: &String| {
            let guid = Uuid::parse_str(id).map(|id| id.to_string());
            guid.map_err(|_| ConfigurationError::new("must be a GUID").of("a tenant id"))
        };
        let authority = Url::parse(&self.authority).ok();
        let domain = authority.as_ref().and_then(Url::domain).unwrap_or_default();
        let is_china = domain.rsplit('.').next() == Some("cn");
        Ok(Tenants {
            ids: self.tenants.iter().map(guid).collect::<Result<_, _>>()?,
            authority: self.authority.clone(),
            v1_authority: if is_china {
                "https://sts.chinacloudapi.cn"
            } else {
                "https://sts.windows.net"
            },
        })
    }
}

impl TokenGuard {
    /// Creates a builder for tokens of Microsoft Entra ID.
    pub fn entra(api: EntraApi) -> TokenGuardBuilder {
        let issuer = api.tenants().map(Tenants::into_issuer);
        TokenGuardBuilder::new(issuer, AudienceRule::Any(api.audiences)).token_type(TokenType::Jwt)
    }
}

/// The tenants whose tokens are accepted.
#[derive(Debug)]
struct Tenants {
    ids: Vec<String>,
    authority: String,
    v1_authority: &'static str,
}

impl Tenants {
    /// Chooses the discovery document. The one for several tenants names an issuer with a
    /// [placeholder](https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer).
    fn into_issuer(self) -> Issuer {
        let (base, name) = match self.ids.as_slice() {
            [only] => (self.v2_issuer(only), self.v2_issuer(only)),
            _ => (self.v2_issuer("common"), self.v2_issuer("{tenantid}")),
        };
        Issuer {
            base,
            name,
            rule: Arc::new(self),
        }
    }

    fn is_issuer(&self, issuer: &str, tenant: &str) -> bool {
        issuer == self.v2_issuer(tenant) || issuer == format!("{}/{tenant}/", self.v1_authority)
    }

    fn v2_issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}/v2.0", self.authority)
    }

    /// Checks that the token names its issuer's tenant, and that the key may sign for this tenant.
    fn check_tenant(&self, tenant: Option<&str>, issuer: &str, key: &VerifyingKey) -> Result<(), TokenFault> {
        let tenant = tenant
            .filter(|tenant| self.ids.iter().any(|id| id == tenant))
            .ok_or(TokenFault::Issuer)?;
        if !self.is_issuer(issuer, tenant) {
            return Err(TokenFault::Issuer);
        }
        let key_issuer = key.issuer.as_ref().map(|issuer| issuer.replace("{tenantid}", tenant));
        if key_issuer.is_some_and(|issuer| issuer != self.v2_issuer(tenant)) {
            return Err(TokenFault::Issuer);
        }
        Ok(())
    }
}

impl IssuerRule for Tenants {
    fn accepts(&self, issuer: &str) -> bool {
        self.ids.iter().any(|tenant| self.is_issuer(issuer, tenant))
    }

    fn identify(
        &self,
        standard: Identity,
        issuer: &str,
        claims: &Claims,
        key: &VerifyingKey,
    ) -> Result<Identity, TokenFault> {
        self.check_tenant(claims.text("tid")?, issuer, key)?;
        let scopes = claims.words("scp")?;
        // Access tokens of version 2 have `azp`, those of version 1 `appid`; id tokens have neither.
        let client_id = match claims.text("azp")? {
            Some(client_id) => Some(client_id),
            None => claims.text("appid")?,
        };
        let client_id = client_id.ok_or(TokenFault::NotAnAccessToken)?;
        Ok(Identity {
            client_id: Some(client_id.to_owned()),
            // `idtyp` is an optional claim. Without it, only tokens of users have scopes.
            is_application: claims.text("idtyp")?.map_or(scopes.is_empty(), |kind| kind == "app"),
            scopes,
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
                tenants.check_tenant(Some(TENANT), &issuer, &key).is_ok()
            });
            assert_eq!(outcomes, accepted, "{issuer}");
        }
    }
}
