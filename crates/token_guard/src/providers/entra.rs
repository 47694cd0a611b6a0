//! Microsoft Entra ID.

use crate::{
    error::{ConfigurationError, TokenFault},
    keys::VerifyingKey,
    token::claims::{self, Claims},
};
use url::Url;
use uuid::Uuid;

/// The worldwide cloud.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// An API that is registered in Microsoft Entra ID.
///
/// Tokens of both versions are accepted, whichever the registration asks for: their issuers are
/// `https://sts.windows.net/{tenant}/` and `https://login.microsoftonline.com/{tenant}/v2.0`. A token has to be an
/// [access token](https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference); an id token for the
/// same registration is refused. It has to have a scope or a role, or it gets a 403: Entra ID gives tokens for an API to
/// every application of the tenant.
///
/// Scopes are what users have let an application do in their names. Roles can be those of an application that acts for
/// itself, but also a user's: ask for [`requiring_application`](crate::TokenGuard::requiring_application) where only daemons
/// are to call.
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
    /// An API for the users and applications of one tenant. Both ids are GUIDs; `client_id` is the API's own. The
    /// audience of a token is this id, or `api://` in front of it.
    #[must_use]
    pub fn new(tenant_id: &str, client_id: &str) -> Self {
        Self {
            tenants: vec![tenant_id.to_owned()],
            audiences: vec![client_id.to_owned(), format!("api://{client_id}")],
            authority: AUTHORITY.to_owned(),
        }
    }

    /// Lets another tenant in. Nobody else's tokens are accepted.
    #[must_use]
    pub fn allow_tenant(mut self, tenant_id: &str) -> Self {
        self.tenants.push(tenant_id.to_owned());
        self
    }

    /// Accepts another audience: an application ID URI of the registration, such as `https://contoso.com/api`.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.push(audience.to_owned());
        self
    }

    /// The cloud, if it is not the worldwide one: `https://login.microsoftonline.us` or
    /// `https://login.partner.microsoftonline.cn`.
    #[must_use]
    pub fn authority(mut self, authority: &str) -> Self {
        authority.trim_end_matches('/').clone_into(&mut self.authority);
        self
    }

    pub(crate) fn audiences(&self) -> Vec<String> {
        self.audiences.clone()
    }

    /// The tenants that are let in.
    pub(crate) fn tenants(&self) -> Result<Tenants, ConfigurationError> {
        let guid = |id: &String| {
            let guid = Uuid::parse_str(id).map(|id| id.to_string());
            guid.map_err(|_| ConfigurationError::new("must be a GUID").of("a tenant id"))
        };
        let authority = Url::parse(&self.authority).ok();
        let china = authority
            .as_ref()
            .and_then(Url::domain)
            .and_then(|domain| domain.rsplit('.').next())
            == Some("cn");
        Ok(Tenants {
            ids: self.tenants.iter().map(guid).collect::<Result<_, _>>()?,
            authority: self.authority.clone(),
            v1_authority: if china {
                "https://sts.chinacloudapi.cn"
            } else {
                "https://sts.windows.net"
            },
        })
    }
}

/// The tenants of Entra ID that are let in.
#[derive(Clone, Debug)]
pub(crate) struct Tenants {
    ids: Vec<String>,
    authority: String,
    v1_authority: &'static str,
}

impl Tenants {
    /// The issuer that the discovery document names, and the one that its address begins with. The documents for many
    /// tenants have a
    /// [placeholder](https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer).
    pub(crate) fn discovery(&self) -> (String, String) {
        match self.ids.as_slice() {
            [only] => (self.v2_issuer(only), self.v2_issuer(only)),
            _ => (self.v2_issuer("{tenantid}"), self.v2_issuer("common")),
        }
    }

    /// Checks that the issuer is the tenant that the token names, that this is let in, and that the key may sign for it.
    pub(crate) fn check(&self, issuer: &str, tenant: Option<&str>, key: &VerifyingKey) -> Result<(), TokenFault> {
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

    /// The application that got the token. Access tokens of version 2 have `azp`, those of version 1 `appid`; id tokens
    /// have neither.
    pub(crate) fn client_id(claims: &Claims) -> Result<String, TokenFault> {
        let client = match claims::text(claims, "azp")? {
            Some(client) => Some(client),
            None => claims::text(claims, "appid")?,
        };
        client.map(str::to_owned).ok_or(TokenFault::NotAnAccessToken)
    }

    /// Whether this is the issuer of one of the tenants.
    pub(crate) fn are_issuers(&self, issuer: &str) -> bool {
        self.ids.iter().any(|tenant| self.is_issuer(issuer, tenant))
    }

    fn is_issuer(&self, issuer: &str, tenant: &str) -> bool {
        issuer == self.v2_issuer(tenant) || issuer == format!("{}/{tenant}/", self.v1_authority)
    }

    fn v2_issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}/v2.0", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_cloud_has_its_own_issuers_of_both_versions() {
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
                api.tenants().unwrap().check(&issuer, Some(TENANT), &key).is_ok()
            });
            assert_eq!(outcomes, accepted, "{issuer}");
        }
    }
}
