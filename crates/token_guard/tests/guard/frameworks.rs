//! The guard in axum, tower and actix-web, with the same responses in each.

use crate::setup::{AUDIENCE, Setup};
use actix_web::{App, HttpResponse, Route, test, web};
use axum::{Extension, Router, extract::FromRef, routing::get};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use serde_json::{Value, json};
use std::{convert::Infallible, fmt::Debug};
use token_guard::{Caller, GuardError, GuardLayer, OptionalCaller, TokenGuard};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::cors::{Any, CorsLayer};

struct Response {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns the status, the content type, the code of the problem or else the body, the challenge, and whether there is a
    /// `Retry-After`.
    fn summary(&self) -> (u16, Option<&str>, String, Option<&str>, bool) {
        let content_type = self
            .header("content-type")
            .filter(|name| name.starts_with("application/"));
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let body = problem["code"].as_str().map_or(self.body.clone(), str::to_owned);
        (
            self.status,
            content_type,
            body,
            self.header("www-authenticate"),
            self.header("retry-after").is_some(),
        )
    }
}

fn request(authorization: &[&str]) -> http::request::Builder {
    authorization
        .iter()
        .fold(Request::builder().uri("/user/info"), |request, value| {
            request.header("authorization", *value)
        })
}

async fn read<B: Body<Error: Debug>>(response: http::Response<B>) -> Response {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn axum(router: Router, authorization: &[&str]) -> Response {
    let request = request(authorization).body(axum::body::Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    read(response).await
}

async fn extractor(guard: &TokenGuard, authorization: &[&str]) -> Response {
    #[derive(Clone)]
    struct AppState {
        guard: TokenGuard,
    }

    impl FromRef<AppState> for TokenGuard {
        fn from_ref(state: &AppState) -> Self {
            state.guard.clone()
        }
    }

    async fn user_info(caller: Caller) -> Result<String, GuardError> {
        caller.require_scope("read:profile")?;
        Ok(caller.subject().to_owned())
    }

    let state = AppState { guard: guard.clone() };
    axum(
        Router::new().route("/user/info", get(user_info)).with_state(state),
        authorization,
    )
    .await
}

async fn layer_of_axum(guard: &TokenGuard, authorization: &[&str]) -> Response {
    let layer = GuardLayer::new(guard.requiring_scopes(["read:profile"]));
    let handler = |Extension(caller): Extension<Caller>| async move { caller.subject().to_owned() };
    axum(
        Router::new().route("/user/info", get(handler)).layer(layer),
        authorization,
    )
    .await
}

async fn layer_of_tower(guard: &TokenGuard, authorization: &[&str]) -> Response {
    let layer = GuardLayer::new(guard.requiring_scopes(["read:profile"]));
    let mut service = layer.layer(service_fn(|request: Request<()>| async move {
        let subject = request.extensions().get::<Caller>().unwrap().subject().to_owned();
        Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::from(subject)))
    }));
    let response = service
        .ready()
        .await
        .unwrap()
        .call(request(authorization).body(()).unwrap())
        .await
        .unwrap();
    read(response).await
}

async fn actix(guard: &TokenGuard, authorization: &[&str]) -> Response {
    async fn user_info(caller: Caller) -> Result<String, GuardError> {
        caller.require_scope("read:profile")?;
        Ok(caller.subject().to_owned())
    }

    call_actix(guard, web::get().to(user_info), authorization).await
}

