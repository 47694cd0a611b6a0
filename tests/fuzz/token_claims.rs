//! A token, or the claims of a token: read as another decoder reads them, or an error that shows no part of it.

use crate::redaction::assert_hidden;
use azure_communication_identity::{CommunicationAccessToken, UnverifiedTokenClaims};
use azure_core::{error::ErrorKind, time::OffsetDateTime};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

pub(crate) fn check(data: &[u8]) {
    if let Ok(token) = str::from_utf8(data) {
        check_token(token);
    }
    check_token(&format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(data)));
}

fn check_token(token: &str) {
    let decoded = UnverifiedTokenClaims::decode(token);
    let from_jwt = CommunicationAccessToken::from_jwt(token.to_owned());
    assert_eq!(
        from_jwt.ok().map(|token| token.expires_on),
        decoded.as_ref().ok().map(|claims| claims.expires_on)
    );
    match decoded {
        Ok(decoded) => assert_is(&decoded, &claims(token).unwrap()),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::DataConversion), "{error:?}");
            let text = error.to_string();
            assert!(text.len() < 200 && !text.contains(char::is_control), "{text}");
            assert_hidden(&format!("{text} {error:?}"), 8);
            // Padding that is too long or too short may be refused.
            let expiry = claims(token).and_then(|claims| claims.get("exp")?.as_i64());
            let is_readable = expiry.is_some_and(|expiry| OffsetDateTime::from_unix_timestamp(expiry).is_ok());
            assert!(
                !is_readable || token.contains('=') || token.len() > 64 * 1024,
                "{token} is refused"
            );
        }
    }
}

/// Returns the claims of a token: a JSON object (RFC 7519, section 7.2) in base64url.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let [_, payload, _] = token.split('.').collect::<Vec<_>>()[..] else {
        return None;
    };
    let claims = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

fn assert_is(decoded: &UnverifiedTokenClaims, claims: &Map<String, Value>) {
    let number = |name| {
        let number = claims.get(name)?;
        #[allow(clippy::cast_possible_truncation, reason = "the fraction is gone")]
        number.as_i64().or_else(|| Some(number.as_f64()?.floor() as i64))
    };
    let text = |name| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    assert_eq!(Some(decoded.expires_on.unix_timestamp()), number("exp"));
    if let Some(issued_at) = decoded.issued_at {
        assert_eq!(Some(issued_at.unix_timestamp()), number("iat"));
    }
    assert_eq!(decoded.resource_id.as_deref(), text("resourceId"));

    let scopes: Vec<_> = decoded.scopes.iter().map(AsRef::as_ref).collect();
    let claimed = text("acsScope").unwrap_or_default();
    assert_eq!(
        scopes,
        claimed
            .split(',')
            .filter(|scope| !scope.is_empty())
            .collect::<Vec<&str>>()
    );

    let raw_id = decoded.identity.as_ref().map(ToString::to_string);
    let claimed = text("skypeid").map(|id| {
        if id.starts_with("8:") {
            id.to_owned()
        } else {
            format!("8:{id}")
        }
    });
    assert_eq!(raw_id, claimed);
}
