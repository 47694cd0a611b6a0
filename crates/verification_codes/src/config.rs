//! Configuration by environment variables.

use crate::{
    azure::{CredentialKind, is_loopback},
    azurite,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sqlx::sqlite::SqliteConnectOptions;
use std::{
    collections::BTreeMap, fmt::Display, num::NonZeroU32, ops::RangeInclusive, path::Path, str::FromStr,
    time::Duration as StdDuration,
};
use time::{Duration, OffsetDateTime};
use tracing_subscriber::EnvFilter;
use url::Url;
use zeroize::Zeroizing;

/// The variables that name cloud services. Unless one is set, the program runs its own fakes.
pub(crate) const CLOUD_VARIABLES: [&str; 7] = [
    "THIRD_PARTY_API_ENDPOINT",
    "KEY_VAULT_URL",
    "THIRD_PARTY_API_SECRET_NAME",
    "ISSUER",
    "AUDIENCE",
    "TENANT_ID",
    "CLIENT_ID",
];

/// Prefixes of this program's variables. Any other variable with such a prefix is taken for a misspelt one.
const PREFIXES: [&str; 5] = ["STORAGE_", "KEY_VAULT", "KEYVAULT", "THIRD_PARTY_", "CODE_"];

const PREFIXED_VARIABLES: [&str; 7] = [
    "CODE_HASH_KEY",
    "CODE_TTL_SECONDS",
    "KEY_VAULT_URL",
    "STORAGE_POISON_QUEUE_URL",
    "STORAGE_QUEUE_URL",
    "THIRD_PARTY_API_ENDPOINT",
    "THIRD_PARTY_API_SECRET_NAME",
];

/// The default of all commands, as APIs and watchers share the table.
const DEFAULT_DATABASE_URL: &str = "sqlite://verification_codes.db?mode=rwc";

const DEFAULT_LOG_FILTER: &str = "warn,verification_codes=info";

const MAX_CODE_TTL_SECONDS: i64 = 3600;

const DEFAULT_ATTEMPTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();

const MIN_HASH_KEY_BYTES: usize = 32;

/// The settings of the two queues.
pub(crate) struct QueueConfig {
    pub(crate) messages: Url,
    pub(crate) poison: Url,
    /// `None` if the URLs are signed.
    pub(crate) credential: Option<CredentialKind>,
}

impl QueueConfig {
    /// Returns the longest pause between two polls of a watcher. Azure charges for each poll, Azurite does not.
    pub(crate) fn max_poll_interval(&self) -> StdDuration {
        if azurite::is_azurite(&self.messages) {
            StdDuration::from_millis(200)
        } else {
            StdDuration::from_secs(2)
        }
    }
}

/// The settings of the API.
pub(crate) struct ApiConfig {
    pub(crate) port: u16,
    pub(crate) code_ttl: Duration,
    pub(crate) attempts_per_minute: NonZeroU32,
    pub(crate) hash_key: Option<Zeroizing<Vec<u8>>>,
    /// `None` if the program runs its own fakes.
    pub(crate) cloud: Option<CloudConfig>,
}

/// The cloud services that the API uses.
pub(crate) struct CloudConfig {
    pub(crate) number_service: Url,
    pub(crate) vault: Url,
    pub(crate) secret_name: String,
    pub(crate) credential: CredentialKind,
    /// `None` if callers need no token.
    pub(crate) issuer: Option<Issuer>,
}

/// The issuer of callers' tokens.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Issuer {
    OpenId { issuer: String, audience: String },
    Entra { tenant_id: String, client_id: String },
}

