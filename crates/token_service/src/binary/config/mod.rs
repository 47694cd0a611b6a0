//! The configuration: a TOML file and the environment, which counts for more.

mod acs;
mod address;
mod fault;
mod given;
mod issuer;
mod keys;
mod surroundings;
mod tokens;

#[cfg(test)]
mod tests;

pub(crate) use acs::{Acs, Authentication, Credential};
pub(crate) use fault::Fault;
pub(crate) use given::ReadFile;
pub(crate) use issuer::{Issuer, IssuerKind};
pub(crate) use surroundings::{Database, Limits, Log, LogFormat, Teams, Tls};
pub(crate) use tokens::Tokens;

use entra_sidecar::{SidecarClient, SidecarClientOptions};
use given::Given;
use keys::FILE_VARIABLE;
use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

/// What the service is to be. `Debug` shows no secret.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` are served, if not on `listen`.
    pub(crate) operations_listen: Option<SocketAddr>,
    pub(crate) tls: Option<Tls>,
    pub(crate) acs: Acs,
    pub(crate) database: Database,
    pub(crate) issuer: Issuer,
    pub(crate) tokens: Tokens,
    pub(crate) teams: Option<Teams>,
    pub(crate) sidecar: Option<SidecarClient>,
    pub(crate) origins: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    /// How long requests that are under way may take when the service is to end.
    pub(crate) drain: Duration,
}

/// Reads the configuration: `None` if there is none at all.
///
/// # Arguments
///
/// * `path` - The file, if the command line names it; the environment can name it, too.
/// * `variables` - The environment. Variables of others are passed over.
/// * `files` - What reads the files.
///
/// # Errors
///
/// Every fault that there is.
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
        // Nobody knows what is missing.
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
    /// `None` after a fault; there can be one of others, too.
    fn of(given: &mut Given<'_>) -> Option<Self> {
        let listen = given.text("listen").unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let listen = surroundings::socket_address(given, "listen", &listen);
        let operations_listen = given.text("operations_listen");
        let operations_listen =
            operations_listen.map(|address| surroundings::socket_address(given, "operations_listen", &address));
        let tls = Tls::of(given);
        if !given.has("tls.certificate") && !given.has("tls.key") && !given.flag("allow_plain_http") {
            check_plain_http(given, listen);
        }

        let sidecar = sidecar(given);
        let acs = Acs::of(given);
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
        let issuer = Issuer::of(given);
        let tokens = Tokens::of(given);
        let teams = Teams::of(given);
        let origins = surroundings::origins(given);
        let limits = Limits::of(given);
        let log = Log::of(given);
        let drain = given.number("shutdown.drain_seconds", 0..=3600, 30);
        Some(Self {
            listen: listen?,
            operations_listen: match operations_listen {
                Some(address) => Some(address?),
                None => None,
            },
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
            drain: Duration::from_secs(drain.unsigned_abs()),
        })
    }
}

/// Whoever reads the plain text of a connection can use the tokens in it.
fn check_plain_http(given: &mut Given<'_>, listen: Option<SocketAddr>) {
    if listen.is_some_and(|address| !address.ip().is_loopback()) {
        given.fault(
            "listen",
            "is no loopback address, and without tls.certificate and tls.key whoever is on the network can read the \
             tokens of users; set these, or allow_plain_http = true where nobody but a proxy that terminates TLS can \
             reach it",
        );
    }
}

/// The client of the sidecar, if there is one.
fn sidecar(given: &mut Given<'_>) -> Option<SidecarClient> {
    let Some(url) = given.text("sidecar.url") else {
        for (key, wanted) in [
            ("acs.sidecar_api", "acs.credential = \"sidecar\""),
            ("teams.sidecar_api", "Teams tokens"),
        ] {
            if given.has(key) && !given.has("sidecar.url") {
                let reason = format!("its sidecar is to be asked for {wanted}, such as http://localhost:5000");
                given.missing("sidecar.url", &reason);
                break;
            }
        }
        return None;
    };
    let options = SidecarClientOptions {
        allow_any_host: given.flag("sidecar.allow_any_host"),
        ..SidecarClientOptions::default()
    };
    let client = SidecarClient::new(&url, Some(options)).map_err(|_| {
        given.fault(
            "sidecar.url",
            "has to look like http://localhost:5000, without a user, a query or a fragment; on a host that is neither \
             this machine nor a private address, only with sidecar.allow_any_host = true",
        )
    });
    client.ok()
}
