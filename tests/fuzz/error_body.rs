//! A response with any status, whose body is the service's own or anything else: `<status>\n<body>`.

use crate::{
    client::{client, run},
    fake_service::USER,
    redaction::assert_hidden,
};
use azure_communication_identity::{CommunicationError, CommunicationErrorDetail, CommunicationTokenScope};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{Response, StatusCode},
};
use serde_json::Value;

pub(crate) fn check(data: &[u8]) {
    let (status, body) = split(data).unwrap_or((400, data));
    let client = client(StatusCode::from(status), body.to_vec());
    let scopes = [CommunicationTokenScope::Chat];
    let result = run(client.get_token(&USER.parse().unwrap(), &scopes, None));
    if status == 200 {
        match result.and_then(Response::into_model) {
            Ok(token) => assert_hidden(&format!("{token:?}"), 16),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::DataConversion), "{error:?}");
                assert_shown(&error, 300);
            }
        }
        return;
    }
    let error = result.unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::from(status)));
    assert_shown(&error, 2000);

    let found = CommunicationError::from_error(&error).unwrap();
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let own = json
        .as_ref()
        .and_then(|json| json.get("error"))
        .filter(|error| error.is_object());
    if let Some(own) = own {
        assert_is(&whole(found), own);
        assert_eq!(found.body_excerpt, None);
    } else {
        assert_is(&whole(found), &Value::Null);
        assert_excerpt(found.body_excerpt.as_deref().unwrap_or_default());
        assert_hidden(&format!("{error:?}"), 16);
    }
}

fn split(data: &[u8]) -> Option<(u16, &[u8])> {
    let line = data.iter().position(|byte| *byte == b'\n')?;
    let status = str::from_utf8(data.get(..line)?).ok()?.parse().ok()?;
    (200..600).contains(&status).then_some((status, data.get(line + 1..)?))
}

/// Asserts that an error is one line of a bounded length.
fn assert_shown(error: &Error, length: usize) {
    let text = error.to_string();
    assert!(text.chars().count() <= length, "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// Asserts that the beginning of a foreign body is short, and has no run of characters that could be a secret.
fn assert_excerpt(excerpt: &str) {
    assert!(excerpt.chars().count() <= 200, "{excerpt}");
    let could_be_secret = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
    let longest = excerpt.split(|c| !could_be_secret(c)).map(str::len).max();
    assert!(longest < Some(16), "{excerpt}");
}

/// Returns the parts that an error and its details have in common.
fn whole(error: &CommunicationError) -> CommunicationErrorDetail {
    let mut whole = CommunicationErrorDetail::default();
    whole.code.clone_from(&error.code);
    whole.message.clone_from(&error.message);
    whole.target.clone_from(&error.target);
    whole.details.clone_from(&error.details);
    whole.inner_error.clone_from(&error.inner_error);
    whole
}

/// Asserts that an error has all parts of the one in JSON, and no more.
fn assert_is(error: &CommunicationErrorDetail, json: &Value) {
    let text = |name| json.get(name).and_then(Value::as_str);
    assert_eq!(
        (error.code.as_deref(), error.message.as_deref(), error.target.as_deref()),
        (text("code"), text("message"), text("target"))
    );
    let details = json.get("details").and_then(Value::as_array).into_iter().flatten();
    let details: Vec<_> = details.filter(|detail| detail.is_object()).collect();
    assert_eq!(error.details.len(), details.len());
    for (detail, json) in error.details.iter().zip(details) {
        assert_is(detail, json);
    }
    let inner = json.get("innererror").or(json.get("innerError"));
    let inner = inner.filter(|inner| inner.is_object());
    assert_eq!(error.inner_error.is_some(), inner.is_some());
    if let (Some(inner_error), Some(json)) = (&error.inner_error, inner) {
        assert_is(inner_error, json);
    }
}
