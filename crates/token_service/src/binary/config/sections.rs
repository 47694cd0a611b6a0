//! The sections and keys of the configuration, with their types.
//!
//! `docs/configuration.md` says what they mean; a test compares its table with these types.

use crate::logs::{self, LogFormat};
use azure_communication_identity::CommunicationTokenScope;
use client_core::host::is_loopback;
use serde::Deserialize;
use settings::{List, SecretText, Whole};
use std::{net::SocketAddr, path::PathBuf};
use url::Url;
use uuid::Uuid;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sections {
    pub(super) listen: Option<Address>,
    pub(super) operations_listen: Option<Address>,
    pub(super) allow_plain_http: Option<bool>,
    pub(super) tls: TlsSection,
    pub(super) acs: AcsSection,
    pub(super) database: DatabaseSection,
    pub(super) application: ApplicationSection,
    pub(super) issuer: IssuerSection,
    pub(super) other_issuers: Option<Vec<IssuerSection>>,
    pub(super) tokens: TokensSection,
    pub(super) teams: TeamsSection,
    pub(super) sidecar: SidecarSection,
    pub(super) admin: AdminSection,
    pub(super) cors: CorsSection,
    pub(super) limits: LimitsSection,
    pub(super) log: LogSection,
    pub(super) shutdown: ShutdownSection,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TlsSection {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AcsSection {
    pub(super) connection_string: Option<SecretText>,
    pub(super) connection_string_file: Option<PathBuf>,
    pub(super) endpoint: Option<SecureUrl>,
    pub(super) credential: Option<CredentialKind>,
    pub(super) managed_identity_client_id: Option<String>,
    pub(super) sidecar_api: Option<String>,
    // The limit of some operations is 500, of which each replica gets one at least.
    pub(super) replicas: Option<Whole<1, 500>>,
    pub(super) queue: Option<Whole<0, 100_000>>,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum CredentialKind {
    ManagedIdentity,
    WorkloadIdentity,
    Sidecar,
    ClientSecret,
    ClientCertificate,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DatabaseSection {
    pub(super) url: Option<SecretText>,
    pub(super) url_file: Option<PathBuf>,
    pub(super) credential: Option<DatabaseCredentialKind>,
    pub(super) managed_identity_client_id: Option<String>,
    pub(super) credential_scope: Option<String>,
    pub(super) max_connections: Option<Whole<1, 1000>>,
    pub(super) migrate: Option<bool>,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum DatabaseCredentialKind {
    ManagedIdentity,
    WorkloadIdentity,
    ClientSecret,
    ClientCertificate,
}

/// The service's own registration in Entra ID, for credentials with a secret or a certificate.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ApplicationSection {
    pub(super) tenant_id: Option<Guid>,
    pub(super) client_id: Option<Guid>,
    pub(super) client_secret: Option<SecretText>,
    pub(super) client_secret_file: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
}

/// `[issuer]`, or a table of `[[other_issuers]]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct IssuerSection {
    pub(super) kind: Option<IssuerName>,
    pub(super) url: Option<IssuerUrl>,
    pub(super) aliases: Option<List<IssuerUrl>>,
    pub(super) audience: Option<List<String>>,
    pub(super) client_ids: Option<List<String>>,
    pub(super) tenant_id: Option<Guid>,
    pub(super) client_id: Option<Guid>,
    pub(super) policy: Option<String>,
    pub(super) permissions: Option<Permissions>,
    pub(super) organization: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) token_type: Option<TokenTypeName>,
    pub(super) leeway_seconds: Option<Whole<0, 300>>,
    pub(super) metadata_url: Option<IssuerUrl>,
    pub(super) keys_url: Option<IssuerUrl>,
    pub(super) allow_plain_http_keys: Option<bool>,
    pub(super) scope_claim: Option<String>,
    pub(super) roles_claim: Option<String>,
    pub(super) subject_claim: Option<String>,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum IssuerName {
    Oidc,
    Logto,
    Entra,
    ExternalId,
    B2c,
}

/// The permission models of Logto.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Permissions {
    Api,
    Organization,
    OrganizationApi,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) enum TokenTypeName {
    #[serde(rename = "at+jwt")]
    AccessToken,
    #[serde(rename = "jwt")]
    Jwt,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TokensSection {
    pub(super) default_scopes: Option<List<Scope>>,
    pub(super) allowed_scopes: Option<List<Scope>>,
    pub(super) lifetime_minutes: Option<Whole<60, 1440>>,
    pub(super) sealing_keys: Option<List<SecretText>>,
    pub(super) sealing_keys_file: Option<PathBuf>,
    pub(super) rules: Option<Vec<RuleTable>>,
}

/// A table of `[[tokens.rules]]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RuleTable {
    pub(super) client_id: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) role: Option<String>,
    pub(super) scopes: Option<List<Scope>>,
    pub(super) lifetime_minutes: Option<Whole<60, 1440>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TeamsSection {
    pub(super) client_id: Option<Guid>,
    pub(super) sidecar_api: Option<String>,
    pub(super) phone: Option<bool>,
    pub(super) phone_sidecar_api: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SidecarSection {
    pub(super) url: Option<String>,
    pub(super) allow_any_host: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AdminSection {
    pub(super) scope: Option<String>,
    pub(super) role: Option<String>,
    pub(super) audit_ids: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CorsSection {
    pub(super) origins: Option<List<Origin>>,
    pub(super) allow_private_network: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LimitsSection {
    pub(super) requests_per_minute: Option<Whole<1, 1_000_000>>,
    pub(super) fresh_tokens_per_hour: Option<Whole<1, 1_000_000>>,
    pub(super) acs_costs_per_hour: Option<Whole<8, 1_000_000>>,
    pub(super) request_seconds: Option<Whole<1, 600>>,
    pub(super) body_bytes: Option<Whole<1024, 1_048_576>>,
    pub(super) idle_seconds: Option<Whole<1, 3600>>,
    pub(super) connections: Option<Whole<16, 1_000_000>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LogSection {
    pub(super) format: Option<LogFormat>,
    pub(super) filter: Option<LogFilter>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ShutdownSection {
    pub(super) delay_seconds: Option<Whole<0, 3600>>,
    pub(super) drain_seconds: Option<Whole<0, 3600>>,
}

/// An address to listen on.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub(super) struct Address(pub(super) SocketAddr);

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let address = text.parse();
        address
            .map(Self)
            .map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080")
    }
}

/// An address that tokens or keys are sent to, or come from: https, or http to this machine; no user, query or fragment.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct SecureUrl {
    /// The text, as issuers are compared by it.
    pub(super) text: String,
    pub(super) url: Url,
}

impl TryFrom<String> for SecureUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = Url::parse(&text).map_err(|_| "must be a URL that begins with https://")?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err("must begin with https://; http:// is for loopback hosts only"),
            _ => return Err("must begin with https://"),
        }
        if text.contains('@') || url.query().is_some() || url.fragment().is_some() {
            return Err("must have neither a user nor a query nor a fragment");
        }
        Ok(Self { text, url })
    }
}

/// A GUID, in the form that Entra ID's tokens have it in.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Guid(pub(super) String);

impl TryFrom<String> for Guid {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let guid = Uuid::parse_str(&text);
        guid.map(|guid| Self(guid.to_string()))
            .map_err(|_| "must be a GUID, such as aaaabbbb-0000-cccc-1111-dddd2222eeee")
    }
}

/// A scope of tokens.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Scope(pub(super) CommunicationTokenScope);

impl TryFrom<String> for Scope {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match CommunicationTokenScope::from(text.as_str()) {
            CommunicationTokenScope::UnknownValue(_) => {
                Err("must be \"chat\", \"chat.join\", \"chat.join.limited\", \"voip\" or \"voip.join\"")
            }
            scope => Ok(Self(scope)),
        }
    }
}

