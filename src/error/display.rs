//! The text of a failure, on one line.

use super::{CommunicationError, CommunicationErrorDetail};
use std::fmt::{self, Write as _};

/// The most characters of the service's texts that are shown; the error's fields hold the whole.
const MAX_CHARS: usize = 1000;

impl fmt::Display for CommunicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.status.canonical_reason())?;

        let mut line = OneLine::new(f);
        if let Some(code) = &self.code {
            write!(line, ": {code}")?;
        }
        write_message(&mut line, self.message.as_deref(), self.target.as_deref())?;
        write_causes(&mut line, &self.details, self.inner_error.as_deref())?;
        if let Some(excerpt) = &self.body_excerpt {
            write!(line, ": the body is not an error of the service, it begins: {excerpt}")?;
        }

        if let Some(remedy) = &self.remedy {
            write!(f, ". {remedy}")?;
        }
        for (name, id) in [
            ("x-ms-client-request-id", &self.client_request_id),
            ("MS-CV", &self.correlation_vector),
        ] {
            if let Some(id) = id {
                write!(OneLine::new(f), " [{name}: {id}]")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for CommunicationErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_detail(&mut OneLine::new(f), self)
    }
}

fn write_detail(line: &mut OneLine<'_, '_>, error: &CommunicationErrorDetail) -> fmt::Result {
    line.write_str(error.code.as_deref().unwrap_or("no code"))?;
    write_message(line, error.message.as_deref(), error.target.as_deref())?;
    write_causes(line, &error.details, error.inner_error.as_deref())
}

fn write_message(line: &mut OneLine<'_, '_>, message: Option<&str>, target: Option<&str>) -> fmt::Result {
    if let Some(message) = message {
        // The sentence goes on after it.
        write!(line, ": {}", message.trim_end_matches('.'))?;
    }
    if let Some(target) = target {
        write!(line, " (target: {target})")?;
    }
    Ok(())
}

fn write_causes(
    line: &mut OneLine<'_, '_>,
    details: &[CommunicationErrorDetail],
    inner_error: Option<&CommunicationErrorDetail>,
) -> fmt::Result {
    for detail in details {
        if line.is_full() {
            return Ok(());
        }
        line.write_str("; detail: ")?;
        write_detail(line, detail)?;
    }
    if let Some(inner_error) = inner_error {
        line.write_str("; inner error: ")?;
        write_detail(line, inner_error)?;
    }
    Ok(())
}

/// Writes texts from outside, which must neither start a line in a log nor fill it.
struct OneLine<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    written: usize,
}

impl<'a, 'f> OneLine<'a, 'f> {
    fn new(f: &'a mut fmt::Formatter<'f>) -> Self {
        Self { f, written: 0 }
    }

    fn is_full(&self) -> bool {
        self.written > MAX_CHARS
    }
}

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.is_full() {
                return Ok(());
            }
            self.f.write_char(match c {
                _ if self.written == MAX_CHARS => '…',
                c if c.is_control() => ' ',
                c => c,
            })?;
            self.written += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_is_one_bounded_line() {
        let detail = CommunicationErrorDetail {
            code: Some("A\r\nB".to_owned()),
            message: Some("m".repeat(900)),
            ..Default::default()
        };
        assert!(detail.to_string().starts_with("A  B: mmm"));

        let many = CommunicationErrorDetail {
            details: vec![detail; 20_000],
            ..Default::default()
        };
        let text = many.to_string();
        assert_eq!(text.chars().count(), MAX_CHARS + 1);
        assert!(text.ends_with("mm…"), "{text}");
    }
}
