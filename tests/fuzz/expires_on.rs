//! The expiry of a token as the service writes it: the moment that another parser of RFC 3339 reads, or an error.

use crate::{
    client::{client, run},
    fake_service::USER,
    redaction::{SECRET, assert_hidden},
};
use azure_communication_identity::CommunicationTokenScope;
use azure_core::{error::ErrorKind, http::StatusCode};
use chrono::{DateTime, Datelike, FixedOffset, Timelike};
use serde_json::json;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let body = json!({ "token": SECRET, "expiresOn": text });
    let client = client(StatusCode::Ok, serde_json::to_vec(&body).unwrap());
    let scopes = [CommunicationTokenScope::Chat];
    let token = run(client.get_token(&USER.parse().unwrap(), &scopes, None))
        .unwrap()
        .into_model();
    let expected = DateTime::parse_from_rfc3339(&with_t(text));
    match token {
        Ok(token) => {
            assert_eq!(token.token.secret(), SECRET);
            assert_hidden(&format!("{token:?}"), 8);
            let expires_on = token.expires_on;
            let expected = expected.unwrap_or_else(|error| panic!("{text} is read as {expires_on}: {error}"));
            assert_same((expires_on.unix_timestamp(), expires_on.nanosecond()), &expected);
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::DataConversion), "{error:?}");
            let shown = error.to_string();
            assert!(shown.contains("`expiresOn`") && shown.len() < 200, "{shown}");
            assert_hidden(&format!("{shown} {error:?}"), 8);
            // The forms that the service could write are read: upper case, and a day and time that exist.
            let is_plain = |moment: &DateTime<FixedOffset>| {
                (1..9999).contains(&moment.year()) && moment.nanosecond() < 1_000_000_000 && written(moment, text)
            };
            assert!(!expected.as_ref().is_ok_and(is_plain), "{text} is refused");
        }
    }
}

/// Returns the text with a `T` between date and time. RFC 3339, section 5.6, leaves it to the reader to accept something else.
fn with_t(text: &str) -> String {
    match (text.get(..10), text.get(11..)) {
        (Some(date), Some(time)) => format!("{date}T{time}"),
        _ => text.to_owned(),
    }
}

/// Returns whether a text is one of the usual forms of a moment.
fn written(moment: &DateTime<FixedOffset>, text: &str) -> bool {
    use chrono::SecondsFormat::{Micros, Millis, Nanos, Secs};
    [Secs, Millis, Micros, Nanos].iter().any(|digits| {
        [true, false]
            .iter()
            .any(|zulu| moment.to_rfc3339_opts(*digits, *zulu) == text)
    })
}

/// Asserts that two parsers have read the same moment. One may round a leap second to the end of the second before.
fn assert_same((seconds, nanoseconds): (i64, u32), expected: &DateTime<FixedOffset>) {
    let is_leap_second = expected.nanosecond() >= 1_000_000_000;
    let fraction = if is_leap_second {
        999_999_999
    } else {
        expected.nanosecond()
    };
    assert_eq!((seconds, nanoseconds), (expected.timestamp(), fraction), "{expected}");
}
