//! `[issuer]`: the issuer of callers' tokens.

use super::{address, given::Given};
use reqwest::Client;
use token_guard::{ConfigurationError, EntraApi, LogtoPermissions, TokenGuard};
use uuid::Uuid;

const DIRECTORY: &str = "it is the id of your directory (tenant)";
const REGISTRATION: &str = "it is the application (client) id of this API's registration";

/// The issuer of callers' tokens, and the scope that it must grant.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    pub(crate) kind: IssuerKind,
    /// The scope that each caller needs.
    pub(crate) scope: Option<String>,
    /// Other addresses of the issuer, whose users are the same.
    pub(crate) aliases: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum IssuerKind {
    Oidc {
        url: String,
        audience: String,
    },
    Logto {
        url: String,
        audience: String,
    },
    Entra {
        tenant_id: String,
        client_id: String,
        /// The cloud, if it is not the worldwide one.
        authority: Option<String>,
        /// The application ID URI, if it is not `api://` and the client id.
        audience: Option<String>,
    },
}

impl Issuer {
    pub(super) fn of(given: &mut Given<'_>, http: &Client) -> Option<Self> {
        const KINDS: &str = "\"oidc\", \"logto\" or \"entra\"";
        if !given.has("issuer.kind") {
            given.missing(
                "issuer.kind",
                &format!("it is {KINDS}, for those who sign the tokens of your users"),
            );
        }
        let kind = match given.text("issuer.kind").as_deref() {
            Some("oidc") => Self::url(given, "the issuer, as its tokens have it in `iss`")
                .map(|(url, audience)| IssuerKind::Oidc { url, audience }),
            Some("logto") => Self::url(given, "your Logto endpoint, such as https://contoso.logto.app")
                .map(|(url, audience)| IssuerKind::Logto { url, audience }),
            Some("entra") => Self::entra(given),
            other => {
                if other.is_some() {
                    given.fault("issuer.kind", format!("has to be {KINDS}"));
                }
                // Without a kind, no key is missing, but the given ones can be wrong.
                Self::checked_url(given);
                checked_guid(given, "issuer.tenant_id", DIRECTORY);
                checked_guid(given, "issuer.client_id", REGISTRATION);
                None
            }
        };
        let issuer = Self {
            kind: kind?,
            scope: given.text("issuer.scope"),
            aliases: given.list("issuer.aliases").unwrap_or_default(),
        };
        if !issuer.check_aliases(given) {
            return None;
        }
        match issuer.guard(Some(http)) {
            Ok(_) => Some(issuer),
            Err(error) => {
                given.fault_of("[issuer]", error.to_string());
                None
            }
        }
    }

    /// The URL and the audience of an issuer.
    fn url(given: &mut Given<'_>, url_is: &str) -> Option<(String, String)> {
        for key in ["issuer.tenant_id", "issuer.client_id"] {
            if given.has(key) {
                given.fault(key, "is for issuer.kind = \"entra\" only; remove it");
            }
        }
        if !given.has("issuer.url") {
            given.missing("issuer.url", &format!("it is {url_is}"));
        }
        if !given.has("issuer.audience") {
            let reason = "it is this API's name at the issuer, as tokens have it in `aud`";
            given.missing("issuer.audience", reason);
        }
        let url = Self::checked_url(given);
        Some((url?, given.text("issuer.audience")?))
    }

    fn checked_url(given: &mut Given<'_>) -> Option<String> {
        let url = given.text("issuer.url")?;
        match address::secure_url(&url) {
            Ok(_) => Some(url),
            Err(reason) => {
                given.fault("issuer.url", reason);
                None
            }
        }
    }

    fn entra(given: &mut Given<'_>) -> Option<IssuerKind> {
        let authority = given.has("issuer.url").then(|| Self::checked_url(given));
        let tenant_id = guid(given, "issuer.tenant_id", DIRECTORY);
        let client_id = guid(given, "issuer.client_id", REGISTRATION);
        Some(IssuerKind::Entra {
            tenant_id: tenant_id?,
            client_id: client_id?,
            authority: match authority {
                Some(authority) => Some(authority?),
                None => None,
            },
            audience: given.text("issuer.audience"),
        })
    }

