//! What surrounds the service: listeners, database, Teams, browsers, limits and logs.

use super::{address, given::Given, issuer::guid};
use crate::{logs, tls};
use azure_core::credentials::Secret;
use rustls::ServerConfig;
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

/// TLS by files.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// What the files hold now.
    pub(crate) server: Arc<ServerConfig>,
}

impl Tls {
    pub(super) fn of(given: &mut Given<'_>) -> Option<Self> {
        const CERTIFICATE: &str = "tls.certificate";
        const KEY: &str = "tls.key";
        for (key, other, reason) in [
            (
                CERTIFICATE,
                KEY,
                "it is the PEM file with the private key of tls.certificate",
            ),
            (
                KEY,
                CERTIFICATE,
                "it is the PEM file with the certificate of tls.key, and those that vouch for it",
            ),
        ] {
            if given.has(key) && !given.has(other) {
                given.missing(other, reason);
            }
        }
        let certificate = given.file(CERTIFICATE);
        let key = given.file(KEY);
        match tls::server_config(&certificate?, &key?) {
            Ok(server) => Some(Self {
                certificate: given.text(CERTIFICATE)?.into(),
                key: given.text(KEY)?.into(),
                server,
            }),
            Err(fault) => {
                given.fault(if fault.is_of_key() { KEY } else { CERTIFICATE }, fault.to_string());
                None
            }
        }
    }
}

/// `[database]`.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: Secret,
    pub(crate) max_connections: u32,
}

impl Database {
    pub(super) fn of(given: &mut Given<'_>) -> Option<Self> {
        const URL: &str = "database.url";
        const FILE: &str = "database.url_file";
        let key = if given.has(FILE) { FILE } else { URL };
        let url = if given.has(URL) || given.has(FILE) {
            given.secret(URL, FILE)
        } else {
            Some("sqlite://token_service.db?mode=rwc".to_owned())
        };
        let max_connections = given.number("database.max_connections", 1..=1000, 8);
        let url = url?;
        let is_good = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => url.parse::<SqliteConnectOptions>().is_ok(),
            Some("postgres" | "postgresql") => url.parse::<PgConnectOptions>().is_ok(),
            _ => false,
        };
        if !is_good {
            given.fault(
                key,
                "has to look like sqlite://path/to/file.db?mode=rwc or postgres://user:password@host/database",
            );
            return None;
        }
        Some(Self {
            url: Secret::new(url),
            max_connections: u32::try_from(max_connections).ok()?,
        })
    }

    /// Whether replicas can use it together.
    pub(super) fn is_shared(&self) -> bool {
        !self.url.secret().starts_with("sqlite:")
    }
}

/// `[teams]`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Teams {
    pub(crate) client_id: String,
    /// The API of the sidecar that acquires the tokens of Teams users, where they do not send them.
    pub(crate) sidecar_api: Option<String>,
}

impl Teams {
    pub(super) fn of(given: &mut Given<'_>) -> Option<Self> {
        if !given.has("teams.client_id") && !given.has("teams.sidecar_api") {
            return None;
        }
        let reason = "it is the application (client) id that the Teams tokens are issued to";
        Some(Self {
            client_id: guid(given, "teams.client_id", reason)?,
            sidecar_api: given.text("teams.sidecar_api"),
        })
    }
}

/// `[limits]`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    pub(crate) requests_per_minute: NonZeroU32,
    pub(crate) request: Duration,
    pub(crate) body_bytes: usize,
    /// How long a client may take for the head of a request, and how long a connection may be idle.
    pub(crate) idle: Duration,
}

impl Limits {
    pub(super) fn of(given: &mut Given<'_>) -> Self {
        let requests_per_minute = given.number("limits.requests_per_minute", 1..=1_000_000, 120);
        let request = given.number("limits.request_seconds", 1..=600, 30);
        let body_bytes = given.number("limits.body_bytes", 1024..=1_048_576, 16384);
        let idle = given.number("limits.idle_seconds", 1..=3600, 75);
        Self {
            requests_per_minute: u32::try_from(requests_per_minute)
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
            request: Duration::from_secs(request.unsigned_abs()),
            body_bytes: usize::try_from(body_bytes).unwrap_or(usize::MAX),
            idle: Duration::from_secs(idle.unsigned_abs()),
        }
    }
}

/// `[log]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Log {
    pub(super) fn of(given: &mut Given<'_>) -> Option<Self> {
        let format = match given.text("log.format").as_deref() {
            Some("text") | None => Some(LogFormat::Text),
            Some("json") => Some(LogFormat::Json),
            Some(_) => {
                given.fault("log.format", "has to be \"text\" or \"json\"");
                None
            }
        };
        let filter = given.text("log.filter").unwrap_or_else(|| "info".to_owned());
        if logs::filter(&filter).is_err() {
            given.fault(
                "log.filter",
                "has to be error, warn, info, debug or trace, or such levels for targets: \
                 \"info,token_service=debug\"",
            );
        }
        Some(Self {
            format: format?,
            filter,
        })
    }
}

/// An address to listen on; `None` after a fault.
pub(super) fn socket_address(given: &mut Given<'_>, key: &str, text: &str) -> Option<SocketAddr> {
    let address = text.trim().parse().ok();
    if address.is_none() {
        given.fault(
            key,
            "has to be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        );
    }
    address
}

/// `cors.origins`: whose pages in a browser may use the API.
pub(super) fn origins(given: &mut Given<'_>) -> Vec<String> {
    let origins = given.list("cors.origins").unwrap_or_default();
    let is_origin =
        |origin: &String| address::secure_url(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
    if !origins.iter().all(is_origin) {
        given.fault(
            "cors.origins",
            "has to be a list of origins such as https://app.contoso.com: no path, no slash at the end, no `*`; http:// \
             for loopback hosts only",
        );
    }
    origins
}
