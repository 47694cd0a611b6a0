//! `[tls]`: the certificate and its key, by files.

use super::given::Given;
use crate::tls;
use rustls::ServerConfig;
use std::{path::PathBuf, sync::Arc};

/// TLS by files.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// The configuration from the files.
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
