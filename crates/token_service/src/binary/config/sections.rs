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
    pub(super) issuer: IssuerSection,
    pub(super) tokens: TokensSection,
    pub(super) teams: TeamsSection,
    pub(super) sidecar: SidecarSection,
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
    DeveloperTools,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DatabaseSection {
    pub(super) url: Option<SecretText>,
    pub(super) url_file: Option<PathBuf>,
    pub(super) max_connections: Option<Whole<1, 1000>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct IssuerSection {
    pub(super) kind: Option<IssuerName>,
    pub(super) url: Option<SecureUrl>,
    pub(super) audience: Option<String>,
    pub(super) tenant_id: Option<Guid>,
    pub(super) client_id: Option<Guid>,
    pub(super) scope: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IssuerName {
    Oidc,
    Logto,
    Entra,
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
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SidecarSection {
    pub(super) url: Option<String>,
    pub(super) allow_any_host: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CorsSection {
    pub(super) origins: Option<List<Origin>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LimitsSection {
    pub(super) requests_per_minute: Option<Whole<1, 1_000_000>>,
    pub(super) request_seconds: Option<Whole<1, 600>>,
    pub(super) body_bytes: Option<Whole<1024, 1_048_576>>,
    pub(super) idle_seconds: Option<Whole<1, 3600>>,
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

/// The origin of web pages.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Origin(pub(super) String);

impl TryFrom<String> for Origin {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = SecureUrl::try_from(text);
        match url {
            Ok(SecureUrl { text, url }) if url.origin().ascii_serialization() == text => Ok(Self(text)),
            _ => Err(
                "must be an origin such as https://app.contoso.com: no path, no slash at the end, no `*`; http:// for \
                 loopback hosts only",
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
