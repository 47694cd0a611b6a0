//! The routes for operators, and the limits and headers of all routes.

use crate::setup::{Options, Setup, send};
use acs_identity_emulator::Fault;
use axum::{Json, Router, routing::get};
use reqwest::Method;
use serde_json::json;
use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

#[tokio::test]
async fn service_is_ready_until_it_drains() {
    let setup = Setup::start().await;
    send(setup.request(Method::GET, "/healthz")).await.assert_status(200);
    send(setup.request(Method::GET, "/readyz")).await.assert_status(200);

    setup.service.drain();
    let reply = send(setup.request(Method::GET, "/readyz")).await;
    assert_eq!(reply.assert_status(503).json()["draining"], true);
    send(setup.request(Method::GET, "/healthz")).await.assert_status(200);
    setup.post("/api/user", &setup.caller("alice")).await.assert_status(201);
}

#[tokio::test]
async fn service_is_not_ready_without_keys() {
    let setup = Setup::start().await;
    setup.issuer.set_available(false);
    let reply = send(setup.request(Method::GET, "/readyz")).await;
    let body = reply.assert_status(503).json();
    assert_eq!((&body["issuer_keys"], &body["database"]), (&false.into(), &true.into()));
    let reply = setup.get("/api/user", &setup.caller("alice")).await;
    reply.assert_status(503);
    assert!(reply.header("retry-after").is_some());
}

/// Serves the issuer's key once. Later requests get no response.
async fn keys_that_fall_silent(setup: &Setup) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let keys = json!({ "keys": [setup.issuer.public_key()] });
    let respond = async move || match requests.fetch_add(1, Ordering::SeqCst) {
        0 => Json(keys.clone()),
        _ => pending().await,
    };
    let router = Router::new().route("/keys", get(respond));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn service_is_ready_while_old_keys_are_usable() {
    let issuer = Setup::start().await;
    let keys = Some(keys_that_fall_silent(&issuer).await);
    let options = Options {
        keys,
        ..Options::default()
    };
    let setup = issuer.replica(options, |builder| builder).await;
    setup.post("/api/user", &setup.caller("alice")).await.assert_status(201);
    setup.clock.advance(Duration::from_hours(2));
    let ready = send(setup.request(Method::GET, "/readyz"));
    let reply = timeout(Duration::from_secs(1), ready).await;
    reply.expect("/readyz waits for a refresh of keys").assert_status(200);
}

#[tokio::test]
async fn service_is_not_ready_without_its_database() {
    let setup = Setup::start().await;
    setup.service.close().await;
    let reply = send(setup.request(Method::GET, "/readyz")).await;
    assert_eq!(reply.assert_status(503).json()["database"], false);
    let reply = setup.post("/api/user", &setup.caller("alice")).await;
    reply.assert_error(503, "database");
}

#[tokio::test]
async fn metrics_count_by_route_and_source() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    let identity = setup.post("/token", &alice).await.text("/user/communicationUserId");
    setup
        .post(&format!("/refreshToken/{identity}"), &alice)
        .await
        .assert_status(200);
    setup.get("/api/token", &alice).await.assert_status(201);
    setup.get("/made/up/path", &alice).await.assert_status(404);
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
        (r#"token_service_tokens_total{source="issued"}"#, 2),
        (r#"token_service_tokens_total{source="memory"}"#, 1),
        (r#"token_service_acs_calls_total{operation="create",outcome="ok"}"#, 1),
        ("token_service_sign_ins_total", 1),
        ("token_service_acs_waiting", 0),
    ] {
        assert_eq!(setup.metric(series).await, value, "{series}");
    }
    let reply = send(setup.request(Method::GET, "/metrics")).await;
    let content_type = reply.header("content-type").unwrap();
    assert!(
        content_type.starts_with("application/openmetrics-text"),
        "{content_type}"
    );
    assert!(reply.body.ends_with("# EOF\n"));
    assert!(!reply.body.contains("8:acs:"), "a metric names an identity");
}

#[tokio::test]
async fn slow_request_times_out() {
    const ORIGIN: &str = "https://app.contoso.com";
    let setup = Setup::with(Options::default(), |builder| {
        builder
            .request_timeout(Duration::from_millis(200))
            .allow_origins([ORIGIN.parse().unwrap()])
    })
    .await;
    setup.emulator.inject(Fault::latency(Duration::from_secs(5))).unwrap();
    let request = setup.request(Method::POST, "/api/user").header("origin", ORIGIN);
    let reply = send(request.bearer_auth(setup.caller("alice"))).await;
    reply.assert_error(503, "timeout");
    assert!(reply.header("retry-after").is_some());
    assert!(reply.header("x-request-id").is_some());
    assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN));
    let exposed = reply.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("retry-after"), "{exposed}");
}

#[tokio::test]
async fn body_that_does_not_arrive_times_out() {
    let limit = Duration::from_millis(200);
    let setup = Setup::with(Options::default(), |builder| builder.request_timeout(limit)).await;
    let url = setup.request(Method::POST, "/token").build().unwrap().url().clone();
    let mut client = TcpStream::connect(url.socket_addrs(|| None).unwrap()[0]).await.unwrap();
    let head = format!(
        "POST /token HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{",
        setup.caller("alice")
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains(r#""reason":"timeout""#), "{answer}");
}

#[tokio::test]
async fn long_body_is_refused() {
    let setup = Setup::with(Options::default(), |builder| builder.body_limit(100)).await;
    let body = format!(r#"{{"scope":"chat","padding":"{}"}}"#, "x".repeat(100));
    let request = setup.request(Method::POST, "/token").bearer_auth(setup.caller("alice"));
    send(request.header("content-type", "application/json").body(body))
        .await
        .assert_error(413, "bad_body");
}

#[tokio::test]
async fn request_has_an_id() {
    let setup = Setup::start().await;
    let id = async |id: &'static str| {
        let reply = send(setup.request(Method::GET, "/api/user").header("x-request-id", id)).await;
        reply.header("x-request-id").unwrap().to_owned()
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
async fn responses_are_not_cached_or_framed() {
    let setup = Setup::start().await;
    for path in ["/api/user", "/nothing"] {
        let reply = send(setup.request(Method::GET, path)).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(reply.header(name), Some(value));
        }
        assert!(reply.header("strict-transport-security").is_some());
    }
}