/// The URL of an issuer, of its metadata or its keys: no user and no fragment. Another check is for http.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct IssuerUrl {
    /// The text, as issuers are compared by it.
    pub(super) text: String,
    /// Set for http to another machine.
    pub(super) is_plain: bool,
}

impl TryFrom<String> for IssuerUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = Url::parse(&text).map_err(|_| "must be a URL that begins with https://")?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err("must begin with https://");
        }
        if text.contains('@') || url.fragment().is_some() {
            return Err("must have neither a user nor a fragment");
        }
        let is_plain = url.scheme() == "http" && !is_loopback(&url);
        Ok(Self { text, is_plain })
    }
}

/// The [serialised origin](https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin) of web
/// pages, as browsers send it in `Origin`: also of apps such as `capacitor://localhost`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Origin(pub(super) String);

impl TryFrom<String> for Origin {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_serialised = |url: &Url| {
            let origin = url.origin();
            let serialised = if origin.is_tuple() {
                origin.ascii_serialization()
            } else {
                // The schemes of apps.
                url.as_str().to_owned()
            };
            serialised == text && url.path().trim_matches('/').is_empty()
        };
        match Url::parse(&text) {
            Ok(url)
                if url.has_host()
                    && is_serialised(&url)
                    && !text.ends_with('/')
                    && !text.contains(['*', '@', '?', '#']) =>
            {
                Ok(Self(text))
            }
            _ => Err(
                "must be an origin as browsers send it, such as https://app.contoso.com or capacitor://localhost: in small \
                 letters, without a default port, a path or a slash at the end; neither `*` nor `null`",
            ),
        }
    }
}

/// The filter of the log.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct LogFilter(pub(super) String);

impl TryFrom<String> for LogFilter {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match logs::filter(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(
                "must be error, warn, info, debug or trace, or such levels for targets: \
                           \"info,token_service=debug\"",
            ),
        }
    }
}
