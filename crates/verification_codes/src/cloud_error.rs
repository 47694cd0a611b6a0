//! What went wrong with one of Azure's services.

use azure_core::error::{Error, ErrorKind};
use std::fmt::{self, Display, Formatter};

/// A failure as it may stand in a log: the service's status and code, or what kind of failure it was. The texts of the
/// clients' own errors can hold the URL of a queue, and with it a signature.
#[derive(Debug)]
pub(crate) struct CloudError {
    said: String,
    code: Option<String>,
}

impl CloudError {
    /// The service's own code, such as `QueueNotFound`.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    pub(crate) fn other(said: &str) -> Self {
        Self {
            said: said.to_owned(),
            code: None,
        }
    }
}

impl From<Error> for CloudError {
    fn from(error: Error) -> Self {
        let said = match error.kind() {
            ErrorKind::HttpResponse { status, error_code, .. } => {
                let code = error_code.clone();
                return Self {
                    said: format!("it answered {status} {}", code.as_deref().unwrap_or_default()),
                    code,
                };
            }
            ErrorKind::Connection => "it cannot be reached",
            ErrorKind::Io => "the connection to it was lost",
            ErrorKind::DataConversion => "its answer cannot be read",
            ErrorKind::Credential => return Self::other(&format!("there is no token for it: {}", reasons(&error))),
            ErrorKind::Other => "the request could not be made",
        };
        Self::other(said)
    }
}

/// What a credential says is in the sources of the error.
fn reasons(error: &Error) -> String {
    let mut reasons = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(reason) = source {
        reasons.push(reason.to_string());
        source = reason.source();
    }
    if reasons.is_empty() {
        reasons.push(error.to_string());
    }
    reasons.join(": ")
}

impl Display for CloudError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for CloudError {}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::StatusCode;

    #[test]
    fn a_failure_is_told_without_the_text_of_the_client() {
        let secret = "http://127.0.0.1/codes?sig=c2VjcmV0";
        for (kind, said) in [
            (ErrorKind::Connection, "it cannot be reached"),
            (ErrorKind::Io, "the connection to it was lost"),
            (ErrorKind::DataConversion, "its answer cannot be read"),
            (ErrorKind::Other, "the request could not be made"),
        ] {
            let error = CloudError::from(Error::with_message(kind, secret));
            assert_eq!(error.to_string(), said);
        }
        let answered = ErrorKind::HttpResponse {
            status: StatusCode::NotFound,
            error_code: Some("QueueNotFound".to_owned()),
            raw_response: None,
        };
        let error = CloudError::from(Error::with_message(answered, secret));
        assert_eq!(error.to_string(), "it answered 404 QueueNotFound");
        assert_eq!(error.code(), Some("QueueNotFound"));
    }

    #[test]
    fn a_credential_says_why_it_has_no_token() {
        let reason = Error::with_message(ErrorKind::Other, "run `az login`");
        let error = CloudError::from(Error::new(ErrorKind::Credential, reason));
        assert_eq!(error.to_string(), "there is no token for it: run `az login`");
    }
}
