//! The routes for operators, and the limits and headers of all routes.

use crate::{
    setup::{Options, Setup, direct, send},
    support::{AUDIENCE, http},
};
use acs_identity_emulator::{Emulator, Fault};
use axum::{Json, Router, extract::State, routing::get};
use azure_communication_identity::CommunicationIdentityClient;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use token_guard::{
    TokenGuard,
    testing::{ManualClock, TestIssuer},
};
use token_service::{Store, TokenService};
use tokio::{net::TcpListener, time::timeout};

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

/// An issuer whose keys can fall silent.
#[derive(Clone)]
struct Silent {
    url: String,
    keys: Arc<String>,
    stopped: Arc<AtomicBool>,
    unanswered: Arc<AtomicUsize>,
}

impl Silent {
    async fn start() -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let document = format!(
            "{}/.well-known/openid-configuration",
            issuer.url().trim_end_matches('/')
        );
        let document: Value = http().get(document).send().await.unwrap().json().await.unwrap();
        let keys = http().get(document["jwks_uri"].as_str().unwrap()).send().await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let silent = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            keys: Arc::new(keys.text().await.unwrap()),
            stopped: Arc::default(),
            unanswered: Arc::default(),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(Self::document))
            .route("/keys", get(Self::keys))
            .with_state(silent.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        silent
    }

    async fn document(State(silent): State<Self>) -> Json<Value> {
        silent.answer().await;
        Json(json!({ "issuer": silent.url, "jwks_uri": format!("{}/keys", silent.url) }))
    }

    async fn keys(State(silent): State<Self>) -> ([(&'static str, &'static str); 1], String) {
        silent.answer().await;
        ([("content-type", "application/json")], silent.keys.to_string())
    }

    async fn answer(&self) {
        if self.stopped.load(Ordering::SeqCst) {
            self.unanswered.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }
}

#[tokio::test]
async fn silent_issuer_leaves_the_service_ready() {
    let emulator = Emulator::builder().start().await.unwrap();
    let silent = Silent::start().await;
    let clock = ManualClock::at(1_800_000_000);
    let guard = TokenGuard::builder(&silent.url, [AUDIENCE])
        .clock(clock.clock())
        .build()
        .unwrap();
    let connection_string = emulator.connection_string();
    let client = CommunicationIdentityClient::with_connection_string(&connection_string, Some(direct())).unwrap();
    let store = Store::connect("sqlite::memory:", 1).await.unwrap();
    let service = TokenService::builder(client, guard, store).build();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    let app = service.operations();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let ready = async || {
        let reply = timeout(Duration::from_secs(1), send(http().get(&url))).await;
        reply.expect("an answer within a second").assert_status(200);
    };
    ready().await;
    silent.stopped.store(true, Ordering::SeqCst);
    // Every hour, the keys are to be fetched again.
    for hour in 1..=2 {
        clock.advance(Duration::from_mins(61));
        while silent.unanswered.load(Ordering::SeqCst) < hour {
            ready().await;
            clock.advance(Duration::from_secs(1));
        }
    }
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
