//! A request of any method and path to the emulator: `<method> <path and query>`.

use crate::{
    hidden::SECRET,
    wire::{Answer, Sender, send},
};
use hyper::{Method, Uri};
use serde_json::Value;

pub(crate) fn check(data: &[u8]) {
    let Some((method, target)) = parse(data) else { return };
    let is_control = target.path().starts_with("/_emulator");
    if is_control {
        // What changes the emulator's settings is not for this.
        let answer = send(&Method::GET, &target, &Sender::Nobody);
        assert!(!answer.status.is_server_error(), "{target}: {}", answer.status);
        return;
    }

    let refused = send(&method, &target, &Sender::Nobody);
    assert_eq!(refused.status, 401, "{method} {target}");
    assert_answer(&method, &target, &refused);

    let answer = send(&method, &target, &Sender::Owner);
    assert!(!answer.status.is_server_error(), "{method} {target}: {}", answer.status);
    assert_answer(&method, &target, &answer);
    // Whatever is signed as it is sent is authenticated, but for users, who have to prove it with a token.
    let is_for_users = target.path().starts_with("/access/") && target.path().ends_with("/:exchangeAccessToken");
    if !is_for_users && method != Method::HEAD {
        assert_ne!(code(&answer).as_deref(), Some("Denied"), "{method} {target}");
    }
}

fn parse(data: &[u8]) -> Option<(Method, Uri)> {
    let (method, target) = str::from_utf8(data).ok()?.split_once(' ')?;
    let method = method.parse().ok().filter(|method| method != Method::CONNECT)?;
    let target = target.starts_with('/').then(|| target.parse().ok())??;
    Some((method, target))
}

/// Asserts that an answer has the service's form, and does not show the key.
fn assert_answer(method: &Method, target: &Uri, answer: &Answer) {
    let text = str::from_utf8(&answer.body).unwrap();
    assert!(
        !text.contains(SECRET.trim_end_matches('=')),
        "{method} {target}: {text}"
    );
    if !answer.status.is_success() && method != Method::HEAD {
        assert!(code(answer).is_some(), "{method} {target}: {text}");
    }
}

fn code(answer: &Answer) -> Option<String> {
    let json: Value = serde_json::from_slice(&answer.body).ok()?;
    json.pointer("/error/code").and_then(Value::as_str).map(str::to_owned)
}
