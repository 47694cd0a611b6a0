//! What operators see.

use crate::setup::{Options, World, send};
use acs_identity_emulator::Fault;
use reqwest::Method;
use std::time::Duration;

#[tokio::test]
async fn the_service_is_ready_with_its_database_and_the_issuers_keys() {
    let world = World::start().await;
    send(world.request(Method::GET, "/healthz")).await.assert_status(200);
    send(world.request(Method::GET, "/readyz")).await.assert_status(200);

    world.service.drain();
    let answer = send(world.request(Method::GET, "/readyz")).await;
    assert_eq!(answer.assert_status(503).json()["draining"], true);
    send(world.request(Method::GET, "/healthz")).await.assert_status(200);
    world.post("/api/user", &world.caller("alice")).await.assert_status(201);
}

#[tokio::test]
async fn the_service_is_not_ready_without_the_issuers_keys() {
    let world = World::start().await;
    world.issuer.set_available(false);
    let answer = send(world.request(Method::GET, "/readyz")).await;
    let body = answer.assert_status(503).json();
    assert_eq!((&body["issuer_keys"], &body["database"]), (&false.into(), &true.into()));
    let answer = world.get("/api/user", &world.caller("alice")).await;
    answer.assert_status(503);
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn the_service_is_not_ready_without_its_database() {
    let world = World::start().await;
    world.service.close().await;
    let answer = send(world.request(Method::GET, "/readyz")).await;
    assert_eq!(answer.assert_status(503).json()["database"], false);
    let answer = world.post("/api/user", &world.caller("alice")).await;
    answer.assert_error(503, "database");
}

#[tokio::test]
async fn metrics_count_by_route_and_source() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    let identity = world.post("/token", &alice).await.text("/user/communicationUserId");
    world
        .post(&format!("/refreshToken/{identity}"), &alice)
        .await
        .assert_status(200);
    world.get("/made/up/path", &alice).await.assert_status(404);
    for (series, value) in [
        (
            r#"token_service_http_requests_total{method="POST",route="/api/user",status="201"}"#,
            1,
        ),
        (
            r#"token_service_http_requests_total{method="POST",route="/refreshToken/{id}",status="200"}"#,
            1,
        ),
        (
            r#"token_service_http_requests_total{method="GET",route="none",status="404"}"#,
            1,
        ),
        (
            r#"token_service_http_request_duration_seconds_count{route="/token"}"#,
            1,
        ),
        (r#"token_service_tokens_total{source="issued"}"#, 1),
        (r#"token_service_tokens_total{source="memory"}"#, 1),
        (r#"token_service_acs_calls_total{operation="create",outcome="ok"}"#, 1),
        ("token_service_sign_ins_total", 1),
        ("token_service_acs_waiting", 0),
    ] {
        assert_eq!(world.metric(series).await, value, "{series}");
    }
    let answer = send(world.request(Method::GET, "/metrics")).await;
    let content_type = answer.header("content-type").unwrap();
    assert!(
        content_type.starts_with("application/openmetrics-text"),
        "{content_type}"
    );
    assert!(answer.body.ends_with("# EOF\n"));
    assert!(!answer.body.contains("8:acs:"), "a metric names an identity");
}

#[tokio::test]
async fn an_answer_is_bounded_in_time() {
    const ORIGIN: &str = "https://app.contoso.com";
    let world = World::with(Options::default(), |builder| {
        builder
            .request_timeout(Duration::from_millis(200))
            .allow_origins([ORIGIN.parse().unwrap()])
    })
    .await;
    world.emulator.inject(Fault::latency(Duration::from_secs(5))).unwrap();
    let request = world.request(Method::POST, "/api/user").header("origin", ORIGIN);
    let answer = send(request.bearer_auth(world.caller("alice"))).await;
    answer.assert_error(503, "timeout");
    assert!(answer.header("retry-after").is_some());
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("retry-after"), "{exposed}");
}

#[tokio::test]
async fn a_body_is_bounded() {
    let world = World::with(Options::default(), |builder| builder.body_limit(100)).await;
    let body = format!(r#"{{"scope":"chat","padding":"{}"}}"#, "x".repeat(100));
    let request = world.request(Method::POST, "/token").bearer_auth(world.caller("alice"));
    send(request.header("content-type", "application/json").body(body))
        .await
        .assert_error(413, "bad_body");
}

#[tokio::test]
async fn a_request_has_an_id() {
    let world = World::start().await;
    let id = async |id: &'static str| {
        let answer = send(world.request(Method::GET, "/api/user").header("x-request-id", id)).await;
        answer.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(id("abc-1.2_3").await, "abc-1.2_3");
    for odd in [
        "",
        "a b",
        "8:acs:x",
        "\"",
        "0123456789012345678901234567890123456789012345678901234567890123456789",
    ] {
        let own = id(odd).await;
        assert!(uuid::Uuid::parse_str(&own).is_ok(), "{own}");
    }
}

#[tokio::test]
async fn answers_are_kept_by_nobody_and_shown_in_no_frame() {
    let world = World::start().await;
    for path in ["/api/user", "/nothing"] {
        let answer = send(world.request(Method::GET, path)).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), Some(value));
        }
        assert!(answer.header("strict-transport-security").is_some());
    }
}