    /// Checks the aliases. Returns `false` after a fault.
    fn check_aliases(&self, given: &mut Given<'_>) -> bool {
        const ALIASES: &str = "issuer.aliases";
        if matches!(self.kind, IssuerKind::Entra { .. }) && !self.aliases.is_empty() {
            let reason = "is for issuers of the kinds \"oidc\" and \"logto\" only; remove it, as the users of Entra ID have \
                          no issuer in their ids";
            given.fault(ALIASES, reason);
            return false;
        }
        if let Some(reason) = self.aliases.iter().find_map(|alias| address::secure_url(alias).err()) {
            given.fault(ALIASES, reason);
            return false;
        }
        true
    }

    /// Returns the issuer and its aliases, as tokens have them in `iss`, if it has aliases.
    pub(crate) fn names(&self) -> Option<(String, Vec<String>)> {
        let (url, name): (_, fn(&String) -> String) = match &self.kind {
            IssuerKind::Oidc { url, .. } => (url, String::clone),
            IssuerKind::Logto { url, .. } => (url, |endpoint| format!("{}/oidc", endpoint.trim_end_matches('/'))),
            IssuerKind::Entra { .. } => return None,
        };
        let names = || (name(url), self.aliases.iter().map(name).collect());
        (!self.aliases.is_empty()).then(names)
    }

    /// Builds the guard, which asks the issuer with this client or else builds one. It accepts tokens of all aliases.
    pub(crate) fn guard(&self, http: Option<&Client>) -> Result<TokenGuard, ConfigurationError> {
        let guard = self.guard_of(&self.kind, http)?;
        let alias = |alias: &String| {
            let (alias, mut kind) = (alias.clone(), self.kind.clone());
            if let IssuerKind::Oidc { url, .. } | IssuerKind::Logto { url, .. } = &mut kind {
                *url = alias;
            }
            self.guard_of(&kind, http)
        };
        let mut aliases: Vec<_> = self.aliases.iter().map(alias).collect::<Result<_, _>>()?;
        if aliases.is_empty() {
            return Ok(guard);
        }
        aliases.insert(0, guard);
        Ok(TokenGuard::any_of(aliases))
    }

    fn guard_of(&self, kind: &IssuerKind, http: Option<&Client>) -> Result<TokenGuard, ConfigurationError> {
        let mut builder = match kind {
            IssuerKind::Oidc { url, audience } => TokenGuard::builder(url, [audience]),
            IssuerKind::Logto { url, audience } => {
                let resource = audience.clone();
                TokenGuard::logto(url, LogtoPermissions::GlobalApi { resource })
            }
            IssuerKind::Entra {
                tenant_id,
                client_id,
                authority,
                audience,
            } => {
                let mut api = EntraApi::new(tenant_id, client_id);
                if let Some(authority) = authority {
                    api = api.authority(authority);
                }
                if let Some(audience) = audience {
                    api = api.audience(audience);
                }
                TokenGuard::entra(api)
            }
        };
        if let Some(http) = http {
            builder = builder.http_client(http.clone());
        }
        let guard = builder.build()?;
        Ok(match &self.scope {
            Some(scope) => guard.requiring_scopes([scope]),
            None => guard,
        })
    }
}

/// A GUID that has to be given.
pub(super) fn guid(given: &mut Given<'_>, key: &str, reason: &str) -> Option<String> {
    if !given.has(key) {
        given.missing(key, reason);
    }
    checked_guid(given, key, reason)
}

/// A GUID, if it is given and right.
fn checked_guid(given: &mut Given<'_>, key: &str, reason: &str) -> Option<String> {
    let id = given.text(key)?;
    if Uuid::parse_str(&id).is_err() {
        given.fault(key, format!("has to be a GUID: {reason}"));
        return None;
    }
    Some(id)
}