async fn call_actix(guard: &TokenGuard, route: Route, authorization: &[&str]) -> Response {
    let app = App::new()
        .app_data(web::Data::new(guard.clone()))
        .route("/user/info", route);
    let app = test::init_service(app).await;
    let mut request = test::TestRequest::get().uri("/user/info");
    for value in authorization {
        request = request.append_header(("authorization", *value));
    }
    let response: HttpResponse = test::call_service(&app, request.to_request()).await.into();
    let status = response.status().as_u16();
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers() {
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes()).unwrap();
        headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
    Response {
        status,
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

#[tokio::test]
async fn every_framework_responds_alike() {
    let setup = Setup::new().await;
    let down = Setup::new().await;
    down.issuer.set_available(false);
    let token = |scope: &str| {
        let token = setup
            .issuer
            .token(json!({"sub": "alice", "aud": AUDIENCE, "scope": scope}))
            .unwrap();
        format!("bearer {token}")
    };
    let good = token("read:profile write:profile");
    let scopeless = token("write:profile");
    let foreign = format!(
        "Bearer {}",
        setup.issuer.token(json!({"aud": "https://fabrikam.com"})).unwrap()
    );
    let theirs = format!("Bearer {}", down.token());
    let (up, down) = (setup.guard(), down.guard());
    let problem = Some("application/problem+json");
    let realm = Some(r#"Bearer realm="api""#);
    let invalid_format = Some(
        r#"Bearer realm="api", error="invalid_token", error_description="The request must have one Authorization header: Bearer, a space, and a token.""#,
    );
    let invalid_token =
        Some(r#"Bearer realm="api", error="invalid_token", error_description="The token is for another audience.""#);
    let scope = Some(r#"Bearer realm="api", error="insufficient_scope", scope="read:profile""#);
    for (guard, authorization, expected) in [
        (&up, &[good.as_str()][..], (200, None, "alice", None, false)),
        (
            &up,
            &[],
            (401, problem, "auth.authorization_header_missing", realm, false),
        ),
        (
            &up,
            &["Bearer"],
            (
                401,
                problem,
                "auth.authorization_token_invalid_format",
                invalid_format,
                false,
            ),
        ),
        (
            &up,
            &[&good, &good],
            (
                401,
                problem,
                "auth.authorization_token_invalid_format",
                invalid_format,
                false,
            ),
        ),
        (
            &up,
            &["Basic YTpi"],
            (
                401,
                problem,
                "auth.authorization_token_type_not_supported",
                realm,
                false,
            ),
        ),
        (&up, &[&foreign], (401, problem, "invalid_token", invalid_token, false)),
        (&up, &[&scopeless], (403, problem, "auth.forbidden", scope, false)),
        (&down, &[&theirs], (503, problem, "auth.keys_unavailable", None, true)),
    ] {
        let responses = [
            ("extractor of axum", extractor(guard, authorization).await),
            ("layer of axum", layer_of_axum(guard, authorization).await),
            ("layer of tower", layer_of_tower(guard, authorization).await),
            ("extractor of actix", actix(guard, authorization).await),
        ];
        for (name, response) in &responses {
            let (status, content_type, body, challenge, retry_after) = response.summary();
            assert_eq!(
                (status, content_type, body.as_str(), challenge, retry_after),
                expected,
                "{name}"
            );
            let cache_control = (response.status != 200).then_some("no-store");
            assert_eq!(response.header("cache-control"), cache_control, "{name}");
        }
    }
}

/// Sends a request to a route with an optional caller in each framework.
async fn optional(guard: &TokenGuard, authorization: &[&str]) -> [(&'static str, Response); 3] {
    fn name(caller: Option<Caller>) -> String {
        caller.map_or("no caller".to_owned(), |caller| caller.subject().to_owned())
    }

    let extractor = get(|caller: Option<Caller>| async move { name(caller) });
    let extractor = Router::new().route("/user/info", extractor).with_state(guard.clone());
    let behind = get(|caller: Option<Extension<Caller>>| async move { name(caller.map(|Extension(caller)| caller)) });
    let layer = Router::new()
        .route("/user/info", behind)
        .layer(GuardLayer::new(guard.clone()).optional());
    let handler = |OptionalCaller(caller): OptionalCaller| async move { name(caller) };
    [
        ("extractor of axum", axum(extractor, authorization).await),
        ("layer", axum(layer, authorization).await),
        (
            "extractor of actix",
            call_actix(guard, web::get().to(handler), authorization).await,
        ),
    ]
}

#[tokio::test]
async fn optional_caller_needs_a_valid_token_or_none() {
    let setup = Setup::new().await;
    let down = Setup::new().await;
    down.issuer.set_available(false);
    let bearer = |claims: Value| format!("Bearer {}", setup.issuer.token(claims).unwrap());
    let good = bearer(json!({"sub": "alice", "aud": AUDIENCE, "scope": "read:profile"}));
    let scopeless = bearer(json!({"sub": "alice", "aud": AUDIENCE}));
    let foreign = bearer(json!({"aud": "https://fabrikam.com"}));
    let theirs = format!("Bearer {}", down.token());
    let (up, down) = (setup.guard().requiring_scopes(["read:profile"]), down.guard());
    let invalid_format = "auth.authorization_token_invalid_format";
    for (guard, authorization, expected) in [
        (&up, &[][..], (200, "no caller")),
        (&up, &[good.as_str()], (200, "alice")),
        (&up, &[&foreign], (401, "invalid_token")),
        (&up, &["Bearer opaque"], (401, "invalid_token")),
        (&up, &["Bearer "], (401, invalid_format)),
        // An empty header is as good as none.
        (&up, &[""], (200, "no caller")),
        (&up, &[&good, &good], (401, invalid_format)),
        (
            &up,
            &["Basic YTpi"],
            (401, "auth.authorization_token_type_not_supported"),
        ),
        (&up, &[&scopeless], (403, "auth.forbidden")),
        (&down, &[&theirs], (503, "auth.keys_unavailable")),
        (&down, &[], (200, "no caller")),
    ] {
        for (framework, response) in optional(guard, authorization).await {
            let (status, _, body, ..) = response.summary();
            assert_eq!((status, body.as_str()), expected, "{framework} {authorization:?}");
        }
    }
}

#[tokio::test]
async fn preflight_needs_no_token() {
    let setup = Setup::new().await;
    let api = Router::new()
        .route("/user/info", get(|| async { "info" }))
        .layer(GuardLayer::new(setup.guard()))
        .layer(
            CorsLayer::new()
                .allow_origin(Any)
                .allow_headers([http::header::AUTHORIZATION]),
        );
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri("/user/info")
        .header("origin", "https://app.contoso.com")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = api.clone().oneshot(preflight).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["access-control-allow-headers"], "authorization");
    let refused = axum(api, &[]).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn actix_without_a_guard_is_500() {
    async fn user_info(_: Caller) -> &'static str {
        "info"
    }

    let app = test::init_service(App::new().route("/user/info", web::get().to(user_info))).await;
    let response = test::call_service(&app, test::TestRequest::get().uri("/user/info").to_request()).await;
    assert_eq!(response.status().as_u16(), 500);
}