/// Reads settings from variables, and collects every fault.
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Environment {
    /// Takes the variables. An empty one is treated as absent.
    pub(crate) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter().filter(|(_, value)| !value.is_empty());
        let mut environment = Self {
            variables: variables.collect(),
            faults: Vec::new(),
        };
        let is_unknown = |name: &&String| {
            PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !PREFIXED_VARIABLES.contains(&name.as_str())
        };
        let unknown: Vec<String> = environment.variables.keys().filter(is_unknown).cloned().collect();
        for name in unknown {
            environment.fault(
                &name,
                "is not known. Set the variable that is meant, and unset this one",
            );
        }
        environment
    }

    /// Reads the levels to log.
    pub(crate) fn log_filter(&mut self) -> EnvFilter {
        let default = || EnvFilter::new(DEFAULT_LOG_FILTER);
        let Some(directives) = self.variable("RUST_LOG") else {
            return default();
        };
        EnvFilter::builder().parse(directives).unwrap_or_else(|_| {
            self.fault("RUST_LOG", &format!("has to be levels, such as {DEFAULT_LOG_FILTER}"));
            default()
        })
    }

    /// Reads the URLs of the queues. Those of Azurite are signed as of `now`.
    pub(crate) fn queue(&mut self, now: OffsetDateTime) -> Option<QueueConfig> {
        let url = match self.variable("STORAGE_QUEUE_URL") {
            None if self.is_local() => azurite::QUEUE_URL.parse().ok(),
            None => self.required("STORAGE_QUEUE_URL").and(None),
            Some(_) => self.url("STORAGE_QUEUE_URL"),
        }?;
        let messages = if azurite::is_azurite(&url) && !is_signed(&url) {
            azurite::sign_url(url, now)
        } else {
            url
        };
        let poison = match self.variable("STORAGE_POISON_QUEUE_URL") {
            Some(_) => self.url("STORAGE_POISON_QUEUE_URL")?,
            None => poison_url(&messages),
        };
        let credential = if is_signed(&messages) {
            None
        } else {
            Some(self.credential()?)
        };
        Some(QueueConfig {
            messages,
            poison,
            credential,
        })
    }

    /// Reads the location of the table: a file, as APIs and watchers share it.
    pub(crate) fn database(&mut self) -> Option<SqliteConnectOptions> {
        let url = self
            .variable("DATABASE_URL")
            .unwrap_or_else(|| DEFAULT_DATABASE_URL.to_owned());
        let is_file = url.starts_with("sqlite:") && !url.contains(":memory:") && !url.contains("mode=memory");
        let database = SqliteConnectOptions::from_str(&url).ok();
        let database = database.filter(|database| is_file && database.get_filename().file_name().is_some());
        let Some(database) = database else {
            let reason = format!("has to be the URL of a file, such as {DEFAULT_DATABASE_URL}");
            self.fault("DATABASE_URL", &reason);
            return None;
        };
        // A bare name has the folder "", which is the current one.
        let folder = database.get_filename().parent().unwrap_or(Path::new(""));
        if folder != Path::new("") && !folder.is_dir() {
            let reason = format!("names a file in {}, which is no folder", folder.display());
            self.fault("DATABASE_URL", &reason);
            return None;
        }
        Some(database)
    }

    /// Reads the settings of the API. An `open` one needs no issuer.
    pub(crate) fn api(&mut self, open: bool) -> Option<ApiConfig> {
        let port = self.number("PORT", 0, 0..=u16::MAX);
        let seconds = self.number("CODE_TTL_SECONDS", 600, 1..=MAX_CODE_TTL_SECONDS);
        let attempts_per_minute = self.number(
            "ATTEMPTS_PER_MINUTE",
            DEFAULT_ATTEMPTS_PER_MINUTE,
            NonZeroU32::MIN..=NonZeroU32::MAX,
        );
        let cloud = if self.is_local() { None } else { Some(self.cloud(open)) };
        let hash_key = self.hash_key();
        Some(ApiConfig {
            port: port?,
            code_ttl: Duration::seconds(seconds?),
            attempts_per_minute: attempts_per_minute?,
            hash_key,
            cloud: match cloud {
                None => None,
                Some(cloud) => Some(cloud?),
            },
        })
    }

    fn cloud(&mut self, open: bool) -> Option<CloudConfig> {
        let number_service = self
            .required("THIRD_PARTY_API_ENDPOINT")
            .and_then(|_| self.url("THIRD_PARTY_API_ENDPOINT"));
        let vault = self.required("KEY_VAULT_URL").and_then(|_| self.url("KEY_VAULT_URL"));
        let secret_name = self.required("THIRD_PARTY_API_SECRET_NAME");
        let issuer = if open { None } else { Some(self.issuer()) };
        let credential = self.credential();
        Some(CloudConfig {
            number_service: number_service?,
            vault: vault?,
            secret_name: secret_name?,
            credential: credential?,
            issuer: match issuer {
                None => None,
                Some(issuer) => Some(issuer?),
            },
        })
    }

    fn issuer(&mut self) -> Option<Issuer> {
        if self.variable("TENANT_ID").is_some() || self.variable("CLIENT_ID").is_some() {
            let (tenant_id, client_id) = (self.required("TENANT_ID"), self.required("CLIENT_ID"));
            return Some(Issuer::Entra {
                tenant_id: tenant_id?,
                client_id: client_id?,
            });
        }
        let (issuer, audience) = (self.required("ISSUER"), self.required("AUDIENCE"));
        Some(Issuer::OpenId {
            issuer: issuer?,
            audience: audience?,
        })
    }

    fn hash_key(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let text = if self.is_local() {
            self.variable("CODE_HASH_KEY")
        } else {
            self.required("CODE_HASH_KEY")
        };
        let key = Zeroizing::new(BASE64_STANDARD.decode(text?).unwrap_or_default());
        if key.len() < MIN_HASH_KEY_BYTES {
            self.fault(
                "CODE_HASH_KEY",
                "has to be 32 random bytes or more, in base64: openssl rand -base64 32",
            );
        }
        Some(key)
    }

    fn credential(&mut self) -> Option<CredentialKind> {
        match self.variable("CREDENTIAL").as_deref() {
            None | Some("developer_tools") => Some(CredentialKind::DeveloperTools),
            Some("managed_identity") => Some(CredentialKind::ManagedIdentity),
            Some("workload_identity") => Some(CredentialKind::WorkloadIdentity),
            Some(_) => {
                self.fault(
                    "CREDENTIAL",
                    "has to be developer_tools, managed_identity or workload_identity",
                );
                None
            }
        }
    }

    /// Returns the settings that were read, or all faults.
    pub(crate) fn finish<T>(self, settings: Option<T>) -> Result<T, String> {
        settings
            .filter(|_| self.faults.is_empty())
            .ok_or_else(|| self.faults.join("\n"))
    }

    /// Returns whether the program runs its own fakes of the cloud services.
    fn is_local(&self) -> bool {
        CLOUD_VARIABLES.iter().all(|name| self.variable(name).is_none())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn required(&mut self, name: &str) -> Option<String> {
        let value = self.variable(name);
        if value.is_none() {
            self.fault(name, "has to be set");
        }
        value
    }

    /// Reads a URL: https, or http on loopback. The fault does not show it, as it can be signed.
    fn url(&mut self, name: &str) -> Option<Url> {
        let url = self.variable(name).and_then(|value| Url::parse(&value).ok());
        match url {
            Some(url) if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) => Some(url),
            _ => {
                self.fault(name, "has to be a URL with https, or with http on this machine");
                None
            }
        }
    }

    fn number<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> Option<T>
    where
        T: Display + FromStr + PartialOrd,
    {
        let Some(value) = self.variable(name) else {
            return Some(default);
        };
        let number = value.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.fault(
                name,
                &format!("has to be a number from {} to {}", range.start(), range.end()),
            );
        }
        number
    }

    fn fault(&mut self, name: &str, reason: &str) {
        let fault = format!("{name} {reason}");
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

/// Returns whether a URL contains a shared access signature.
fn is_signed(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name == "sig")
}

