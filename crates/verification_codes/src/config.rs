//! Configuration by environment variables.

use crate::{
    azure::{CredentialKind, is_loopback},
    azurite,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use database::DatabaseUrl;
use serde::Deserialize;
use settings::{Program, Report, SecretText, Whole};
use std::{ffi::OsString, fs, num::NonZeroU32, path::Path, time::Duration as StdDuration};
use time::{Duration, OffsetDateTime};
use toml::Table;
use tracing_subscriber::EnvFilter;
use url::Url;
use zeroize::Zeroizing;

/// The variables that name cloud services. Unless one is set, the program runs its own fakes.
pub(crate) const CLOUD_VARIABLES: [&str; 8] = [
    "THIRD_PARTY_API_ENDPOINT",
    "KEY_VAULT_URL",
    "THIRD_PARTY_API_SECRET_NAME",
    "ISSUER",
    "AUDIENCE",
    "TENANT_ID",
    "CLIENT_ID",
    "ISSUER_SCOPE",
];

/// The names of the variables. An unknown one with a prefix of this program is taken for a misspelt one.
const PROGRAM: Program = Program {
    prefix: "",
    own_prefixes: &["STORAGE_", "KEY_VAULT", "KEYVAULT", "THIRD_PARTY_", "CODE_", "ISSUER_"],
    has_file: false,
    file_only: &[],
};

/// The default of all commands, as APIs and watchers share the table.
const DEFAULT_DATABASE_URL: &str = "sqlite://verification_codes.db?mode=rwc";

const DEFAULT_LOG_FILTER: &str = "warn,verification_codes=info";

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

/// The issuer of callers' tokens, and the scope that they need.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Issuer {
    pub(crate) kind: IssuerKind,
    /// `None` if any token for this API will do.
    pub(crate) scope: Option<String>,
}

#[derive(Debug, Eq, PartialEq)]
pub(crate) enum IssuerKind {
    OpenId { issuer: String, audience: String },
    Entra { tenant_id: String, client_id: String },
}

/// The variables, by their names in lower case.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Variables {
    third_party_api_endpoint: Option<SecureUrl>,
    key_vault_url: Option<SecureUrl>,
    third_party_api_secret_name: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    tenant_id: Option<String>,
    client_id: Option<String>,
    issuer_scope: Option<Scope>,
    allow_any_scope: Option<bool>,
    code_hash_key: Option<HashKey>,
    storage_queue_url: Option<SecureUrl>,
    storage_poison_queue_url: Option<SecureUrl>,
    credential: Option<CredentialKind>,
    database_url: Option<SecretText>,
    code_ttl_seconds: Option<Whole<1, 3600>>,
    attempts_per_minute: Option<Whole<1, { u32::MAX }>>,
    port: Option<Whole<0, 65_535>>,
    rust_log: Option<LogLevels>,
}

/// A URL with https, or with http on this machine. It can be signed.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct SecureUrl(Url);

impl TryFrom<String> for SecureUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match Url::parse(&text) {
            Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) => Ok(Self(url)),
            _ => Err("must be a URL with https, or with http on this machine"),
        }
    }
}

/// A scope, in the characters of [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-3.3).
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Scope(String);

impl TryFrom<String> for Scope {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !br#""\"#.contains(&byte);
        if !text.bytes().all(is_allowed) {
            return Err("must be one scope, such as access_as_user, without spaces, quotes and backslashes");
        }
        Ok(Self(text))
    }
}

/// A key for the HMAC of codes, in base64.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct HashKey(Zeroizing<Vec<u8>>);

impl TryFrom<String> for HashKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let key = Zeroizing::new(BASE64_STANDARD.decode(text).unwrap_or_default());
        if key.len() < MIN_HASH_KEY_BYTES {
            return Err("must be 32 random bytes or more, in base64: openssl rand -base64 32");
        }
        Ok(Self(key))
    }
}

/// The levels to log.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct LogLevels(EnvFilter);

impl TryFrom<String> for LogLevels {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let filter = EnvFilter::builder().parse(text);
        filter
            .map(Self)
            .map_err(|_| format!("must be levels, such as {DEFAULT_LOG_FILTER}"))
    }
}

