//! The line that announces the service.

use crate::listen::Bound;
use serde::Serialize;
use std::io::{self, StdoutLock, Write};

/// The line that announces the service. What is not there is left out.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ready {
    event: &'static str,
    pub(crate) endpoint: String,
    pub(crate) operations_endpoint: String,
    #[serde(flatten)]
    pub(crate) local: Option<LocalParts>,
}

/// What runs beside the service without configuration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LocalParts {
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    pub(crate) emulator_endpoint: String,
}

impl Ready {
    pub(crate) fn new(api: &Bound, operations: Option<&Bound>, tls: bool) -> Self {
        let scheme = if tls { "https" } else { "http" };
        let endpoint = format!("{scheme}://{}/", api.address());
        let operations_endpoint = operations.map(|bound| format!("http://{}/", bound.address()));
        Self {
            event: "ready",
            operations_endpoint: operations_endpoint.unwrap_or_else(|| endpoint.clone()),
            endpoint,
            local: None,
        }
    }

    /// Prints the line, and what is to follow it.
    pub(crate) fn print(&self, follow: impl FnOnce(&mut StdoutLock<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        serde_json::to_writer(&mut stdout, self)?;
        writeln!(stdout)?;
        follow(&mut stdout)?;
        stdout.flush()
    }
}
