//! Who may call, and how often.

use crate::setup::{AUDIENCE, Options, World, send};
use reqwest::Method;
use serde_json::json;
use std::{num::NonZeroU32, time::Duration};

#[tokio::test]
async fn callers_need_a_token_of_the_issuer_for_this_service() {
    let world = World::start().await;
    for (method, path) in [
        (Method::GET, "/api/user"),
        (Method::POST, "/api/user"),
        (Method::DELETE, "/api/user"),
        (Method::GET, "/api/token"),
        (Method::DELETE, "/api/token"),
        (Method::GET, "/api/token/teams"),
        (Method::GET, "/token"),
        (Method::POST, "/token"),
        (Method::POST, "/refreshToken/8:acs:x"),
    ] {
        let answer = send(world.request(method.clone(), path)).await;
        answer.assert_error(401, "auth.authorization_header_missing");
        assert!(
            answer
                .header("www-authenticate")
                .is_some_and(|challenge| challenge.starts_with("Bearer"))
        );
        let other = world.caller_with(&json!({ "sub": "alice", "aud": "https://other.contoso.com" }));
        let answer = send(world.request(method, path).bearer_auth(other)).await;
        answer.assert_status(401);
    }
    let stranger = token_guard::testing::TestIssuer::start().await.unwrap();
    let forged = stranger.token(json!({ "sub": "alice", "aud": AUDIENCE })).unwrap();
    world.get("/api/user", &forged).await.assert_status(401);
    assert_eq!(world.emulator.identity_count(), 0);
}

#[tokio::test]
async fn an_application_is_no_user() {
    let world = World::start().await;
    let daemon = world.caller_with(&json!({ "sub": "daemon", "client_id": "daemon" }));
    world.post("/api/user", &daemon).await.assert_error(403, "not_a_user");
    assert_eq!(world.emulator.identity_count(), 0);
}

#[tokio::test]
async fn a_caller_is_not_remembered_past_the_end_of_their_token() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    world.get("/api/token", &alice).await.assert_status(201);
    world.clock.advance(Duration::from_secs(3600 + 61));
    world.get("/api/token", &alice).await.assert_status(401);
    world.get("/api/token", &world.caller("alice")).await.assert_status(201);
}

#[tokio::test]
async fn a_caller_who_calls_too_often_is_told_when_to_come_back() {
    let two = NonZeroU32::new(2).unwrap();
    let world = World::with(Options::default(), |builder| builder.requests_per_minute(two)).await;
    let alice = world.caller("alice");
    world.get("/api/user", &alice).await.assert_status(404);
    world.get("/api/user", &world.caller("alice")).await.assert_status(404);
    let answer = world.get("/api/user", &alice).await;
    answer.assert_error(429, "rate_limited");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    world.get("/api/user", &world.caller("bob")).await.assert_status(404);
}

#[tokio::test]
async fn pages_of_allowed_origins_may_call() {
    let world = World::with(Options::default(), |builder| {
        builder.allow_origins(["https://app.contoso.com".parse().unwrap()])
    })
    .await;
    let preflight = |origin: &'static str| {
        world
            .request(Method::OPTIONS, "/api/token")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization,teams-user-aad-token")
    };
    let allowed = send(preflight("https://app.contoso.com")).await;
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        Some("https://app.contoso.com")
    );
    assert!(
        allowed
            .header("access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    assert!(allowed.header("x-request-id").is_some());
    let refused = send(preflight("https://evil.contoso.com")).await;
    assert_eq!(refused.header("access-control-allow-origin"), None);

    // A failure can be read by the page, too.
    let answer = send(
        world
            .request(Method::GET, "/api/token")
            .header("origin", "https://app.contoso.com"),
    )
    .await;
    answer.assert_status(401);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://app.contoso.com")
    );
}