/// Checks the settings of each command, and collects every fault.
pub(crate) struct Environment {
    variables: Variables,
    report: Report<'static>,
}

impl Environment {
    /// Takes the variables. White space around their values is ignored, and an empty one is treated as absent.
    pub(crate) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let variables = settings::Environment::new(PROGRAM, variables);
        let (variables, report) = settings::read(Table::new(), &variables, &|path| fs::read(path));
        Self { variables, report }
    }

    /// Returns the levels to log.
    pub(crate) fn log_filter(&mut self) -> EnvFilter {
        let levels = self.variables.rust_log.take();
        levels.map_or_else(|| EnvFilter::new(DEFAULT_LOG_FILTER), |LogLevels(filter)| filter)
    }

    /// Returns the URLs of the queues. Those of Azurite are signed as of `now`.
    pub(crate) fn queue(&mut self, now: OffsetDateTime) -> Option<QueueConfig> {
        let is_local = self.is_local();
        if !is_local {
            self.require("storage_queue_url", "it is the URL of the queue");
        }
        let url = match self.variables.storage_queue_url.take() {
            Some(SecureUrl(url)) => url,
            None if is_local && !self.report.has("storage_queue_url") => azurite::QUEUE_URL.parse().ok()?,
            None => return None,
        };
        let messages = if azurite::is_azurite(&url) && !is_signed(&url) {
            azurite::sign_url(url, now)
        } else {
            url
        };
        let poison = match self.variables.storage_poison_queue_url.take() {
            Some(SecureUrl(url)) => url,
            None => poison_url(&messages),
        };
        let credential = (!is_signed(&messages)).then(|| self.credential());
        Some(QueueConfig {
            messages,
            poison,
            credential,
        })
    }

    /// Returns the database of the table: a file or PostgreSQL, as APIs and watchers share it.
    pub(crate) fn database(&mut self) -> Option<DatabaseUrl> {
        let url = self.variables.database_url.take();
        let url = url.map_or_else(|| DEFAULT_DATABASE_URL.to_owned(), SecretText::into_inner);
        let reason = match DatabaseUrl::parse(&url) {
            Ok(DatabaseUrl::Postgres(url)) => return Some(DatabaseUrl::Postgres(url)),
            Ok(DatabaseUrl::Sqlite(url)) => {
                // A bare name has the folder "", which is the current one.
                let folder = url.file().parent().unwrap_or(Path::new(""));
                if url.is_in_memory() || url.file().file_name().is_none() {
                    format!("must be the URL of a file, such as {DEFAULT_DATABASE_URL}, or one of PostgreSQL")
                } else if folder != Path::new("") && !folder.is_dir() {
                    "names a file in a folder that does not exist; create the folder".to_owned()
                } else {
                    return Some(DatabaseUrl::Sqlite(url));
                }
            }
            Err(error) => error.to_string(),
        };
        self.report.fault("database_url", reason);
        None
    }

    /// Returns the settings of the API. An `open` one needs no issuer.
    pub(crate) fn api(&mut self, open: bool) -> Option<ApiConfig> {
        let cloud = if self.is_local() { None } else { Some(self.cloud(open)) };
        let variables = &mut self.variables;
        let attempts = variables.attempts_per_minute.map(Whole::get);
        let seconds = variables.code_ttl_seconds.map_or(600, Whole::get);
        Some(ApiConfig {
            port: u16::try_from(variables.port.map_or(0, Whole::get)).ok()?,
            code_ttl: Duration::seconds(seconds.into()),
            attempts_per_minute: attempts
                .and_then(NonZeroU32::new)
                .unwrap_or(DEFAULT_ATTEMPTS_PER_MINUTE),
            hash_key: variables.code_hash_key.take().map(|HashKey(key)| key),
            cloud: match cloud {
                None => None,
                Some(cloud) => Some(cloud?),
            },
        })
    }

    fn cloud(&mut self, open: bool) -> Option<CloudConfig> {
        for (key, reason) in [
            ("third_party_api_endpoint", "it is the URL of the number service"),
            ("key_vault_url", "it is the URL of the vault"),
            (
                "third_party_api_secret_name",
                "it is the name of the secret with the number service's key",
            ),
        ] {
            self.require(key, reason);
        }
        let issuer = if open { None } else { Some(self.issuer()) };
        self.require(
            "code_hash_key",
            "it is the key for the HMAC of codes: openssl rand -base64 32",
        );
        let credential = self.credential();
        let variables = &mut self.variables;
        Some(CloudConfig {
            number_service: variables.third_party_api_endpoint.take()?.0,
            vault: variables.key_vault_url.take()?.0,
            secret_name: variables.third_party_api_secret_name.take()?,
            credential,
            issuer: match issuer {
                None => None,
                Some(issuer) => Some(issuer?),
            },
        })
    }

    fn issuer(&mut self) -> Option<Issuer> {
        let is_entra = self.report.has("tenant_id") || self.report.has("client_id");
        if is_entra {
            self.require("tenant_id", "it is the id of your directory (tenant)");
            self.require("client_id", "it is the application (client) id of this API");
        } else {
            self.require(
                "issuer",
                "it is the issuer of callers' tokens, as they have it in `iss`",
            );
            self.require("audience", "it is this API, as tokens have it in `aud`");
        }
        let scope = self.scope(is_entra);
        let variables = &mut self.variables;
        let kind = if is_entra {
            IssuerKind::Entra {
                tenant_id: variables.tenant_id.take()?,
                client_id: variables.client_id.take()?,
            }
        } else {
            IssuerKind::OpenId {
                issuer: variables.issuer.take()?,
                audience: variables.audience.take()?,
            }
        };
        Some(Issuer { kind, scope })
    }

    /// Returns the scope that tokens need. Without one, any client of the issuer issues codes for its users, so the operator
    /// must say that.
    fn scope(&mut self, is_entra: bool) -> Option<String> {
        let scope = self.variables.issuer_scope.take().map(|Scope(scope)| scope);
        if self.variables.allow_any_scope == Some(true) {
            self.report.contradiction("issuer_scope", "allow_any_scope");
        } else {
            self.require(
                "issuer_scope",
                "it is the scope that callers' tokens need, such as access_as_user; ALLOW_ANY_SCOPE=true accepts tokens \
                 without it",
            );
        }
        // Clients request a scope with its API, and tokens have it without.
        if is_entra && scope.as_ref().is_some_and(|scope| scope.contains("://")) {
            let reason = "must be the name alone, as tokens of Entra ID have it in `scp`, such as access_as_user";
            self.report.fault("issuer_scope", reason);
        }
        scope
    }

    fn credential(&self) -> CredentialKind {
        self.variables.credential.unwrap_or(CredentialKind::DeveloperTools)
    }

    fn require(&mut self, key: &str, reason: &str) {
        self.report.missing(key, reason);
    }

    /// Returns the settings that were read, or all faults.
    pub(crate) fn finish<T>(self, settings: Option<T>) -> Result<T, String> {
        self.report.finish(settings).map_err(|faults| {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            faults.join("\n")
        })
    }

    /// Returns whether the program runs its own fakes of the cloud services.
    fn is_local(&self) -> bool {
        CLOUD_VARIABLES
            .iter()
            .all(|name| !self.report.has(&name.to_ascii_lowercase()))
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
    const FULL: [(&str, &str); 8] = [
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
        ("ISSUER_SCOPE", "access_as_user"),
    ];

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter();
        Environment::new(variables.map(|(name, value)| ((*name).into(), (*value).into())))
    }

    fn file(database: &DatabaseUrl) -> &str {
        match database {
            DatabaseUrl::Sqlite(url) => url.file().to_str().unwrap(),
            DatabaseUrl::Postgres(_) => "PostgreSQL",
        }
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
        assert_eq!(file(&environment.database().unwrap()), "verification_codes.db");
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
        let scope = Some("access_as_user".to_owned());
        let kind = IssuerKind::OpenId { issuer, audience };
        assert_eq!(found, Issuer { kind, scope });
        assert_eq!(file(&environment.database().unwrap()), "verification_codes.db");
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
        assert_eq!(issuer.kind, IssuerKind::Entra { tenant_id, client_id });
        assert_eq!(issuer.scope.as_deref(), Some("access_as_user"));
    }

    #[test]
    fn scope_is_required_unless_said_otherwise() {
        let entra = [("TENANT_ID", "t"), ("CLIENT_ID", "c"), ("ISSUER", ""), ("AUDIENCE", "")];
        let missing = "ISSUER_SCOPE: is missing: it is the scope that callers' tokens need, such as access_as_user; \
                       ALLOW_ANY_SCOPE=true accepts tokens without it";
        let other_characters =
            "ISSUER_SCOPE: must be one scope, such as access_as_user, without spaces, quotes and backslashes";
        for (scope, any, is_entra, expected) in [
            ("", "", false, missing),
            ("", "", true, missing),
            ("", "false", false, missing),
            (" ", "", false, missing),
            ("", "true", false, ""),
            ("", "true", true, ""),
            ("access_as_user", "false", true, ""),
            (
                "access_as_user",
                "true",
                false,
                "ISSUER_SCOPE: contradicts ALLOW_ANY_SCOPE; remove one of them",
            ),
            ("access_as_user email", "", false, other_characters),
            ("\"access\\_as_user", "", false, other_characters),
            ("https://codes.contoso.com/issue", "", false, ""),
            (
                "api://00001111-aaaa-2222-bbbb-3333cccc4444/access_as_user",
                "",
                true,
                "ISSUER_SCOPE: must be the name alone, as tokens of Entra ID have it in `scp`, such as access_as_user",
            ),
        ] {
            let mut variables = FULL.to_vec();
            variables.extend([("ISSUER_SCOPE", scope), ("ALLOW_ANY_SCOPE", any)]);
            if is_entra {
                variables.extend(entra);
            }
            assert_eq!(faults(&variables), expected, "{scope} {any}");
        }
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
                ("DATABASE_URL", "mysql://codes"),
                ("RUST_LOG", "verification_codes=loud"),
                ("STORAGE_QUEUE", "codes"),
            ]),
            "CODE_TTL_SECONDS: must be a whole number, 1 to 3600\n\
             CREDENTIAL: must be \"developer_tools\", \"managed_identity\" or \"workload_identity\"\n\
             KEY_VAULT_URL: must be a URL with https, or with http on this machine\n\
             PORT: must be a whole number, 0 to 65535\n\
             RUST_LOG: must be levels, such as warn,verification_codes=info\n\
             STORAGE_QUEUE: there is no such variable; did you mean STORAGE_QUEUE_URL?\n\
             STORAGE_QUEUE_URL: is missing: it is the URL of the queue\n\
             DATABASE_URL: the URL must begin with sqlite:, postgres: or postgresql:\n\
             THIRD_PARTY_API_ENDPOINT: is missing: it is the URL of the number service\n\
             THIRD_PARTY_API_SECRET_NAME: is missing: it is the name of the secret with the number service's key\n\
             ISSUER: is missing: it is the issuer of callers' tokens, as they have it in `iss`\n\
             AUDIENCE: is missing: it is this API, as tokens have it in `aud`\n\
             ISSUER_SCOPE: is missing: it is the scope that callers' tokens need, such as access_as_user; \
             ALLOW_ANY_SCOPE=true accepts tokens without it\n\
             CODE_HASH_KEY: is missing: it is the key for the HMAC of codes: openssl rand -base64 32"
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
            ("DATABASE_URL", "mysql://codes:c2VjcmV0@localhost/codes"),
            ("DATABASE_URL", "postgres://codes:12/c2VjcmV0@localhost/codes"),
            ("DATABASE_URL", "postgres://codes@localhost/codes?passphrase=c2VjcmV0"),
            ("ISSUER_SCOPE", "c2Vj cmV0 c2VjcmV0"),
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
    fn database_url_names_what_can_be_shared() {
        for (url, expected) in [
            ("sqlite://codes.db", true),
            ("sqlite:codes.db?mode=rwc", true),
            ("sqlite::memory:", false),
            ("sqlite://codes?mode=memory", false),
            ("sqlite://", false),
            ("codes.db", false),
            ("sqlite://codes.db?mode=rcw", false),
            ("sqlite:///no/such/folder/codes.db", false),
            ("postgres://app:pw@db.contoso.com/codes?sslmode=verify-full", true),
            ("postgresql://app@%2Fvar%2Frun%2Fpostgresql/codes", true),
            ("postgres://app:p/w@db.contoso.com/codes", false),
        ] {
            let faults = faults(&[("DATABASE_URL", url)]);
            assert_eq!(faults.is_empty(), expected, "{url}: {faults}");
            assert!(expected || faults.starts_with("DATABASE_URL: "), "{url}: {faults}");
        }
        let faults = faults(&[("DATABASE_URL", "sqlite:///no/such/folder/codes.db")]);
        assert_eq!(
            faults,
            "DATABASE_URL: names a file in a folder that does not exist; create the folder"
        );
    }

    #[test]
    fn misspelt_variable_is_a_fault() {
        for (name, remedy) in [
            ("KEYVAULT_URL", "did you mean KEY_VAULT_URL?"),
            ("KEY_VAULT_URI", "did you mean KEY_VAULT_URL?"),
            ("STORAGE_QUEUE_NAME", "did you mean STORAGE_QUEUE_URL?"),
            ("THIRD_PARTY_KEY", "set the variable that is meant, and unset this one"),
            ("CODE_TTL_SECOND", "did you mean CODE_TTL_SECONDS?"),
        ] {
            assert_eq!(
                faults(&[(name, "something")]),
                format!("{name}: there is no such variable; {remedy}")
            );
            assert_eq!(faults(&[(name, "")]), "");
        }
        assert_eq!(faults(&[("VSCODE_PID", "1"), ("QUEUE", "codes")]), "");
    }

    #[test]
    fn variables_of_kubernetes_services_are_ignored() {
        for (name, value) in [
            ("KEY_VAULT_PORT", "tcp://10.0.0.1:443"),
            ("KEY_VAULT_SERVICE_HOST", "10.0.0.1"),
            ("KEYVAULT_SERVICE_PORT_HTTPS", "443"),
            ("STORAGE_QUEUE_PORT_10001_TCP", "tcp://10.0.0.1:10001"),
            ("STORAGE_QUEUE_PORT_10001_TCP_ADDR", "10.0.0.1"),
            ("CODE_SERVICE_PORT", "80"),
        ] {
            assert_eq!(faults(&[(name, value)]), "", "{name}");
        }
    }

    #[test]
    fn white_space_around_values_is_ignored() {
        let padded: Vec<_> = FULL
            .iter()
            .map(|(name, value)| (*name, format!(" \t{value}\r\n")))
            .collect();
        let mut variables: Vec<_> = padded.iter().map(|(name, value)| (*name, value.as_str())).collect();
        variables.extend([
            ("CODE_TTL_SECONDS", " 60\n"),
            ("CREDENTIAL", "managed_identity\r"),
            ("RUST_LOG", " info\n"),
            ("DATABASE_URL", " sqlite://codes.db\n"),
        ]);
        assert_eq!(faults(&variables), "");
        let mut environment = environment(&variables);
        assert_eq!(
            environment.queue(NOW).unwrap().credential,
            Some(CredentialKind::ManagedIdentity)
        );
        let api = environment.api(false).unwrap();
        assert_eq!((api.code_ttl, api.hash_key.unwrap().len()), (Duration::minutes(1), 32));
        assert_eq!(api.cloud.unwrap().secret_name, "third-party-api-key");
    }

    /// The table of the README has every variable, but for those that share a row or are Azure's own.
    #[test]
    fn documentation_has_every_variable() {
        let page = include_str!("../README.md");
        for key in settings::keys::<Variables>(PROGRAM) {
            assert!(page.contains(&format!("`{}`", key.variable)), "{key:?}");
        }
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
