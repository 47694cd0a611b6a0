//! The configuration: a TOML file and the environment, which overrides it.
//!
//! [`sections`] has the keys and the types of their values, which the crate `settings` reads. The other modules check what
//! several keys have to do with each other.

mod backends;
mod callers;
mod issuers;
mod operators;
mod sections;

#[cfg(test)]
mod tests;

pub(crate) use backends::{Acs, Application, Authentication, Credential, Database, DatabaseCredential, Sidecar};
pub(crate) use callers::{Teams, Tokens};
pub(crate) use issuers::Issuers;
pub(crate) use operators::Operators;
pub(crate) use settings::Fault;

use crate::{
    http,
    logs::{Log, LogFormat},
    tls,
};
use backends::Applications;
use rustls::ServerConfig;
use sections::{Address, LimitsSection, Sections, TlsSection};
use settings::{Environment, List, Program, ReadFile, Report, Whole};
use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use toml::Table;

/// The names of the variables.
const PROGRAM: Program = Program {
    prefix: "TOKEN_SERVICE_",
    own_prefixes: &["TOKEN_SERVICE_"],
    has_file: true,
    file_only: &["other_issuers", "tokens.rules"],
};
/// The variable that names the file, without a key.
const FILE_VARIABLE: &str = "TOKEN_SERVICE_CONFIG";

/// The configuration of the service. `Debug` shows no secret.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// The address of `/healthz`, `/readyz` and `/metrics`, if not `listen`.
    pub(crate) operations_listen: Option<SocketAddr>,
    pub(crate) tls: Option<Tls>,
    pub(crate) acs: Acs,
    pub(crate) database: Database,
    /// The issuers of callers' tokens: one or more.
    pub(crate) issuers: Issuers,
    pub(crate) tokens: Tokens,
    pub(crate) teams: Teams,
    pub(crate) sidecar: Option<Sidecar>,
    pub(crate) operators: Operators,
    pub(crate) origins: Vec<String>,
    /// Set if pages of the public internet may call a service in a private network.
    pub(crate) allow_private_network: bool,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    /// The time between the signal to stop and the end of new connections.
    pub(crate) shutdown_delay: Duration,
    /// The time that in-flight requests have when the service ends.
    pub(crate) drain: Duration,
}

/// TLS by files.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// The configuration from the files.
    pub(crate) server: Arc<ServerConfig>,
    /// The hash of the files from which `server` is.
    pub(crate) contents: u64,
}

/// The bounds of requests and connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    pub(crate) requests_per_minute: NonZeroU32,
    pub(crate) fresh_tokens_per_hour: NonZeroU32,
    pub(crate) acs_costs_per_hour: NonZeroU32,
    pub(crate) request: Duration,
    pub(crate) body_bytes: usize,
    /// The limit for the pause between two requests of a connection.
    pub(crate) idle: Duration,
    /// The limit of the API's connections.
    pub(crate) connections: usize,
}

/// Reads the configuration. Returns `None` without a file and variables.
///
/// # Arguments
///
/// * `path` - The file, if the command line names it; the environment can name it, too.
/// * `variables` - The environment. Variables of other programs are ignored.
/// * `files` - Reads the files.
///
/// # Errors
///
/// All faults.
pub(crate) fn read(
    path: Option<PathBuf>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    files: ReadFile<'_>,
) -> Result<Option<Config>, Vec<Fault>> {
    let mut environment = Environment::new(PROGRAM, variables);
    // Variables that are all empty are a lost configuration, and not the lack of one.
    if path.is_none() && !environment.is_set() {
        return Ok(None);
    }
    let (path, unusable) = match (path, environment.take_path(FILE_VARIABLE)) {
        (Some(path), _) => (Some(path), None),
        (None, Ok(path)) => (path, None),
        (None, Err(fault)) => (None, Some(fault)),
    };
    let (table, unusable) = match path.map(|path| table(&path, files)) {
        Some(Ok(table)) => (table, unusable),
        Some(Err(fault)) => (Table::new(), Some(fault)),
        None => (Table::new(), unusable),
    };
    let (sections, mut report) = settings::read::<Sections>(table, &environment, files);
    if let Some(fault) = unusable {
        // Without the file, no key is known to be missing.
        report.add(fault);
        return report.finish(None);
    }
    let config = Config::of(sections, &mut report);
    report.finish(config).map(Some)
}

fn table(path: &std::path::Path, files: ReadFile<'_>) -> Result<Table, Fault> {
    files(path)
        .map_err(|error| format!("the file cannot be read: {error}"))
        .and_then(settings::table)
        .map_err(|reason| Fault::new(path.display().to_string(), reason))
}

