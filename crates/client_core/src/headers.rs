//! Headers of responses.

use azure_core::{
    http::{
        RawResponse,
        headers::{HeaderName, Headers, RETRY_AFTER, RETRY_AFTER_MS, X_MS_RETRY_AFTER_MS},
        policies::get_retry_after,
    },
    time::{Duration, OffsetDateTime, parse_rfc7231},
};

/// The headers that ask for a wait, in the order in which they count.
pub const RETRY_HEADERS: [HeaderName; 3] = [X_MS_RETRY_AFTER_MS, RETRY_AFTER_MS, RETRY_AFTER];

/// The time of a response.
const DATE: HeaderName = HeaderName::from_static_standard("date");

/// Returns a header. The getters of [`Headers`] build an error for a missing one.
#[must_use]
pub fn header<'a>(headers: &'a Headers, name: &HeaderName) -> Option<&'a str> {
    let mut headers = headers.iter();
    headers
        .find(|(found, _)| found.as_str() == name.as_str())
        .map(|(_, value)| value.as_str())
}

/// Returns the time of a response.
#[must_use]
pub fn date(headers: &Headers) -> Option<OffsetDateTime> {
    parse_rfc7231(header(headers, &DATE)?).ok()
}

/// Returns the wait that a response asks for, as azure_core reads it, but never a negative one.
#[must_use]
pub fn retry_after(headers: &Headers) -> Option<Duration> {
    let wait = get_retry_after(headers, OffsetDateTime::now_utc, &RETRY_HEADERS);
    wait.map(|wait| wait.max(Duration::ZERO))
}

/// Replaces a date in `Retry-After` by the seconds from the response's own `Date` to it. azure_core and [`retry_after`]
/// measure a date by the machine's clock, which can be wrong by hours.
pub(crate) fn resolve_retry_after(response: RawResponse) -> RawResponse {
    let headers = response.headers();
    let retry_at = header(headers, &RETRY_AFTER).and_then(|date| parse_rfc7231(date).ok());
    let (Some(retry_at), Some(now)) = (retry_at, date(headers)) else {
        return response;
    };
    let seconds = (retry_at - now).whole_seconds().max(0);
    let (status, mut headers, body) = response.deconstruct();
    headers.insert(RETRY_AFTER, seconds.to_string());
    RawResponse::from_bytes(status, headers, body)
}
