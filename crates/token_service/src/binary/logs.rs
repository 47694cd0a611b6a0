//! The log, on stderr.

use serde::Deserialize;
use std::{
    error::Error,
    io::{self, IsTerminal},
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt};

/// The pipeline of Azure's SDK logs the URL of a failed request at INFO, and with it the user's identity.
const PIPELINE_FILTER: &str = "typespec_client_core=warn";
/// The audit log, which another level of the log does not turn off.
const AUDIT_FILTER: &str = "token_service::audit=info";

/// The settings of the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Parses a filter: levels, or levels of targets. A named target overrides [`PIPELINE_FILTER`] and
/// [`AUDIT_FILTER`].
pub(crate) fn filter(directives: &str) -> Result<EnvFilter, Box<dyn Error>> {
    // A misspelt level would be parsed as a target, and turn the log off.
    for word in directives.split(',') {
        if !word.is_empty() && !word.contains(['=', '[']) {
            word.parse::<LevelFilter>()?;
        }
    }
    let filter = EnvFilter::builder().parse(format!("{PIPELINE_FILTER},{AUDIT_FILTER},{directives}"))?;
    Ok(filter)
}

/// Installs the subscriber of this process.
pub(crate) fn start(log: &Log) -> Result<(), Box<dyn Error>> {
    let builder = fmt()
        .with_env_filter(filter(&log.filter)?)
        .with_writer(io::stderr)
        // It would panic if stderr is closed, or its file is on a full disk.
        .log_internal_errors(false);
    match log.format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex, PoisonError};
    use tracing::{debug, info, subscriber::with_default, warn};

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(directives: &str) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = fmt()
            .with_env_filter(filter(directives).unwrap())
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        with_default(subscriber, || {
            info!(target: "typespec_client_core::http::policies::logging", "<== Failed response: url: 8:acs:1_2");
            warn!(target: "typespec_client_core::http", "a warning of the pipeline");
            info!(target: "token_service", "an event");
            debug!(target: "token_service", "a detail");
            info!(target: "token_service::audit", "an action");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn audit_log_is_turned_off_by_its_name_only() {
        for (directives, written) in [
            ("info", true),
            ("warn", true),
            ("off", true),
            ("error,token_service=error", true),
            ("info,token_service::audit=off", false),
        ] {
            assert_eq!(logged(directives).contains("an action"), written, "{directives}");
        }
    }

    #[test]
    fn urls_of_failed_requests_are_logged_on_request_only() {
        for (directives, url, detail) in [
            ("info", false, false),
            ("debug", false, true),
            ("info,token_service=debug", false, true),
            ("info,typespec_client_core=info", true, false),
        ] {
            let log = logged(directives);
            assert_eq!(log.contains("8:acs:"), url, "{directives}: {log}");
            assert_eq!(log.contains("a detail"), detail, "{directives}: {log}");
            assert!(
                log.contains("an event") && log.contains("a warning of the pipeline"),
                "{log}"
            );
        }
        for directives in [
            "token_service=loud",
            "infoo",
            "info,token_service",
            "loud,token_service=debug",
        ] {
            assert!(filter(directives).is_err(), "{directives}");
        }
        for directives in ["", "OFF", "warn,token_service=debug,", "token_service[request]=debug"] {
            assert!(filter(directives).is_ok(), "{directives}");
        }
    }
}
