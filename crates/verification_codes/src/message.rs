//! The messages of the queue.

use crate::hash::CodeHash;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::{self, Display, Formatter};
use time::OffsetDateTime;
use uuid::Uuid;

/// What a watcher has to do about a code. It says what to do, and not just which code it is about, so that doing it twice
/// is the same as doing it once.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct CodeMessage {
    /// The same in both messages about a code; it stands in logs.
    pub(crate) id: Uuid,
    pub(crate) code_hash: CodeHash,
    pub(crate) action: Action,
    /// When the code becomes invalid, in RFC 3339.
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
    /// Reads a message: JSON, or the base64 of it, which Azure Functions and older clients send unless told otherwise.
    ///
    /// # Errors
    ///
    /// Why it cannot be understood.
    pub(crate) fn parse(text: &str) -> Result<Self, NotUnderstood> {
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(_) => BASE64_STANDARD
                .decode(text.trim())
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .ok_or(NotUnderstood::NotJson)?,
        };
        serde_json::from_value(value).map_err(|_| NotUnderstood::AnotherMessage)
    }

    /// The text to send.
    pub(crate) fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// Why a message cannot be understood. It says nothing of what is in it, which might be a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotUnderstood {
    NotJson,
    AnotherMessage,
}

impl Display for NotUnderstood {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "it is neither JSON nor the base64 of JSON",
            Self::AnotherMessage => "it is JSON, but has not the id, code_hash, action and expires_at of a message",
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
    fn a_message_is_read_from_json_and_from_base64() {
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
    fn a_message_is_sent_as_json() {
        let message = CodeMessage::parse(&activate().to_string()).unwrap();
        let sent: Value = serde_json::from_str(&message.to_text().unwrap()).unwrap();
        assert_eq!(sent, activate());
    }

    #[test]
    fn what_is_no_message_is_not_understood() {
        for (text, reason) in [
            (String::new(), NotUnderstood::NotJson),
            ("hello".to_owned(), NotUnderstood::NotJson),
            ("aGVsbG8=".to_owned(), NotUnderstood::NotJson),
            // What the walkthrough's client of 2020 sends: Python's own notation.
            (
                "{'code': 'ojE-161-pTv', 'timestamp': '2020-04-15 16:54:48.816549'}".to_owned(),
                NotUnderstood::NotJson,
            ),
            (
                json!({"code": "ojE-161-pTv"}).to_string(),
                NotUnderstood::AnotherMessage,
            ),
            ("[]".to_owned(), NotUnderstood::AnotherMessage),
            (with("action", json!("toggle")), NotUnderstood::AnotherMessage),
            (with("code_hash", json!("ojE-161-pTv")), NotUnderstood::AnotherMessage),
            (with("expires_at", json!("2026-08-01")), NotUnderstood::AnotherMessage),
            (with("id", json!(1)), NotUnderstood::AnotherMessage),
        ] {
            assert_eq!(CodeMessage::parse(&text), Err(reason), "{text}");
            assert!(!reason.to_string().contains("ojE-161-pTv"));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,64}|[A-Za-z0-9+/={}\":,]{0,64}") {
            prop_assert!(CodeMessage::parse(&text).is_err());
        }
    }
}
