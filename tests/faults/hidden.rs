//! What an error shows: one line, no secret, and no more of an answer than the client reads.

use crate::support::secrets::fragments;
use azure_communication_identity::CommunicationError;
use azure_core::{Error, error::ErrorKind};
use std::{error, fmt::Write as _};

/// The longest body that SECURITY.md lets a client read.
const MEBIBYTE: usize = 1024 * 1024;

/// Looks for pieces of secrets in all that an error can show.
pub(crate) fn assert_fit_to_show(error: &Error, secrets: &[String], case: &str) {
    let line = error.to_string();
    assert!(!line.contains(char::is_control), "{case}: {line:?}");
    // Texts of an answer are cut off at 1000 characters, and its excerpt at 200.
    assert!(line.chars().count() < 3000, "{case}: {line}");

    let mut shown = format!("{:?}", CommunicationError::from_error(error));
    let mut next: Option<&(dyn error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        write!(shown, "{error} {error:?} {error:#?}").unwrap();
        next = error.source();
    }
    for fragment in secrets.iter().flat_map(|secret| fragments(secret)) {
        assert!(!shown.contains(fragment), "{case}: {fragment} in {shown}");
    }

    if let ErrorKind::HttpResponse {
        raw_response: Some(response),
        ..
    } = error.kind()
    {
        assert!(response.body().len() <= MEBIBYTE, "{case}");
    }
}
