//! The cached keys of an issuer, and the times that decide whether they are fetched again.

use crate::{
    error::{GuardError, KeysUnavailable},
    keys::{fetch::FetchError, key_set::KeySet},
};
use http::{
    HeaderMap, HeaderValue,
    header::{AGE, CACHE_CONTROL},
};
use std::{
    error::Error,
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, SystemTime},
};
use url::Url;

/// The lifetime of keys whose response does not say one.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The lifetime of the address that a discovery document names.
const DISCOVERY_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest interval between fetches for unknown keys. Any sender can name an unknown key.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(30);

/// The shortest interval between a failed fetch and the next one.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// The keys of an issuer, and the history of their fetches. All times come from the caller.
#[derive(Default)]
pub(super) struct KeyCache {
    keys: Option<CachedKeys>,
    /// The address of the keys, and the time of the fetch that discovered it.
    url: Option<(Url, SystemTime)>,
    /// The time and the error of the last fetch, if it failed.
    failure: Option<(SystemTime, Arc<FetchError>)>,
    /// The time of the last fetch for an unknown key.
    unknown_key_at: Option<SystemTime>,
}

pub(super) struct CachedKeys {
    pub(super) keys: Arc<KeySet>,
    pub(super) fetched_at: SystemTime,
    pub(super) lifetime: Duration,
}

impl KeyCache {
    /// Moves all times that are later than `now` to `now`. After the clock was set back, nothing lives longer than it would
    /// from `now` on.
    pub(super) fn clamp_to(&mut self, now: SystemTime) {
        let times = [
            self.keys.as_mut().map(|cached| &mut cached.fetched_at),
            self.url.as_mut().map(|(_, at)| at),
            self.failure.as_mut().map(|(at, _)| at),
            self.unknown_key_at.as_mut(),
        ];
        for time in times.into_iter().flatten() {
            *time = now.min(*time);
        }
    }

    /// Stores fetched keys and their address.
    pub(super) fn insert(&mut self, keys: CachedKeys, url: Url) {
        self.failure = None;
        self.url.get_or_insert((url, keys.fetched_at));
        self.keys = Some(keys);
    }

    /// Stores a failure. The next fetch asks the discovery document again.
    pub(super) fn insert_failure(&mut self, now: SystemTime, error: Arc<FetchError>) {
        self.url = None;
        self.failure = Some((now, error));
    }

    /// Returns the keys while their lifetime lasts.
    pub(super) fn fresh(&self, now: SystemTime) -> Option<Arc<KeySet>> {
        self.usable(now, Duration::ZERO)
    }

    /// Returns the keys while they may be used, for at most `stale_for` longer than their lifetime.
    pub(super) fn usable(&self, now: SystemTime, stale_for: Duration) -> Option<Arc<KeySet>> {
        let cached = self.keys.as_ref()?;
        let usable_for = cached.lifetime.saturating_add(stale_for);
        (age(cached.fetched_at, now) < usable_for).then(|| cached.keys.clone())
    }

    /// Returns the keys of the last fetch, however old, unless it failed.
    pub(super) fn last_fetched(&self) -> Option<Arc<KeySet>> {
        let keys = self.keys.as_ref().filter(|_| self.failure.is_none())?;
        Some(keys.keys.clone())
    }

    /// Returns the address of the keys unless the discovery document must be asked again.
    pub(super) fn url(&mut self, now: SystemTime) -> Option<Url> {
        self.url.take_if(|(_, at)| age(*at, now) >= DISCOVERY_TTL);
        self.url.as_ref().map(|(url, _)| url.clone())
    }

    /// Returns the last failure if it is too recent for another fetch.
    pub(super) fn recent_failure(&self, now: SystemTime) -> Option<Arc<FetchError>> {
        let (at, error) = self.failure.as_ref()?;
        (age(*at, now) < RETRY_INTERVAL).then(|| error.clone())
    }

    /// Returns the time until expired keys may be fetched again.
    pub(super) fn retry_delay(&self, now: SystemTime) -> Duration {
        let failed = self.failure.as_ref().map(|(at, _)| age(*at, now));
        RETRY_INTERVAL.saturating_sub(failed.unwrap_or_default())
    }

    /// Returns the time until an unknown key may start a fetch.
    pub(super) fn unknown_key_delay(&self, now: SystemTime) -> Duration {
        let at = self.unknown_key_at;
        at.map_or(Duration::ZERO, |at| UNKNOWN_KEY_INTERVAL.saturating_sub(age(at, now)))
    }

    /// Records that an unknown key starts a fetch. The discovery document is asked again, as the issuer may have moved its
    /// keys.
    pub(super) fn insert_unknown_key(&mut self, now: SystemTime) {
        self.unknown_key_at = Some(now);
        self.url = None;
    }

    /// Returns the response error with this failure, or the last one, as its source.
    pub(super) fn unavailable(&self, retry_after: Duration, error: Option<Arc<FetchError>>) -> GuardError {
        let last = self.failure.as_ref().map(|(_, last)| last.clone());
        GuardError::KeysUnavailable(KeysUnavailable {
            retry_after,
            source: error.or(last).map(|error| error as Arc<dyn Error + Send + Sync>),
        })
    }
}

