//! The claims of a token, and the identity that they describe.

use crate::error::TokenFault;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The claims of a token. The methods that read a claim fail if it has another type.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// Returns the JSON value of a claim.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Reads a string.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, TokenFault> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenFault::Malformed),
        }
    }

    /// Reads a point in time: seconds since 1970, with or without a fraction
    /// ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519#section-2)).
    pub(crate) fn time(&self, name: &str) -> Result<Option<SystemTime>, TokenFault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let since = match value.as_u64() {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => value
                .as_f64()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        };
        let time = since.and_then(|since| UNIX_EPOCH.checked_add(since));
        time.map(Some).ok_or(TokenFault::Malformed)
    }

    /// Reads a string or an array of strings, such as the audience.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, TokenFault> {
        match self.get(name) {
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

    /// Reads a string of words separated by spaces, such as the scopes
    /// ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693#section-4.2)).
    pub(crate) fn words(&self, name: &str) -> Result<Vec<String>, TokenFault> {
        let text = self.text(name)?.unwrap_or_default();
        let words = text.split(' ').filter(|word| !word.is_empty());
        Ok(words.map(str::to_owned).collect())
    }
}

/// The subject of a token, the client that it was issued to, and their permissions.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) subject: String,
    pub(crate) client_id: Option<String>,
    pub(crate) is_application: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) roles: Vec<String>,
}

impl Identity {
    /// Reads the claims of [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068#section-2.2). A client that acts for no user is
    /// its own subject.
    pub(crate) fn from_claims(claims: &Claims) -> Result<Self, TokenFault> {
        let subject = claims.text("sub")?.filter(|subject| !subject.is_empty());
        let subject = subject.ok_or(TokenFault::Subject)?;
        let client_id = claims.text("client_id")?;
        Ok(Self {
            is_application: client_id == Some(subject),
            subject: subject.to_owned(),
            client_id: client_id.map(str::to_owned),
            scopes: claims.words("scope")?,
            roles: claims.list("roles")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        Claims(Map::from_iter([("it".to_owned(), value)]))
    }

    #[test]
    fn time_is_a_number_of_seconds() {
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
            assert_eq!(claims(value.clone()).time("it"), expected, "{value}");
        }
        assert_eq!(Claims::default().time("it"), Ok(None));
    }

    proptest! {
        #[test]
        fn words_are_separated_by_spaces(scopes in prop::collection::vec("[!#-\\[\\]-~]{1,12}", 0..6), space in " {1,3}") {
            let text = format!("{space}{}", scopes.join(&space));
            prop_assert_eq!(claims(json!(text)).words("it"), Ok(scopes));
        }

        #[test]
        fn no_word_is_empty_or_has_a_space(text in any::<String>()) {
            for word in claims(json!(text)).words("it").unwrap() {
                prop_assert!(!word.is_empty() && !word.contains(' ') && text.contains(&word));
            }
        }
    }
}
