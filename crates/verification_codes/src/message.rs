//! The messages of the queue.

use crate::code::CodeHash;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::{self, Display, Formatter};
use time::OffsetDateTime;
use uuid::Uuid;

/// An instruction to a watcher about one code. It names the action, so that handling it twice has the result of handling it
/// once.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct CodeMessage {
    /// Shared by both messages about a code, and logged.
    pub(crate) id: Uuid,
    pub(crate) code_hash: CodeHash,
    pub(crate) action: Action,
    /// The expiry of the code, in RFC 3339.
    #[serde(with = "azure_core::time::rfc3339")]
    pub(crate) expires_at: OffsetDateTime,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Activate,
    Expire,
}

impl CodeMessage {
    /// Parses a message: JSON, or JSON in base64, the default of Azure Functions and older clients.
    ///
    /// # Errors
    ///
    /// If the text is not JSON, or lacks a member of a message.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(_) => BASE64_STANDARD
                .decode(text.trim())
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .ok_or(ParseError::NotJson)?,
        };
        serde_json::from_value(value).map_err(|_| ParseError::OtherJson)
    }

    /// Returns the text to send.
    pub(crate) fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// A message that cannot be parsed. The error shows nothing of the text, which can contain a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ParseError {
    NotJson,
    OtherJson,
}

impl Display for ParseError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "it is neither JSON nor the base64 of JSON",
            Self::OtherJson => "it is JSON, but has not the id, code_hash, action and expires_at of a message",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use time::macros::datetime;

    const HASH: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn activate() -> Value {
        json!({
            "id": "1b4e28ba-2fa1-4d2b-883f-0016d3cca427",
            "code_hash": HASH,
            "action": "activate",
            "expires_at": "2026-08-01T12:10:00Z",
        })
    }

    fn with(name: &str, value: Value) -> String {
        let mut message = activate();
        message[name] = value;
        message.to_string()
    }

    #[test]
    fn message_is_parsed_from_json_and_base64() {
        let expected = CodeMessage {
            id: "1b4e28ba-2fa1-4d2b-883f-0016d3cca427".parse().unwrap(),
            code_hash: HASH.to_owned().try_into().unwrap(),
            action: Action::Activate,
            expires_at: datetime!(2026-08-01 12:10 UTC),
        };
        let json = activate().to_string();
        assert_eq!(CodeMessage::parse(&json).as_ref(), Ok(&expected));
        assert_eq!(CodeMessage::parse(&format!(" {json}\n")).as_ref(), Ok(&expected));
        assert_eq!(
            CodeMessage::parse(&BASE64_STANDARD.encode(json)).as_ref(),
            Ok(&expected)
        );
        assert_eq!(CodeMessage::parse(&with("more", json!(1))).as_ref(), Ok(&expected));
    }

    #[test]
    fn message_is_sent_as_json() {
        let message = CodeMessage::parse(&activate().to_string()).unwrap();
        let sent: Value = serde_json::from_str(&message.to_text().unwrap()).unwrap();
        assert_eq!(sent, activate());
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        for (text, reason) in [
            (String::new(), ParseError::NotJson),
            ("hello".to_owned(), ParseError::NotJson),
            ("aGVsbG8=".to_owned(), ParseError::NotJson),
            // What the walkthrough's client of 2020 sends: Python's own notation.
            (
                "{'code': 'ojE-161-pTv', 'timestamp': '2020-04-15 16:54:48.816549'}".to_owned(),
                ParseError::NotJson,
            ),
            (json!({"code": "ojE-161-pTv"}).to_string(), ParseError::OtherJson),
            ("[]".to_owned(), ParseError::OtherJson),
            (with("action", json!("toggle")), ParseError::OtherJson),
            (with("code_hash", json!("ojE-161-pTv")), ParseError::OtherJson),
            (with("expires_at", json!("2026-08-01")), ParseError::OtherJson),
            (with("id", json!(1)), ParseError::OtherJson),
        ] {
            assert_eq!(CodeMessage::parse(&text), Err(reason), "{text}");
            assert!(!reason.to_string().contains("ojE-161-pTv"));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(text in "\\PC{0,64}|[A-Za-z0-9+/={}\":,]{0,64}") {
            prop_assert!(CodeMessage::parse(&text).is_err());
        }
    }
}
