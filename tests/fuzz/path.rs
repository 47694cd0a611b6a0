//! A request of any method and path to the emulator: `<method> <path and query>`.

use crate::{
    redaction::SECRET,
    wire::{Response, Sender, send},
};
use hyper::{Method, Uri};
use serde_json::Value;

pub(crate) fn check(data: &[u8]) {
    let Some((method, target)) = parse(data) else { return };
    let is_control = target.path().starts_with("/_emulator");
    if is_control {
        // Other methods would change the emulator's settings.
        let response = send(&Method::GET, &target, &Sender::Anonymous);
        assert!(!response.status.is_server_error(), "{target}: {}", response.status);
        return;
    }

    let refused = send(&method, &target, &Sender::Anonymous);
    assert_eq!(refused.status, 401, "{method} {target}");
    assert_form(&method, &target, &refused);

    let response = send(&method, &target, &Sender::Owner);
    assert!(
        !response.status.is_server_error(),
        "{method} {target}: {}",
        response.status
    );
    assert_form(&method, &target, &response);
    // A signature authenticates every request, except those of users, who need a token.
    let is_for_users = target.path().starts_with("/access/") && target.path().ends_with("/:exchangeAccessToken");
    if !is_for_users && method != Method::HEAD {
        assert_ne!(code(&response).as_deref(), Some("Denied"), "{method} {target}");
    }
}

fn parse(data: &[u8]) -> Option<(Method, Uri)> {
    let (method, target) = str::from_utf8(data).ok()?.split_once(' ')?;
    let method = method.parse().ok().filter(|method| method != Method::CONNECT)?;
    let target = target.starts_with('/').then(|| target.parse().ok())??;
    Some((method, target))
}

/// Asserts that a response has the service's form, and does not show the key.
fn assert_form(method: &Method, target: &Uri, response: &Response) {
    let text = str::from_utf8(&response.body).unwrap();
    assert!(
        !text.contains(SECRET.trim_end_matches('=')),
        "{method} {target}: {text}"
    );
    if !response.status.is_success() && method != Method::HEAD {
        assert!(code(response).is_some(), "{method} {target}: {text}");
    }
}

fn code(response: &Response) -> Option<String> {
    let json: Value = serde_json::from_slice(&response.body).ok()?;
    json.pointer("/error/code").and_then(Value::as_str).map(str::to_owned)
}