/// Returns the age of an event: zero for one in the future, after the clock was set back.
fn age(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap_or_default()
}

/// Returns the rest of the lifetime that `Cache-Control` and `Age` give keys
/// ([RFC 9111](https://www.rfc-editor.org/rfc/rfc9111#section-4.2)), within bounds.
pub(super) fn lifetime(headers: &HeaderMap, bounds: &RangeInclusive<Duration>) -> Duration {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
    let directives: Vec<String> = headers.get_all(CACHE_CONTROL).iter().filter_map(text).collect();
    let age = headers.get(AGE).and_then(text).and_then(|age| seconds(age.trim()));
    let max_age = directives.join(",").split(',').filter_map(max_age).min();
    max_age
        .map_or(DEFAULT_LIFETIME, |max_age| {
            max_age.saturating_sub(age.unwrap_or_default())
        })
        .clamp(*bounds.start(), *bounds.end())
}

/// Reads the lifetime that one directive of `Cache-Control` gives.
fn max_age(directive: &str) -> Option<Duration> {
    let (name, argument) = match directive.split_once('=') {
        Some((name, argument)) => (name.trim(), Some(argument.trim())),
        None => (directive.trim(), None),
    };
    match name.to_ascii_lowercase().as_str() {
        "no-store" | "no-cache" => Some(Duration::ZERO),
        "max-age" => {
            let argument = argument.unwrap_or_default();
            let unquoted = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            // A lifetime that cannot be read counts as over.
            Some(seconds(unquoted.unwrap_or(argument)).unwrap_or_default())
        }
        _ => None,
    }
}

/// Reads `delta-seconds`. A number that is too large counts as the largest.
fn seconds(digits: &str) -> Option<Duration> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    /// The values of `Cache-Control`, `Age`, and the seconds that are left.
    type Case<'a> = (&'a [&'a [u8]], Option<&'a str>, u64);

    fn seconds_left(cache_control: &[&[u8]], age: Option<&str>) -> u64 {
        let mut headers = HeaderMap::new();
        for value in cache_control {
            headers.append(CACHE_CONTROL, HeaderValue::from_bytes(value).unwrap());
        }
        if let Some(age) = age {
            headers.append(AGE, HeaderValue::from_str(age).unwrap());
        }
        lifetime(&headers, &(Duration::from_secs(300)..=Duration::from_secs(86_400))).as_secs()
    }

    #[test]
    fn lifetime_by_cache_control_within_bounds() {
        let cases: &[Case<'_>] = &[
            (&[], None, 3_600),
            (&[b"public"], None, 3_600),
            (&[b"max-age=900"], None, 900),
            (&[b"Max-Age=900"], None, 900),
            (&[b"public, max-age=900, must-revalidate"], None, 900),
            (&[b"max-age=\"900\""], None, 900),
            (&[b"max-age=900, max-age=600"], None, 600),
            (&[b"public", b"max-age=900"], None, 900),
            (&[b"s-maxage=900"], None, 3_600),
            (&[b"max-age=900"], Some("100"), 800),
            (&[b"max-age=900"], Some("soon"), 900),
            (&[b"max-age=900"], Some("900"), 300),
            (&[b"max-age=900"], Some("1000"), 300),
            (&[b"max-age=300"], None, 300),
            (&[b"max-age=299"], None, 300),
            (&[b"max-age=0"], None, 300),
            (&[b"no-store"], None, 300),
            (&[b"no-cache, max-age=900"], None, 300),
            (&[b"max-age"], None, 300),
            (&[b"max-age=-1"], None, 300),
            (&[b"max-age=1e9"], None, 300),
            (&[b"max-age=86400"], None, 86_400),
            (&[b"max-age=86401"], None, 86_400),
            (&[b"max-age=99999999999999999999999"], None, 86_400),
            (&[b"na\xefve"], None, 3_600),
        ];
        for (cache_control, age, expected) in cases {
            let shown: Vec<_> = cache_control
                .iter()
                .map(|value| String::from_utf8_lossy(value))
                .collect();
            assert_eq!(seconds_left(cache_control, *age), *expected, "{shown:?} {age:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_exceeds_the_bounds(value in prop::collection::vec(32_u8..127, 0..60), age in "[ -~]{0,12}") {
            let lifetime = seconds_left(&[&value], Some(&age));
            prop_assert!((300..=86_400).contains(&lifetime));
        }

        #[test]
        fn max_age_found_among_other_directives(seconds in 300_u64..86_400, before in "[a-z]{1,9}", after in "[a-z]{1,9}") {
            prop_assume!(before != "no-store" && before != "no-cache");
            let value = format!("{before}=1 ,MAX-age = {seconds} , {after}");
            prop_assert_eq!(seconds_left(&[value.as_bytes()], None), seconds);
        }
    }
}
