//! `[log]`: the format and the filter of the log.

use super::given::Given;
use crate::logs::{self, Log, LogFormat};

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
