//! `[cors]`: the origins of web pages that may call the API.

use super::{address, given::Given};

/// Reads the origins.
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