/// Returns the URL of the poison queue, by the name that Azure Functions uses.
fn poison_url(messages: &Url) -> Url {
    let mut poison = messages.clone();
    poison.set_path(&format!("{}-poison", messages.path().trim_end_matches('/')));
    poison
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-08-01 12:00 UTC);
    const HASH_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const FULL: [(&str, &str); 7] = [
        (
            "THIRD_PARTY_API_ENDPOINT",
            "https://contoso.azurewebsites.net/api/RandomNumber",
        ),
        ("KEY_VAULT_URL", "https://contoso.vault.azure.net"),
        ("THIRD_PARTY_API_SECRET_NAME", "third-party-api-key"),
        (
            "STORAGE_QUEUE_URL",
            "https://contoso.queue.core.windows.net/code-requests",
        ),
        ("CODE_HASH_KEY", HASH_KEY),
        ("ISSUER", "https://contoso.logto.app/oidc"),
        ("AUDIENCE", "https://codes.contoso.com"),
    ];

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter();
        Environment::new(variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    /// Returns the faults of these variables.
    fn faults(variables: &[(&str, &str)]) -> String {
        let mut environment = environment(variables);
        environment.log_filter();
        let (queue, database) = (environment.queue(NOW), environment.database());
        let read = queue.zip(database).zip(environment.api(false));
        environment.finish(read).err().unwrap_or_default()
    }

    #[test]
    fn without_variables_the_cloud_is_faked() {
        let mut environment = environment(&[]);
        let queue = environment.queue(NOW).unwrap();
        assert!(
            queue
                .messages
                .as_str()
                .starts_with("http://127.0.0.1:10001/devstoreaccount1/code-requests?sv=")
        );
        assert!(
            queue
                .poison
                .as_str()
                .starts_with("http://127.0.0.1:10001/devstoreaccount1/code-requests-poison?sv=")
        );
        assert_eq!(queue.credential, None);
        let api = environment.api(false).unwrap();
        assert!(api.cloud.is_none() && api.hash_key.is_none());
        assert_eq!(api.code_ttl, Duration::minutes(10));
        let database = environment.database().unwrap();
        assert_eq!(database.get_filename(), Path::new("verification_codes.db"));
        environment.finish(Some(())).unwrap();
    }

    #[test]
    fn with_all_variables_the_cloud_is_azure() {
        let mut environment = environment(&FULL);
        let queue = environment.queue(NOW).unwrap();
        assert_eq!(
            queue.messages.as_str(),
            "https://contoso.queue.core.windows.net/code-requests"
        );
        assert_eq!(
            queue.poison.as_str(),
            "https://contoso.queue.core.windows.net/code-requests-poison"
        );
        assert_eq!(queue.credential, Some(CredentialKind::DeveloperTools));
        let api = environment.api(false).unwrap();
        assert_eq!(api.hash_key.unwrap().len(), 32);
        let found = api.cloud.unwrap().issuer.unwrap();
        let (issuer, audience) = (
            "https://contoso.logto.app/oidc".to_owned(),
            "https://codes.contoso.com".to_owned(),
        );
        assert_eq!(found, Issuer::OpenId { issuer, audience });
        let database = environment.database().unwrap();
        assert_eq!(database.get_filename(), Path::new("verification_codes.db"));
        environment.finish(Some(())).unwrap();
    }

    #[test]
    fn issuer_can_be_entra_id() {
        let mut variables = FULL.to_vec();
        variables.extend([("TENANT_ID", "t"), ("CLIENT_ID", "c"), ("ISSUER", ""), ("AUDIENCE", "")]);
        let issuer = environment(&variables)
            .api(false)
            .unwrap()
            .cloud
            .unwrap()
            .issuer
            .unwrap();
        let (tenant_id, client_id) = ("t".to_owned(), "c".to_owned());
        assert_eq!(issuer, Issuer::Entra { tenant_id, client_id });
    }

    #[test]
    fn signed_url_is_used_without_credential() {
        let url = "https://contoso.queue.core.windows.net/code-requests?sp=raup&sig=c2ln";
        let queue = environment(&[("STORAGE_QUEUE_URL", url)]).queue(NOW).unwrap();
        assert_eq!(queue.messages.as_str(), url);
        assert_eq!(queue.poison.path(), "/code-requests-poison");
        assert_eq!(queue.poison.query(), Some("sp=raup&sig=c2ln"));
        assert_eq!(queue.credential, None);
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        assert_eq!(
            faults(&[
                ("KEY_VAULT_URL", "http://contoso.vault.azure.net"),
                ("CODE_TTL_SECONDS", "0"),
                ("PORT", "http"),
                ("CREDENTIAL", "password"),
                ("DATABASE_URL", "postgres://codes"),
                ("RUST_LOG", "verification_codes=loud"),
                ("STORAGE_QUEUE", "codes"),
            ]),
            "STORAGE_QUEUE is not known. Set the variable that is meant, and unset this one\n\
             RUST_LOG has to be levels, such as warn,verification_codes=info\n\
             STORAGE_QUEUE_URL has to be set\n\
             DATABASE_URL has to be the URL of a file, such as sqlite://verification_codes.db?mode=rwc\n\
             PORT has to be a number from 0 to 65535\n\
             CODE_TTL_SECONDS has to be a number from 1 to 3600\n\
             THIRD_PARTY_API_ENDPOINT has to be set\n\
             KEY_VAULT_URL has to be a URL with https, or with http on this machine\n\
             THIRD_PARTY_API_SECRET_NAME has to be set\n\
             ISSUER has to be set\n\
             AUDIENCE has to be set\n\
             CREDENTIAL has to be developer_tools, managed_identity or workload_identity\n\
             CODE_HASH_KEY has to be set"
        );
    }

    #[test]
    fn faults_do_not_show_values() {
        for (name, value) in [
            (
                "STORAGE_QUEUE_URL",
                "http://contoso.queue.core.windows.net/codes?sig=c2VjcmV0",
            ),
            ("STORAGE_POISON_QUEUE_URL", "c2VjcmV0"),
            ("CODE_HASH_KEY", "c2VjcmV0"),
            ("CREDENTIAL", "c2VjcmV0"),
            ("ATTEMPTS_PER_MINUTE", "0"),
            ("CODE_TTL_SECONDS", "3601"),
            ("DATABASE_URL", "postgres://codes:c2VjcmV0@localhost/codes"),
            ("RUST_LOG", "c2VjcmV0=loud"),
        ] {
            let mut variables = FULL.to_vec();
            variables.push((name, value));
            let faults = faults(&variables);
            assert!(faults.starts_with(name) && !faults.contains("c2VjcmV0"), "{faults}");
            assert_eq!(faults.lines().count(), 1, "{faults}");
        }
    }

    #[test]
    fn database_url_names_a_possible_file() {
        for (url, expected) in [
            ("sqlite://codes.db", true),
            ("sqlite:codes.db?mode=rwc", true),
            ("sqlite::memory:", false),
            ("sqlite://codes?mode=memory", false),
            ("sqlite://", false),
            ("codes.db", false),
            ("sqlite://codes.db?mode=rcw", false),
            ("sqlite:///no/such/folder/codes.db", false),
        ] {
            let faults = faults(&[("DATABASE_URL", url)]);
            assert_eq!(faults.is_empty(), expected, "{url}: {faults}");
            assert!(expected || faults.starts_with("DATABASE_URL "), "{url}: {faults}");
        }
        let faults = faults(&[("DATABASE_URL", "sqlite:///no/such/folder/codes.db")]);
        assert_eq!(
            faults,
            "DATABASE_URL names a file in /no/such/folder, which is no folder"
        );
    }

    #[test]
    fn misspelt_variable_is_a_fault() {
        for name in [
            "KEYVAULT_URL",
            "KEY_VAULT_URI",
            "STORAGE_QUEUE_NAME",
            "THIRD_PARTY_API_URL",
            "CODE_TTL",
        ] {
            assert_eq!(
                faults(&[(name, "something")]),
                format!("{name} is not known. Set the variable that is meant, and unset this one")
            );
            assert_eq!(faults(&[(name, "")]), "");
        }
        assert_eq!(faults(&[("VSCODE_PID", "1"), ("QUEUE", "codes")]), "");
    }

    #[test]
    fn azurite_is_polled_more_often() {
        let local = environment(&[]).queue(NOW).unwrap();
        let cloud = environment(&FULL).queue(NOW).unwrap();
        assert!(local.max_poll_interval() < StdDuration::from_secs(1));
        assert_eq!(cloud.max_poll_interval(), StdDuration::from_secs(2));
    }

    #[test]
    fn open_api_needs_no_issuer() {
        let mut environment = environment(&FULL[..5]);
        assert!(environment.api(true).unwrap().cloud.unwrap().issuer.is_none());
        environment.finish(Some(())).unwrap();
    }
}
