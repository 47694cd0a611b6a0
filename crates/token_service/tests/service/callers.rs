//! Authentication, rate limits and CORS.

use crate::{
    setup::{Options, Setup, send},
    support::AUDIENCE,
};
use reqwest::Method;
use serde_json::json;
use std::{num::NonZeroU32, time::Duration};
use token_service::ServiceLimits;

#[tokio::test]
async fn callers_need_a_token_for_this_service() {
    let setup = Setup::start().await;
    for (method, path) in [
        (Method::GET, "/api/user"),
        (Method::POST, "/api/user"),
        (Method::DELETE, "/api/user"),
        (Method::GET, "/api/token"),
        (Method::DELETE, "/api/token"),
        (Method::GET, "/api/token/teams"),
        (Method::GET, "/api/token/teams-phone"),
        (Method::GET, "/token"),
        (Method::POST, "/token"),
        (Method::POST, "/refreshToken/8:acs:x"),
    ] {
        let reply = send(setup.request(method.clone(), path)).await;
        reply.assert_error(401, "auth.authorization_header_missing");
        assert!(
            reply
                .header("www-authenticate")
                .is_some_and(|challenge| challenge.starts_with("Bearer"))
        );
        let other = setup.caller_with(&json!({ "sub": "alice", "aud": "https://other.contoso.com" }));
        let reply = send(setup.request(method, path).bearer_auth(other)).await;
        reply.assert_status(401);
    }
    let stranger = token_guard::testing::TestIssuer::start().await.unwrap();
    let forged = stranger.token(json!({ "sub": "alice", "aud": AUDIENCE })).unwrap();
    setup.get("/api/user", &forged).await.assert_status(401);
    assert_eq!(setup.emulator.identity_count(), 0);
}

#[tokio::test]
async fn application_is_not_a_user() {
    let setup = Setup::start().await;
    let daemon = setup.caller_with(&json!({ "sub": "daemon", "client_id": "daemon" }));
    setup.post("/api/user", &daemon).await.assert_error(403, "not_a_user");
    assert_eq!(setup.emulator.identity_count(), 0);
}

#[tokio::test]
async fn caller_is_not_cached_past_token_expiry() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    setup.get("/api/token", &alice).await.assert_status(201);
    setup.clock.advance(Duration::from_secs(3600 + 61));
    setup.get("/api/token", &alice).await.assert_status(401);
    setup.get("/api/token", &setup.caller("alice")).await.assert_status(201);
}

#[tokio::test]
async fn rate_limited_caller_gets_retry_after() {
    let two = NonZeroU32::new(2).unwrap();
    let setup = Setup::with(Options::default(), |builder| builder.requests_per_minute(two)).await;
    let alice = setup.caller("alice");
    setup.get("/api/user", &alice).await.assert_status(404);
    setup.get("/api/user", &setup.caller("alice")).await.assert_status(404);
    let reply = setup.get("/api/user", &alice).await;
    reply.assert_error(429, "rate_limited");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    setup.get("/api/user", &setup.caller("bob")).await.assert_status(404);
}

#[tokio::test]
async fn pages_of_allowed_origins_can_call() {
    let setup = Setup::with(Options::default(), |builder| {
        builder.allow_origins(["https://app.contoso.com".parse().unwrap()])
    })
    .await;
    let preflight = |origin: &'static str| {
        setup
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
    let headers = allowed.header("access-control-allow-headers").unwrap();
    for header in ["authorization", "teams-user-aad-token", "traceparent", "tracestate"] {
        assert!(headers.split(',').any(|allowed| allowed == header), "{headers}");
    }
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    assert!(allowed.header("x-request-id").is_some());
    let refused = send(preflight("https://evil.contoso.com")).await;
    assert_eq!(refused.header("access-control-allow-origin"), None);

    // The page can also read a failure.
    let reply = send(
        setup
            .request(Method::GET, "/api/token")
            .header("origin", "https://app.contoso.com"),
    )
    .await;
    reply.assert_status(401);
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some("https://app.contoso.com")
    );
}

#[tokio::test]
async fn nine_users_in_a_loop_leave_the_resource_to_a_tenth() {
    // The limits of a resource, without a queue.
    let limits = ServiceLimits::new(NonZeroU32::MIN, 0);
    let options = Options {
        limits: Some(limits),
        ..Options::default()
    };
    let setup = Setup::with(options, |builder| builder).await;
    for loops in ["/api/token", "/api/user"] {
        for user in 0..9 {
            let user = setup.caller(&format!("{loops} {user}"));
            setup.post("/api/user", &user).await.assert_status(201);
            loop {
                let reply = setup.delete(loops, &user).await;
                if reply.status == 429 {
                    reply.assert_error(429, "acs_limited");
                    break;
                }
                reply.assert_status(204);
                let reply = setup.post("/token", &user).await;
                if reply.status == 429 {
                    reply.assert_error(429, "acs_limited");
                    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
                    assert!((1..=8 * 60).contains(&wait), "{wait}");
                    break;
                }
            }
        }
    }
    let tenth = setup.caller("tenth");
    setup.post("/api/user", &tenth).await.assert_status(201);
    setup.get("/api/token", &tenth).await.assert_status(201);
    setup.delete("/api/token", &tenth).await.assert_status(204);
    // A fifth of what the resource allows in 30 seconds, at most.
    for (operation, most) in [("revoke", 100), ("delete", 100), ("create", 200), ("issue", 200)] {
        let calls = setup.acs_calls(operation).await;
        assert!(calls <= most, "{operation}: {calls}");
    }
}
