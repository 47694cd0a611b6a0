//! The claims of a token, and the identity that they describe.

use crate::{error::TokenFault, json_object};
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The claims of a token. `null` is an absent claim, and an empty object is one that cannot be read.
///
/// A rule reads the claims that it needs with the methods that return a [`TokenFault`]. The other methods treat a claim of
/// another type as absent, so that no claim decides which no rule needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// Reads the claims of a token from its payload.
    pub(crate) fn from_json(payload: &[u8]) -> Option<Self> {
        json_object::members(payload).map(Self)
    }

    /// Returns the JSON value of a claim.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Returns the JSON value of a claim with its `null`.
    pub(crate) fn raw(&self, name: &str) -> Option<&Value> {
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
    /// ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519#section-2)). An earlier time counts as 1970.
    pub(crate) fn time(&self, name: &str) -> Result<Option<SystemTime>, TokenFault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let since = match value.as_u64() {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => value
                .as_f64()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok()),
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

    /// Reads a string that is not empty, at a path.
    pub(crate) fn text_at(&self, path: &str) -> Option<&str> {
        let text = self.at(path).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    }

    /// Reads a string or the strings of an array at a path, such as the roles.
    pub(crate) fn texts_at(&self, path: &str) -> Vec<String> {
        match self.at(path) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// Reads the words of a string ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693#section-4.2)) or of an array at a
    /// path, such as the scopes. An item of an array that is not a word is skipped.
    pub(crate) fn words_at(&self, path: &str) -> Vec<String> {
        let words: Vec<&str> = match self.at(path) {
            Some(Value::String(text)) => text.split(' ').collect(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let words = words.into_iter().filter(|word| !word.is_empty() && !word.contains(' '));
        words.map(str::to_owned).collect()
    }

    /// Returns the claim at a path. The claim with exactly this name comes first, as names can have dots, such as
    /// `https://contoso.com/roles`; otherwise dots separate the names of nested objects, as in `realm_access.roles`.
    fn at(&self, path: &str) -> Option<&Value> {
        find(&self.0, path).filter(|value| !value.is_null())
    }
}

fn find<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let exact = object.get(path);
    exact.or_else(|| {
        path.rmatch_indices('.').find_map(|(dot, _)| {
            let (name, rest) = path.split_at(dot);
            find(object.get(name)?.as_object()?, rest.get(1..)?)
        })
    })
}

/// The names of the claims that describe a caller, as paths.
#[derive(Clone, Debug)]
pub(crate) struct ClaimNames {
    pub(crate) subject: String,
    pub(crate) scopes: String,
    pub(crate) roles: String,
    /// Claims with the values by which a token is that of an application.
    pub(crate) application: Vec<(String, String)>,
}

/// The names of [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068#section-2.2).
impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            subject: "sub".to_owned(),
            scopes: "scope".to_owned(),
            roles: "roles".to_owned(),
            application: Vec::new(),
        }
    }
}

/// The claims that name the client, by precedence: of RFC 9068, of OpenID Connect, of AD FS and version 1 of Entra ID, and of
/// Okta.
const CLIENT_CLAIMS: [&str; 4] = ["client_id", "azp", "appid", "cid"];

/// The end of the subject of Auth0's applications. Their client id comes before it
/// ([Auth0](https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles)).
const AUTH0_APPLICATION: &str = "@clients";

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
    /// Reads the claims with these names. A client that acts for no user is its own subject.
    ///
    /// `default_subject` is that of an issuer whose tokens need none.
    pub(crate) fn from_claims(
        claims: &Claims,
        names: &ClaimNames,
        default_subject: Option<&str>,
    ) -> Result<Self, TokenFault> {
        let subject = match (claims.text_at(&names.subject), default_subject) {
            (Some(subject), _) => subject,
            (None, Some(default)) => default,
            (None, None) => {
                // A subject of another type is malformed, rather than missing.
                claims.text(&names.subject)?;
                return Err(TokenFault::Subject);
            }
        };
        let client_id = CLIENT_CLAIMS.into_iter().find_map(|name| claims.text_at(name));
        let is_named = |(path, value): &(String, String)| claims.text_at(path) == Some(value);
        // The `sub` decides if it is present, even if it cannot be read: a client that stands in for the subject makes no user
        // an application.
        let acting = match claims.get("sub") {
            None => subject,
            Some(sub) => sub.as_str().unwrap_or_default(),
        };
        let is_client =
            client_id == Some(acting) || client_id.is_some() && client_id == acting.strip_suffix(AUTH0_APPLICATION);
        Ok(Self {
            is_application: is_client || names.application.iter().any(is_named),
            subject: subject.to_owned(),
            client_id: client_id.map(str::to_owned),
            scopes: claims.words_at(&names.scopes),
            roles: claims.texts_at(&names.roles),
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
            (json!(-1), at(0)),
            (json!(-0.5), at(0)),
            (json!(-1e300), at(0)),
            (json!(1e300), Err(TokenFault::Malformed)),
            (json!(u64::MAX), Err(TokenFault::Malformed)),
            (json!("1800000000"), Err(TokenFault::Malformed)),
            (json!(true), Err(TokenFault::Malformed)),
            (json!(null), Ok(None)),
            (json!([1_800_000_000]), Err(TokenFault::Malformed)),
        ] {
            assert_eq!(claims(value.clone()).time("it"), expected, "{value}");
        }
        assert_eq!(Claims::default().time("it"), Ok(None));
    }

    #[test]
    fn path_is_a_name_or_goes_through_objects() {
        let claims = json!({
            "scp": ["a"],
            "realm_access": {"roles": ["b"], "null": null},
            "resource_access": {"my.api": {"roles": ["c"]}, "my": {"api": {"roles": ["not this"]}}},
            "https://contoso.com/roles": ["d"],
            "https://contoso": {"com/roles": ["not this"]},
            "a.b": null,
            "a": {"b": ["not this"]},
            "list": [{"roles": ["not this"]}],
        });
        let claims = Claims::from_json(claims.to_string().as_bytes()).unwrap();
        for (path, expected) in [
            ("scp", &["a"][..]),
            ("realm_access.roles", &["b"]),
            ("resource_access.my.api.roles", &["c"]),
            ("https://contoso.com/roles", &["d"]),
            ("a.b", &[]),
            ("realm_access", &[]),
            ("realm_access.null", &[]),
            ("realm_access.roles.0", &[]),
            ("list.roles", &[]),
            ("list.0.roles", &[]),
            ("scp.", &[]),
            (".scp", &[]),
            (".", &[]),
            ("", &[]),
        ] {
            assert_eq!(claims.texts_at(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn words_are_separated_by_spaces(scopes in prop::collection::vec("[!#-\\[\\]-~]{1,12}", 0..6), space in " {1,3}") {
            let text = format!("{space}{}", scopes.join(&space));
            prop_assert_eq!(claims(json!(text)).words_at("it"), scopes.clone());
            prop_assert_eq!(claims(json!(scopes)).words_at("it"), scopes);
        }

        #[test]
        fn no_word_is_empty_or_has_a_space(text in any::<String>(), texts in prop::collection::vec(any::<String>(), 0..4)) {
            let words = claims(json!(text)).words_at("it").into_iter().chain(claims(json!(texts)).words_at("it"));
            for word in words {
                prop_assert!(!word.is_empty() && !word.contains(' '));
                prop_assert!(text.contains(&word) || texts.contains(&word));
            }
        }
    }
}
