//! How long fetched keys live.

use http::{
    HeaderMap,
    header::{AGE, CACHE_CONTROL},
};
use std::time::Duration;

/// How long keys live if their issuer does not say.
const DEFAULT: Duration = Duration::from_secs(60 * 60);

/// Within which bounds an issuer says how long its keys live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
}

/// What `Cache-Control` and `Age` leave of a lifetime
/// ([RFC 9111](https://www.rfc-editor.org/rfc/rfc9111#section-4.2)), within bounds.
pub(crate) fn of(headers: &HeaderMap, bounds: Bounds) -> Duration {
    let text = |value: &http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let directives: Vec<String> = headers.get_all(CACHE_CONTROL).iter().filter_map(text).collect();
    let age = headers.get(AGE).and_then(text).and_then(|age| seconds(age.trim()));
    max_age(&directives.join(","))
        .map_or(DEFAULT, |max_age| max_age.saturating_sub(age.unwrap_or_default()))
        .clamp(bounds.shortest, bounds.longest)
}

/// The lifetime that the directives of `Cache-Control` give; the shortest of several.
fn max_age(directives: &str) -> Option<Duration> {
    directives.split(',').filter_map(lifetime).min()
}

fn lifetime(directive: &str) -> Option<Duration> {
    let (name, argument) = match directive.split_once('=') {
        Some((name, argument)) => (name.trim(), Some(argument.trim())),
        None => (directive.trim(), None),
    };
    match name.to_ascii_lowercase().as_str() {
        "no-store" | "no-cache" => Some(Duration::ZERO),
        "max-age" => {
            let argument = argument.unwrap_or_default();
            let unquoted = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            // A lifetime that cannot be read has passed.
            Some(seconds(unquoted.unwrap_or(argument)).unwrap_or_default())
        }
        _ => None,
    }
}

/// Reads `delta-seconds`; what is too large for a number is long enough.
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

    const BOUNDS: Bounds = Bounds {
        shortest: Duration::from_secs(300),
        longest: Duration::from_secs(86_400),
    };

    /// The values of `Cache-Control`, `Age`, and the seconds that are left.
    type Case<'a> = (&'a [&'a [u8]], Option<&'a str>, u64);

    fn lifetime_of(cache_control: &[&[u8]], age: Option<&str>) -> u64 {
        let mut headers = HeaderMap::new();
        for value in cache_control {
            headers.append(CACHE_CONTROL, HeaderValue::from_bytes(value).unwrap());
        }
        if let Some(age) = age {
            headers.append(AGE, HeaderValue::from_str(age).unwrap());
        }
        of(&headers, BOUNDS).as_secs()
    }

    #[test]
    fn keys_live_as_long_as_cache_control_says_within_bounds() {
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
            assert_eq!(lifetime_of(cache_control, *age), *expected, "{shown:?} {age:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_leaves_the_bounds(value in prop::collection::vec(32_u8..127, 0..60), age in "[ -~]{0,12}") {
            let lifetime = lifetime_of(&[&value], Some(&age));
            prop_assert!((300..=86_400).contains(&lifetime));
        }

        #[test]
        fn a_lifetime_is_found_among_other_directives(seconds in 300_u64..86_400, before in "[a-z]{1,9}", after in "[a-z]{1,9}") {
            prop_assume!(before != "no-store" && before != "no-cache");
            let value = format!("{before}=1 ,MAX-age = {seconds} , {after}");
            prop_assert_eq!(lifetime_of(&[value.as_bytes()], None), seconds);
        }
    }
}
