//! The configuration: a TOML file and the environment, which overrides it.

mod acs;
mod address;
mod cors;
mod database;
mod fault;
mod given;
mod issuer;
mod keys;
mod limits;
mod listeners;
mod log;
mod sidecar;
mod teams;
mod tls;
mod tokens;

#[cfg(test)]
mod tests;

pub(crate) use acs::{Acs, Authentication, Credential};
pub(crate) use database::Database;
pub(crate) use fault::Fault;
pub(crate) use given::ReadFile;
pub(crate) use issuer::{Issuer, IssuerKind};
pub(crate) use limits::Limits;
pub(crate) use sidecar::Sidecar;
pub(crate) use teams::Teams;
pub(crate) use tls::Tls;
pub(crate) use tokens::Tokens;

use crate::{http, logs::Log};
use given::Given;
use keys::FILE_VARIABLE;
use listeners::Listeners;
use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

/// The configuration of the service. `Debug` shows no secret.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// The address of `/healthz`, `/readyz` and `/metrics`, if not `listen`.
    pub(crate) operations_listen: Option<SocketAddr>,
    pub(crate) tls: Option<Tls>,
    pub(crate) acs: Acs,
    pub(crate) database: Database,
    pub(crate) issuer: Issuer,
    pub(crate) tokens: Tokens,
    pub(crate) teams: Option<Teams>,
    pub(crate) sidecar: Option<Sidecar>,
    pub(crate) origins: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    /// The time between the signal to stop and the end of new connections.
    pub(crate) shutdown_delay: Duration,
    /// The time that in-flight requests have when the service ends.
    pub(crate) drain: Duration,
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
    let variables: Vec<_> = variables.into_iter().collect();
    let named = variables
        .iter()
        .find(|(name, value)| name == FILE_VARIABLE && !value.is_empty());
    let path = path.or_else(|| named.map(|(_, value)| value.into()));
    let variables = given::ours(variables);
    if path.is_none() && variables.is_empty() {
        return Ok(None);
    }

    let mut given = Given::new(files);
    if let Some(path) = path
        && !given.add_file(&path)
    {
        // Without the file, no key is known to be missing.
        given.add_environment(variables);
        return Err(given.into_faults());
    }
    given.add_environment(variables);
    match (Config::of(&mut given), given.into_faults()) {
        (Some(config), faults) if faults.is_empty() => Ok(Some(config)),
        (_, faults) => Err(faults),
    }
}

impl Config {
    /// Reads all sections. Returns `None` after a fault.
    fn of(given: &mut Given<'_>) -> Option<Self> {
        // Checks send nothing, and find the same faults on a machine without certificates.
        let http = http::plain().map_err(|error| given.fault_of("the HTTP client", error.to_string()));
        let http = http.ok()?;
        let transport = http::transport(http.clone());
        let listeners = Listeners::of(given);
        let tls = Tls::of(given);
        let sidecar = Sidecar::of(given, &transport);
        let acs = Acs::of(given, &transport);
        let database = Database::of(given);
        if let (Some(acs), Some(database)) = (&acs, &database)
            && acs.replicas.get() > 1
            && !database.is_shared()
        {
            given.fault(
                "acs.replicas",
                "is more than 1, but replicas cannot share a database of SQLite; set database.url to one of PostgreSQL",
            );
        }
        let issuer = Issuer::of(given, &http);
        let tokens = Tokens::of(given);
        let teams = Teams::of(given);
        let origins = cors::origins(given);
        let limits = Limits::of(given);
        let log = Log::of(given);
        let shutdown_delay = given.number("shutdown.delay_seconds", 0..=3600, 0);
        let drain = given.number("shutdown.drain_seconds", 0..=3600, 30);
        let listeners = listeners?;
        Some(Self {
            listen: listeners.api,
            operations_listen: listeners.operations,
            tls,
            acs: acs?,
            database: database?,
            issuer: issuer?,
            tokens: tokens?,
            teams,
            sidecar,
            origins,
            limits,
            log: log?,
            shutdown_delay: Duration::from_secs(shutdown_delay.unsigned_abs()),
            drain: Duration::from_secs(drain.unsigned_abs()),
        })
    }
}
