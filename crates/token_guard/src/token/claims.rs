//! Claims as they are read.

use crate::error::TokenFault;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The claims of a token.
pub(crate) type Claims = Map<String, Value>;

/// A claim that is a text, if it is there.
pub(crate) fn text<'a>(claims: &'a Claims, name: &str) -> Result<Option<&'a str>, TokenFault> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenFault::Malformed),
    }
}

/// A claim that is a point in time, if it is there: seconds since 1970, maybe with a fraction
/// ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519#section-2)).
pub(crate) fn time(claims: &Claims, name: &str) -> Result<Option<SystemTime>, TokenFault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let since = match value.as_u64() {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => value
            .as_f64()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    let time = since.and_then(|since| UNIX_EPOCH.checked_add(since));
    time.map(Some).ok_or(TokenFault::Malformed)
}

/// A claim that is a text or a list of texts, such as the audience.
pub(crate) fn list(claims: &Claims, name: &str) -> Result<Vec<String>, TokenFault> {
    match claims.get(name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(items)) => {
            let texts = items
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or(TokenFault::Malformed));
            texts.collect()
        }
        Some(_) => Err(TokenFault::Malformed),
    }
}

/// A claim that is a list separated by spaces ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693#section-4.2)).
pub(crate) fn words(claims: &Claims, name: &str) -> Result<Vec<String>, TokenFault> {
    let text = text(claims, name)?.unwrap_or_default();
    Ok(text
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        Claims::from_iter([("it".to_owned(), value)])
    }

    #[test]
    fn a_time_is_a_number_of_seconds() {
        let at = |milliseconds| Ok(Some(UNIX_EPOCH + Duration::from_millis(milliseconds)));
        for (value, expected) in [
            (json!(0), at(0)),
            (json!(1_800_000_000_u64), at(1_800_000_000_000)),
            (json!(1_800_000_000.5), at(1_800_000_000_500)),
            (json!(-1), Err(TokenFault::Malformed)),
            (json!(-0.5), Err(TokenFault::Malformed)),
            (json!(1e300), Err(TokenFault::Malformed)),
            (json!(u64::MAX), Err(TokenFault::Malformed)),
            (json!("1800000000"), Err(TokenFault::Malformed)),
            (json!(true), Err(TokenFault::Malformed)),
            (json!(null), Err(TokenFault::Malformed)),
            (json!([1_800_000_000]), Err(TokenFault::Malformed)),
        ] {
            assert_eq!(time(&claims(value.clone()), "it"), expected, "{value}");
        }
        assert_eq!(time(&Claims::new(), "it"), Ok(None));
    }

    proptest! {
        #[test]
        fn scopes_are_what_stands_between_spaces(scopes in prop::collection::vec("[!#-\\[\\]-~]{1,12}", 0..6), space in " {1,3}") {
            let text = format!("{space}{}", scopes.join(&space));
            prop_assert_eq!(words(&claims(json!(text)), "it"), Ok(scopes));
        }

        #[test]
        fn no_scope_is_empty_or_has_a_space(text in any::<String>()) {
            for word in words(&claims(json!(text)), "it").unwrap() {
                prop_assert!(!word.is_empty() && !word.contains(' ') && text.contains(&word));
            }
        }
    }
}
