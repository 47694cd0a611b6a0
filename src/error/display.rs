//! A failure on one line.

use super::{CommunicationError, CommunicationErrorDetail};
use std::fmt;

/// The most characters of one text of the service that are shown; the error's fields hold the whole.
const MAX_CHARS: usize = 500;

impl fmt::Display for CommunicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.status.canonical_reason())?;
        if let Some(code) = &self.code {
            write!(f, ": {}", OneLine(code))?;
        }
        write_message(f, self.message.as_deref(), self.target.as_deref())?;
        write_causes(f, &self.details, self.inner_error.as_deref())?;
        if let Some(excerpt) = &self.body_excerpt {
            write!(f, ": the body is not the service's own, it begins: {excerpt}")?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, ". {remedy}")?;
        }
        for (name, id) in [
            ("x-ms-client-request-id", &self.client_request_id),
            ("MS-CV", &self.correlation_vector),
        ] {
            if let Some(id) = id {
                write!(f, " [{name}: {}]", OneLine(id))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for CommunicationErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OneLine(self.code.as_deref().unwrap_or("no code")).fmt(f)?;
        write_message(f, self.message.as_deref(), self.target.as_deref())?;
        write_causes(f, &self.details, self.inner_error.as_deref())
    }
}

fn write_message(f: &mut fmt::Formatter<'_>, message: Option<&str>, target: Option<&str>) -> fmt::Result {
    if let Some(message) = message {
        // The sentence goes on after it.
        write!(f, ": {}", OneLine(message.trim_end_matches('.')))?;
    }
    if let Some(target) = target {
        write!(f, " (target: {})", OneLine(target))?;
    }
    Ok(())
}

fn write_causes(
    f: &mut fmt::Formatter<'_>,
    details: &[CommunicationErrorDetail],
    inner_error: Option<&CommunicationErrorDetail>,
) -> fmt::Result {
    for detail in details {
        write!(f, "; detail: {detail}")?;
    }
    if let Some(inner_error) = inner_error {
        write!(f, "; inner error: {inner_error}")?;
    }
    Ok(())
}

/// A text from outside, which cannot start a line of its own in a log, nor fill it.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(MAX_CHARS) {
            fmt::Write::write_char(f, if c.is_control() { ' ' } else { c })?;
        }
        if self.0.chars().nth(MAX_CHARS).is_some() {
            f.write_str("…")?;
        }
        Ok(())
    }
}
