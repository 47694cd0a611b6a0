//! Limits of what an error shows: one line, no secret, and no more of a response than the client reads.

use crate::support::secrets::fragments;
use azure_communication_identity::CommunicationError;
use azure_core::{Error, error::ErrorKind};
use memchr::memmem;
use std::{error, fmt::Write as _};

/// The longest body that SECURITY.md lets a client read.
const MEBIBYTE: usize = 1024 * 1024;

/// The length of `Debug` from which the pretty form is left out.
const LONG_DEBUG: usize = 20_000;

/// Asserts that an error is one bounded line, and shows no piece of a secret.
pub(crate) fn assert_fit_to_show(error: &Error, secrets: &[String], case: &str) {
    let line = error.to_string();
    assert!(!line.contains(char::is_control), "{case}: {line:?}");
    // Texts of a response are cut off at 1000 characters, and its excerpt at 200.
    assert!(line.chars().count() < 3000, "{case}: {line}");

    let mut shown = format!("{:?}", CommunicationError::from_error(error));
    let mut next: Option<&(dyn error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let debug = format!("{error:?}");
        // The pretty form of an error with a hundred inner errors shows no more, and takes a hundred times as long.
        if debug.len() < LONG_DEBUG {
            write!(shown, "{error:#?}").unwrap();
        }
        write!(shown, "{error} {debug}").unwrap();
        next = error.source();
    }
    for fragment in secrets.iter().flat_map(|secret| fragments(secret)) {
        let found = memmem::find(shown.as_bytes(), fragment.as_bytes());
        assert!(found.is_none(), "{case}: {fragment} in {shown}");
    }

    if let ErrorKind::HttpResponse {
        raw_response: Some(response),
        ..
    } = error.kind()
    {
        assert!(response.body().len() <= MEBIBYTE, "{case}");
    }
}