impl Config {
    /// Checks all sections. Returns `None` after a fault.
    fn of(mut sections: Sections, report: &mut Report<'_>) -> Option<Self> {
        // Checks send nothing, and find the same faults on a machine without certificates.
        let http = match http::plain() {
            Ok(http) => http,
            Err(error) => {
                report.add(Fault::new("the HTTP client", error.to_string()));
                return None;
            }
        };
        let transport = http::transport(http.clone());
        let kind = sections.issuer.kind;
        let (listen, operations_listen) = listeners(&sections, report);
        let applications = Applications::of(&mut sections, report);
        let tls = Tls::of(sections.tls, report);
        let sidecar = Sidecar::of(sections.sidecar, report, &transport);
        let acs = Acs::of(sections.acs, &applications, report, &transport);
        let database = Database::of(sections.database, &applications, report);
        if let (Some(acs), Some(database)) = (&acs, &database)
            && acs.replicas.get() > 1
            && !database.is_shared()
        {
            report.fault(
                "acs.replicas",
                "is more than 1, but replicas cannot share a database of SQLite; set database.url to one of PostgreSQL",
            );
        }
        let operators = Operators::of(sections.admin, &sections.issuer, report);
        let issuers = Issuers::of(sections.issuer, sections.other_issuers, report, &http);
        let tokens = Tokens::of(sections.tokens, report);
        // A faulty resource has a fault of its own.
        let is_encrypted = acs.as_ref().is_none_or(|acs| acs.authentication.is_encrypted());
        let teams = Teams::of(sections.teams, kind, is_encrypted, report);
        let origins = sections.cors.origins.map(List::into_inner).unwrap_or_default();
        let log = sections.log;
        Some(Self {
            listen,
            operations_listen,
            tls,
            acs: acs?,
            database: database?,
            issuers: issuers?,
            tokens: tokens?,
            teams,
            sidecar,
            operators,
            allow_private_network: sections.cors.allow_private_network == Some(true),
            origins: origins.into_iter().map(|origin| origin.0).collect(),
            limits: Limits::of(&sections.limits)?,
            log: Log {
                format: log.format.unwrap_or(LogFormat::Text),
                filter: log.filter.map_or_else(|| "info".to_owned(), |filter| filter.0),
            },
            shutdown_delay: seconds(sections.shutdown.delay_seconds.map_or(0, Whole::get)),
            drain: seconds(sections.shutdown.drain_seconds.map_or(30, Whole::get)),
        })
    }
}

/// Checks the addresses of the API and the operations.
fn listeners(sections: &Sections, report: &mut Report<'_>) -> (SocketAddr, Option<SocketAddr>) {
    let api = sections
        .listen
        .map_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), |Address(address)| {
            address
        });
    let operations = sections.operations_listen.map(|Address(address)| address);
    if operations == Some(api) && api.port() != 0 {
        report.fault(
            "operations_listen",
            "is the same as listen; give it another port, or remove it to serve the operations with the API",
        );
    }
    let allows_plain_http = sections.allow_plain_http == Some(true) || report.has_fault("allow_plain_http");
    let has_tls = report.has("tls.certificate") || report.has("tls.key");
    if !api.ip().is_loopback() && !has_tls && !allows_plain_http {
        report.fault(
            "listen",
            "is no loopback address, and without tls.certificate and tls.key others on the network can read the \
             tokens of users; set these, or allow_plain_http = true where only a proxy that terminates TLS can reach it",
        );
    }
    (api, operations)
}

impl Tls {
    /// Checks the section, which can be left out.
    fn of(section: TlsSection, report: &mut Report<'_>) -> Option<Self> {
        const CERTIFICATE: &str = "tls.certificate";
        const KEY: &str = "tls.key";
        if report.has(CERTIFICATE) {
            report.missing(KEY, "it is the PEM file with the private key of tls.certificate");
        }
        if report.has(KEY) {
            report.missing(
                CERTIFICATE,
                "it is the PEM file with the certificate of tls.key, and those that vouch for it",
            );
        }
        let certificate = report.file(CERTIFICATE, section.certificate.as_deref());
        let key = report.file(KEY, section.key.as_deref());
        let (certificate, key) = (certificate?, key?);
        match tls::server_config(&certificate, &key) {
            Ok(server) => Some(Self {
                contents: tls::contents_hash(&certificate, &key),
                certificate: section.certificate?,
                key: section.key?,
                server,
            }),
            Err(fault) => {
                report.fault(if fault.is_of_key() { KEY } else { CERTIFICATE }, fault.to_string());
                None
            }
        }
    }
}

impl Limits {
    fn of(section: &LimitsSection) -> Option<Self> {
        let requests_per_minute = section.requests_per_minute.map_or(120, Whole::get);
        let body_bytes = section.body_bytes.map_or(16_384, Whole::get);
        Some(Self {
            requests_per_minute: NonZeroU32::new(requests_per_minute)?,
            fresh_tokens_per_hour: NonZeroU32::new(section.fresh_tokens_per_hour.map_or(10, Whole::get))?,
            acs_costs_per_hour: NonZeroU32::new(section.acs_costs_per_hour.map_or(60, Whole::get))?,
            request: seconds(section.request_seconds.map_or(30, Whole::get)),
            body_bytes: usize::try_from(body_bytes).ok()?,
            idle: seconds(section.idle_seconds.map_or(75, Whole::get)),
            connections: usize::try_from(section.connections.map_or(2000, Whole::get)).ok()?,
        })
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}
