//! Webhooks of Call Automation and Event Grid at axum and actix-web. Sources: Microsoft's guides to secure webhooks, and to
//! the handshakes of both event schemas.

use crate::{
    forge::Key,
    server::Server,
    setup::{NOW, short, with},
};
use actix_web::{App, HttpResponse, dev::Payload, error::PayloadError, test, web};
use axum::{
    Router,
    body::Body,
    extract::Request,
    routing::{any, get},
};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use hyper::{body::Bytes, upgrade};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use token_guard::{Caller, EntraApi, TokenGuard, TokenGuardBuilder, Webhook, testing::ManualClock};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::ServiceExt;

const ISSUER: &str = "https://acscallautomation.communication.azure.com";
const RESOURCE: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const TENANT: &str = "bbbbcccc-1111-dddd-2222-eeee3333ffff";
const API: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";
/// Event Grid's application.
const EVENT_GRID: &str = "4962773b-9cdb-44cf-a8bf-237846a00ab7";
const ROLE: &str = "AzureEventGridSecureWebhookSubscriber";
const MIB: usize = 1024 * 1024;

const OK: &str = "200";
const ISSUER_FAULT: &str = "401 invalid_token Issuer";
const FORBIDDEN: &str = "403 auth.forbidden";

/// The key of a sender, and guards that have it.
struct Sender(Key);

impl Sender {
    fn new() -> Self {
        Self(Key::rsa())
    }

    fn with_keys(&self, builder: TokenGuardBuilder) -> TokenGuardBuilder {
        // Entra ID and Call Automation write no alg.
        let keys = json!({"keys": [with(&self.0.jwk("key"), &json!({"use": "sig"}))]});
        builder
            .fixed_keys(&keys.to_string())
            .clock(ManualClock::at(NOW).clock())
    }

    fn call_automation(&self) -> TokenGuardBuilder {
        self.with_keys(TokenGuard::call_automation(&RESOURCE.to_uppercase()))
    }

    fn event_grid(&self) -> TokenGuardBuilder {
        self.with_keys(TokenGuard::event_grid(EntraApi::new(TENANT, API), ROLE))
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let header = with(&json!({"alg": "RS256", "kid": "key"}), header);
        self.0.token(&header, claims)
    }

    /// A token of Call Automation, with changes.
    fn of_call(&self, header: &Value, claims: &Value) -> String {
        let base = json!({"iss": ISSUER, "aud": RESOURCE, "exp": NOW + 300});
        self.token(header, &with(&base, claims))
    }

    /// A token of Event Grid, with changes.
    fn of_event_grid(&self, claims: &Value) -> String {
        let base = json!({
            "aud": API, "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"), "azp": EVENT_GRID, "azpacr": "2",
            "oid": "object", "roles": [ROLE], "sub": "object", "tid": TENANT, "ver": "2.0", "iat": NOW, "exp": NOW + 300,
        });
        self.token(&json!({"typ": "JWT"}), &with(&base, claims))
    }
}

struct Sent {
    method: Method,
    headers: Vec<(&'static str, String)>,
    body: Vec<io::Result<Bytes>>,
}

impl Sent {
    fn new(method: Method, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            method,
            headers: headers.collect(),
            body: vec![Ok(body.into())],
        }
    }

    fn post(token: Option<&str>, body: impl Into<Bytes>) -> Self {
        let mut sent = Self::new(Method::POST, &[("content-type", "application/json")], body);
        let authorization = token.map(|token| ("authorization", format!("Bearer {token}")));
        sent.headers.extend(authorization);
        sent
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The response of an application, and whether it asked for a part of the body.
struct Response {
    status: u16,
    headers: HeaderMap,
    body: String,
    body_read: bool,
}

impl Response {
    /// Returns the status and the code of the problem, or else the body.
    fn summary(&self) -> String {
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let text = problem["code"].as_str().unwrap_or(&self.body);
        format!("{} {text}", self.status).trim_end().to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

fn handled(webhook: &Webhook) -> String {
    let sender = webhook.caller.as_ref().map_or("a stranger", Caller::subject);
    format!("{} bytes of {sender}", webhook.body.len())
}

/// Notes when the first part of a body is asked for.
fn noting<B>(body: Vec<B>) -> (impl Stream<Item = B> + Send + 'static, Arc<AtomicBool>)
where
    B: Send + 'static,
{
    let read = Arc::new(AtomicBool::new(false));
    let noted = read.clone();
    let first = stream::poll_fn(move |_| {
        noted.store(true, Ordering::SeqCst);
        std::task::Poll::Ready(None)
    });
    (first.chain(stream::iter(body)), read)
}

async fn axum(guard: &TokenGuard, sent: Sent) -> Response {
    let handler = |webhook: Webhook| async move { handled(&webhook) };
    let router = Router::new().route("/", any(handler)).with_state(guard.clone());
    let mut request = Request::builder().method(sent.method).uri("/");
    for (name, value) in &sent.headers {
        request = request.header(*name, value);
    }
    let (body, read) = noting(sent.body);
    let response = router
        .oneshot(request.body(Body::from_stream(body)).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        body_read: read.load(Ordering::SeqCst),
    }
}

async fn actix(guard: &TokenGuard, sent: Sent) -> Response {
    let handler = |webhook: Webhook| async move { handled(&webhook) };
    let app = App::new()
        .app_data(web::Data::new(guard.clone()))
        .route("/", web::to(handler));
    let app = test::init_service(app).await;
    let method = actix_web::http::Method::from_bytes(sent.method.as_str().as_bytes()).unwrap();
    let mut request = test::TestRequest::default().method(method).uri("/");
    for (name, value) in &sent.headers {
        request = request.append_header((*name, value.as_str()));
    }
    let (body, read) = noting(sent.body);
    let payload: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> =
        Box::pin(body.map(|chunk| chunk.map_err(PayloadError::Io)));
    let (request, _) = request.to_request().replace_payload(Payload::Stream { payload });
    let response: HttpResponse = test::call_service(&app, request).await.into();
    let status = response.status().as_u16();
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
    Response {
        status,
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        body_read: read.load(Ordering::SeqCst),
    }
}

/// Sends a request to each framework.
async fn both(guard: &TokenGuard, sent: impl Fn() -> Sent) -> [(&'static str, Response); 2] {
    [
        ("axum", axum(guard, sent()).await),
        ("actix", actix(guard, sent()).await),
    ]
}

#[tokio::test]
async fn call_automation_needs_issuer_audience_and_expiry() {
    let sender = Sender::new();
    let guard = sender.call_automation().build().unwrap();
    let none = json!({});
    let call = |claims: Value| sender.of_call(&none, &claims);
    let other_key = Sender::new().of_call(&none, &none);
    let ec = Key::p256().token(
        &json!({"alg": "ES256", "kid": "key"}),
        &json!({"iss": ISSUER, "aud": RESOURCE, "exp": NOW + 300}),
    );
    for (name, token, expected) in [
        ("no sub, no typ", call(json!({})), OK),
        ("typ JWT", sender.of_call(&json!({"typ": "JWT"}), &none), OK),
        ("a sub of another type", call(json!({"sub": 7})), OK),
        ("a clock that is 5 minutes ahead", call(json!({"exp": NOW - 299})), OK),
        ("expired", call(json!({"exp": NOW - 300})), "401 invalid_token Expired"),
        ("no expiry", call(json!({"exp": null})), "401 invalid_token Expired"),
        (
            "another resource",
            call(json!({"aud": TENANT})),
            "401 invalid_token Audience",
        ),
        ("no audience", call(json!({"aud": null})), "401 invalid_token Audience"),
        (
            "another issuer",
            call(json!({"iss": "https://acscallautomation.communication.azure.us"})),
            ISSUER_FAULT,
        ),
        ("no issuer", call(json!({"iss": null})), ISSUER_FAULT),
        (
            "a logout token",
            call(json!({"events": {}})),
            "401 invalid_token NotAnAccessToken",
        ),
        ("another key", other_key, "401 invalid_token Signature"),
        ("another type of key", ec, "401 invalid_token Algorithm"),
        (
            "PS256",
            sender.of_call(&json!({"alg": "PS256"}), &none),
            "401 invalid_token Algorithm",
        ),
        ("a user's token of the API", sender.of_event_grid(&none), ISSUER_FAULT),
    ] {
        assert_eq!(short(&guard.verify(&token).await), expected, "{name}");
    }
    let caller = guard.verify(&call(json!({}))).await.unwrap();
    assert_eq!((caller.subject(), caller.is_application()), (ISSUER, true));
}

#[tokio::test]
async fn event_grid_needs_its_application_tenant_and_role() {
    let sender = Sender::new();
    let guard = sender.event_grid().build().unwrap();
    let v1 = json!({"iss": format!("https://sts.windows.net/{TENANT}/"), "azp": null, "appid": EVENT_GRID, "ver": "1.0", "aud": format!("api://{API}")});
    for (name, claims, expected) in [
        ("version 2", json!({}), OK),
        ("version 1", v1, OK),
        ("another application", json!({"azp": API}), FORBIDDEN),
        (
            "a delegated token of the application",
            json!({"scp": "user_impersonation"}),
            FORBIDDEN,
        ),
        ("no role", json!({"roles": null}), FORBIDDEN),
        ("another role", json!({"roles": ["Calls.All"]}), FORBIDDEN),
        (
            "a scope named like the role",
            json!({"roles": null, "scp": ROLE}),
            FORBIDDEN,
        ),
        ("another tenant", json!({"tid": RESOURCE}), ISSUER_FAULT),
        (
            "another webhook",
            json!({"aud": RESOURCE}),
            "401 invalid_token Audience",
        ),
        (
            "no application",
            json!({"azp": null}),
            "401 invalid_token NotAnAccessToken",
        ),
        ("expired", json!({"exp": NOW - 30}), "401 invalid_token Expired"),
    ] {
        let outcome = guard.verify(&sender.of_event_grid(&claims)).await;
        assert_eq!(short(&outcome), expected, "{name}");
    }
}

#[tokio::test]
async fn metadata_asked_at_its_documented_address() {
    // A proxy that is closed: no request leaves the machine.
    let proxy = reqwest::Proxy::all("http://127.0.0.1:1").unwrap();
    let client = reqwest::Client::builder().proxy(proxy).build().unwrap();
    let b2c = EntraApi::b2c("https://contoso.b2clogin.com", TENANT, "B2C_1_signin", API);
    for (builder, expected) in [
        (
            TokenGuard::call_automation(RESOURCE),
            format!("{ISSUER}/calling/.well-known/acsopenidconfiguration"),
        ),
        (
            TokenGuard::event_grid(EntraApi::new(TENANT, API), ROLE),
            format!("https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"),
        ),
        (
            TokenGuard::entra(EntraApi::new(TENANT, API).allow_tenant(RESOURCE)),
            "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration".to_owned(),
        ),
        (
            TokenGuard::entra(EntraApi::external_id("https://contoso.ciamlogin.com/", TENANT, API)),
            format!("https://contoso.ciamlogin.com/{TENANT}/v2.0/.well-known/openid-configuration"),
        ),
        (
            TokenGuard::entra(b2c),
            format!("https://contoso.b2clogin.com/{TENANT}/B2C_1_signin/v2.0/.well-known/openid-configuration"),
        ),
    ] {
        let guard = builder.http_client(client.clone()).build().unwrap();
        let error = guard.load_keys().await.unwrap_err();
        assert_eq!(
            error.source().unwrap().to_string(),
            format!("{expected} cannot be connected to")
        );
    }
}

#[tokio::test]
async fn keys_of_call_automation_found_by_its_document() {
    let sender = Sender::new();
    let server = Server::start().await;
    let metadata = "/calling/.well-known/acsopenidconfiguration";
    server.json("/calling/keys", &json!({"keys": [sender.0.jwk("key")]}));
    server.json(
        metadata,
        &json!({"issuer": ISSUER, "jwks_uri": server.url("/calling/keys")}),
    );
    let builder = || {
        TokenGuard::call_automation(RESOURCE)
            .metadata_at(&server.url(metadata))
            .clock(ManualClock::at(NOW).clock())
    };
    let token = sender.of_call(&json!({}), &json!({}));
    assert_eq!(short(&builder().build().unwrap().verify(&token).await), OK);
    assert_eq!(server.requests(), [metadata, "/calling/keys"]);
    server.json(
        metadata,
        &json!({"issuer": "https://fabrikam.com", "jwks_uri": server.url("/calling/keys")}),
    );
    let outcome = builder().build().unwrap().verify(&token).await;
    assert_eq!(short(&outcome), "503 auth.keys_unavailable");
}

#[tokio::test]
async fn token_checked_before_the_body_is_read() {
    let sender = Sender::new();
    let (call, grid) = (sender.call_automation(), sender.event_grid());
    let (call, grid) = (call.build().unwrap(), grid.build().unwrap());
    let (call_token, grid_token) = (sender.of_call(&json!({}), &json!({})), sender.of_event_grid(&json!({})));
    let missing = "401 auth.authorization_header_missing";
    for (name, guard, token, expected, body_read) in [
        (
            "Call Automation",
            &call,
            Some(&call_token),
            format!("200 5 bytes of {ISSUER}"),
            true,
        ),
        ("Call Automation, no token", &call, None, missing.to_owned(), false),
        (
            "Call Automation, Event Grid's token",
            &call,
            Some(&grid_token),
            "401 invalid_token".to_owned(),
            false,
        ),
        (
            "Event Grid",
            &grid,
            Some(&grid_token),
            "200 5 bytes of object".to_owned(),
            true,
        ),
        ("Event Grid, no token", &grid, None, missing.to_owned(), false),
        (
            "Event Grid, Call Automation's token",
            &grid,
            Some(&call_token),
            "401 invalid_token".to_owned(),
            false,
        ),
    ] {
        for (framework, response) in both(guard, || {
            Sent::post(token.map(String::as_str), "[{},1]"[..5].to_owned())
        })
        .await
        {
            assert_eq!(response.summary(), expected, "{name} at {framework}");
            assert_eq!(response.body_read, body_read, "{name} at {framework}");
            let challenged = response.header("www-authenticate").is_some();
            assert_eq!(challenged, response.status == 401, "{name} at {framework}");
        }
    }
}

#[tokio::test]
async fn body_is_bounded_and_must_be_complete() {
    let sender = Sender::new();
    let token = sender.of_call(&json!({}), &json!({}));
    let chunks = |lengths: &[usize], complete: bool| {
        let mut sent = Sent::post(Some(&token), "");
        sent.body = lengths
            .iter()
            .map(|length| Ok(Bytes::from(vec![b' '; *length])))
            .collect();
        if !complete {
            sent.body.push(Err(io::Error::other("reset")));
        }
        sent
    };
    let too_large = "413 webhook.body_too_large";
    for (limit, lengths, complete, expected) in [
        (None, &[][..], true, format!("200 0 bytes of {ISSUER}")),
        (None, &[MIB / 2, MIB / 2], true, format!("200 {MIB} bytes of {ISSUER}")),
        (None, &[MIB / 2, MIB / 2, 1], true, too_large.to_owned()),
        (None, &[MIB + 1], true, too_large.to_owned()),
        (Some(10), &[4, 6], true, format!("200 10 bytes of {ISSUER}")),
        (Some(10), &[4, 7], true, too_large.to_owned()),
        (Some(0), &[0], true, format!("200 0 bytes of {ISSUER}")),
        (None, &[4], false, "400 webhook.body_incomplete".to_owned()),
        // The limit comes first, as a longer body is not read to its end.
        (Some(10), &[11], false, too_large.to_owned()),
    ] {
        let guard = match limit {
            None => sender.call_automation(),
            Some(bytes) => sender.call_automation().webhook_body_limit(bytes),
        };
        let guard = guard.build().unwrap();
        for (framework, response) in both(&guard, || chunks(lengths, complete)).await {
            assert_eq!(response.summary(), expected, "{lengths:?} at {framework}");
        }
    }
}

#[tokio::test]
async fn body_that_says_it_is_too_long_is_not_read() {
    let sender = Sender::new();
    let guard = sender.event_grid().webhook_body_limit(100).build().unwrap();
    let token = sender.of_event_grid(&json!({}));
    let too_large = "413 webhook.body_too_large";
    let missing = "401 auth.authorization_header_missing";
    for (token, event_type, length, expected, body_read) in [
        (Some(&token), "Notification", "100", "200 2 bytes of object", true),
        (Some(&token), "Notification", "101", too_large, false),
        // The token comes first.
        (None, "Notification", "101", missing, false),
        (None, "SubscriptionValidation", "16385", too_large, false),
        // A length that cannot be read bounds nothing, but the body is still counted.
        (Some(&token), "Notification", "many", "200 2 bytes of object", true),
    ] {
        let sent = || {
            let sent = Sent::post(token.map(String::as_str), "[]");
            sent.header("aeg-event-type", event_type)
                .header("content-length", length)
        };
        for (framework, response) in both(&guard, sent).await {
            assert_eq!(response.summary(), expected, "{length} at {framework}");
            assert_eq!(response.body_read, body_read, "{length} at {framework}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn body_that_does_not_arrive_given_up() {
    let sender = Sender::new();
    let guard = sender.call_automation().build().unwrap();
    let handler = |webhook: Webhook| async move { handled(&webhook) };
    let router = Router::new().route("/", any(handler)).with_state(guard);
    let token = sender.of_call(&json!({}), &json!({}));
    let request = Request::post("/").header("authorization", format!("Bearer {token}"));
    let body = Body::from_stream(stream::pending::<io::Result<Bytes>>());
    let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

/// The handshake of the Event Grid schema, from Microsoft's guide.
fn validation_event(code: &Value) -> Value {
    json!([{
        "id": "2d1781af-3a4c-4d7c-bd0c-e34b19da4e66",
        "topic": "/subscriptions/xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
        "subject": "",
        "data": {"validationCode": code, "validationUrl": "https://rp-eastus2.eventgrid.azure.net:553/eventsubscriptions/a"},
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": "2022-10-28T04:23:35.1981776Z",
        "metadataVersion": "1",
        "dataVersion": "2",
    }])
}

const CODE: &str = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6";

/// Requests without a token: the `aeg-event-type`, the body, and the response.
fn handshakes() -> Vec<(&'static str, &'static str, String, String)> {
    let invalid = "400 webhook.invalid_handshake";
    let missing = "401 auth.authorization_header_missing";
    let accepted = format!(r#"200 {{"validationResponse":"{CODE}"}}"#);
    let event = validation_event(&json!(CODE));
    let of_code = |code: Value| validation_event(&code).to_string();
    let incoming_call = with(&event[0], &json!({"eventType": "Microsoft.Communication.IncomingCall"}));
    let long = " ".repeat(16 * 1024 + 1);
    let validation = "SubscriptionValidation";
    [
        ("a handshake", validation, event.to_string(), accepted.as_str()),
        ("in lower case", "subscriptionvalidation", event.to_string(), &accepted),
        ("a notification in its form", "Notification", event.to_string(), missing),
        ("another event", validation, json!([incoming_call]).to_string(), invalid),
        (
            "two events",
            validation,
            json!([event[0], event[0]]).to_string(),
            invalid,
        ),
        ("no event", validation, "[]".to_owned(), invalid),
        ("not JSON", validation, CODE.to_owned(), invalid),
        ("no code", validation, of_code(json!(null)), invalid),
        ("an empty code", validation, of_code(json!("")), invalid),
        ("a code that is no text", validation, of_code(json!([1])), invalid),
        ("a long code", validation, of_code(json!("x".repeat(257))), invalid),
        ("a long body", validation, long, "413 webhook.body_too_large"),
    ]
    .map(|(name, event_type, body, expected)| (name, event_type, body, expected.to_owned()))
    .to_vec()
}

#[tokio::test]
async fn handshake_of_event_grid_schema_answered() {
    let sender = Sender::new();
    let guard = sender.event_grid().build().unwrap();
    for (name, event_type, body, expected) in handshakes() {
        let sent = || Sent::post(None, body.clone()).header("aeg-event-type", event_type);
        for (framework, response) in both(&guard, sent).await {
            assert_eq!(response.summary(), expected, "{name} at {framework}");
            let content_type = response.header("content-type").unwrap();
            let is_json = ["application/json", "application/problem+json"].contains(&content_type);
            assert!(
                is_json && response.header("cache-control") == Some("no-store"),
                "{name} at {framework}"
            );
        }
    }
}

#[tokio::test]
async fn handshake_checked_if_it_has_a_token() {
    let sender = Sender::new();
    let guard = sender.event_grid().build().unwrap();
    let entra = sender.with_keys(TokenGuard::entra(EntraApi::new(TENANT, API)));
    let entra = entra.build().unwrap();
    let event = validation_event(&json!(CODE)).to_string();
    let good = sender.of_event_grid(&json!({}));
    let bad = sender.of_event_grid(&json!({"roles": null}));
    let missing = "401 auth.authorization_header_missing";
    let accepted = format!(r#"200 {{"validationResponse":"{CODE}"}}"#);
    let bytes = format!("200 {} bytes of object", event.len());
    let validation = &["SubscriptionValidation"][..];
    for (name, guard, token, event_types, expected) in [
        ("a token", &guard, Some(&good), validation, accepted.as_str()),
        ("a refused token", &guard, Some(&bad), validation, FORBIDDEN),
        ("to a guard of another sender", &entra, None, validation, missing),
        (
            "a token, to a guard of another sender",
            &entra,
            Some(&good),
            validation,
            &bytes,
        ),
        (
            "two types",
            &guard,
            None,
            &["SubscriptionValidation", "Notification"],
            missing,
        ),
    ] {
        let sent = || {
            let sent = Sent::post(token.map(String::as_str), event.clone());
            let types = event_types.iter();
            types.fold(sent, |sent, event_type| sent.header("aeg-event-type", event_type))
        };
        for (framework, response) in both(guard, sent).await {
            assert_eq!(response.summary(), expected, "{name} at {framework}");
        }
    }
}

#[tokio::test]
async fn handshake_of_cloud_events_schema_answered() {
    let sender = Sender::new();
    let guard = sender.event_grid().build().unwrap();
    let call = sender.call_automation().build().unwrap();
    let options = |headers: &[(&'static str, &str)]| Sent::new(Method::OPTIONS, headers, "");
    let origin = ("webhook-request-origin", "eventgrid.azure.net");
    let bad_token = format!("Bearer {}", sender.of_event_grid(&json!({"roles": null})));
    for (framework, response) in both(&guard, || options(&[origin, ("webhook-request-rate", "120")])).await {
        assert_eq!((response.status, response.body.as_str()), (200, ""), "{framework}");
        let headers = ["webhook-allowed-origin", "webhook-allowed-rate", "allow"].map(|name| response.header(name));
        assert_eq!(
            headers,
            [Some("eventgrid.azure.net"), Some("*"), Some("POST, OPTIONS")],
            "{framework}"
        );
        assert!(!response.body_read, "{framework}");
    }
    let not_allowed = "405 webhook.method_not_allowed";
    let long = "x".repeat(254);
    for (name, guard, headers, expected) in [
        ("no origin", &guard, vec![], "400 webhook.invalid_handshake"),
        (
            "two origins",
            &guard,
            vec![origin, origin],
            "400 webhook.invalid_handshake",
        ),
        (
            "a long origin",
            &guard,
            vec![("webhook-request-origin", long.as_str())],
            "400 webhook.invalid_handshake",
        ),
        (
            "a refused token",
            &guard,
            vec![origin, ("authorization", &bad_token)],
            FORBIDDEN,
        ),
        ("to Call Automation's guard", &call, vec![origin], not_allowed),
    ] {
        for (framework, response) in both(guard, || options(&headers)).await {
            assert_eq!(response.summary(), expected, "{name} at {framework}");
            assert_eq!(response.header("webhook-allowed-origin"), None, "{name} at {framework}");
        }
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let token = format!("Bearer {}", sender.of_event_grid(&json!({})));
        let sent = || Sent::new(method.clone(), &[("authorization", &token)], "");
        for (framework, response) in both(&guard, sent).await {
            assert_eq!(response.summary(), not_allowed, "{method} at {framework}");
            assert_eq!(
                response.header("allow"),
                Some("POST, OPTIONS"),
                "{method} at {framework}"
            );
        }
        for (framework, response) in both(&call, || Sent::new(method.clone(), &[], "")).await {
            assert_eq!(response.summary(), not_allowed, "{method} at {framework}");
            assert_eq!(response.header("allow"), Some("POST"), "{method} at {framework}");
        }
    }
}

#[tokio::test]
async fn application_of_event_grid_is_that_of_the_cloud() {
    // Microsoft's script has both.
    const GOVERNMENT: &str = "54316b56-3481-47f9-8f30-0300f5542a7b";
    let sender = Sender::new();
    for (authority, accepted) in [
        ("https://login.microsoftonline.com", [OK, FORBIDDEN]),
        ("https://login.microsoftonline.us", [FORBIDDEN, OK]),
        ("https://login.microsoftonline.us/", [FORBIDDEN, OK]),
    ] {
        let api = EntraApi::new(TENANT, API).authority(authority);
        let guard = sender.with_keys(TokenGuard::event_grid(api, ROLE)).build().unwrap();
        for (application, expected) in [EVENT_GRID, GOVERNMENT].into_iter().zip(accepted) {
            let issuer = format!("{}/{TENANT}/v2.0", authority.trim_end_matches('/'));
            let token = sender.of_event_grid(&json!({"iss": issuer, "azp": application}));
            assert_eq!(
                short(&guard.verify(&token).await),
                expected,
                "{application} at {authority}"
            );
        }
    }
}

#[tokio::test]
async fn webhook_without_token_passed_on_if_allowed() {
    let sender = Sender::new();
    let strict = sender.event_grid().build().unwrap();
    let open = sender.event_grid().allow_unauthenticated_webhooks().build().unwrap();
    let call = sender.call_automation().build().unwrap();
    let (good, bad) = (
        sender.of_event_grid(&json!({})),
        sender.of_event_grid(&json!({"roles": null})),
    );
    let call_token = sender.of_call(&json!({}), &json!({}));
    let missing = "401 auth.authorization_header_missing";
    let mixed = TokenGuard::any_of([open.clone(), call.clone()]);
    let open_twice = TokenGuard::any_of([open.clone(), open.clone()]);
    for (name, guard, token, expected) in [
        ("refused", &strict, None, missing.to_owned()),
        ("passed on", &open, None, "200 2 bytes of a stranger".to_owned()),
        ("with its token", &open, Some(&good), "200 2 bytes of object".to_owned()),
        ("with a refused token", &open, Some(&bad), FORBIDDEN.to_owned()),
        ("one of two guards allows it", &mixed, None, missing.to_owned()),
        (
            "both guards allow it",
            &open_twice,
            None,
            "200 2 bytes of a stranger".to_owned(),
        ),
        (
            "two senders at one address",
            &mixed,
            Some(&call_token),
            format!("200 2 bytes of {ISSUER}"),
        ),
        ("no guard", &TokenGuard::any_of([]), None, missing.to_owned()),
    ] {
        let sent = || Sent::post(token.map(String::as_str), "[]").header("aeg-event-type", "Notification");
        for (framework, response) in both(guard, sent).await {
            assert_eq!(response.summary(), expected, "{name} at {framework}");
        }
    }
    // With another scheme there is a token, even if it cannot be read.
    let sent = || Sent::post(None, "[]").header("authorization", "Basic YTpi");
    for (framework, response) in both(&open, sent).await {
        assert_eq!(
            response.summary(),
            "401 auth.authorization_token_type_not_supported",
            "{framework}"
        );
    }
}

/// Echoes one message of a connection that was upgraded.
async fn media(_: Caller, mut request: Request) -> http::Response<Body> {
    let upgrade = upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut connection = TokioIo::new(upgrade.await.unwrap());
        let mut message = [0; 5];
        connection.read_exact(&mut message).await.unwrap();
        connection.write_all(&message).await.unwrap();
    });
    let response = http::Response::builder().status(101);
    let response = response.header("connection", "upgrade").header("upgrade", "websocket");
    response.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn web_socket_upgraded_with_a_valid_token_only() {
    let sender = Sender::new();
    let guard = sender.call_automation().build().unwrap();
    let router = Router::new().route("/media", get(media)).with_state(guard);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/media", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let upgrade = |token: Option<String>| {
        // The headers of Call Automation's request.
        let request = client
            .get(&url)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket");
        let request = request
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let request = request
            .header("x-ms-call-connection-id", "a")
            .header("x-ms-call-correlation-id", "b");
        match token {
            None => request,
            Some(token) => request.bearer_auth(token),
        }
    };
    let expired = sender.of_call(&json!({}), &json!({"exp": NOW - 300}));
    for token in [None, Some(expired), Some(sender.of_event_grid(&json!({})))] {
        let response = upgrade(token).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    let token = sender.of_call(&json!({}), &json!({}));
    let response = upgrade(Some(token)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut connection = response.upgrade().await.unwrap();
    connection.write_all(b"audio").await.unwrap();
    let mut echo = [0; 5];
    connection.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"audio");
}

#[tokio::test]
async fn webhook_shows_no_body_in_debug() {
    let webhook = Webhook {
        caller: None,
        body: b"+14255550123".to_vec(),
    };
    let shown = format!("{webhook:?}");
    assert!(
        shown.contains("12") && !shown.contains("4255550123") && !shown.contains("52, 50"),
        "{shown}"
    );
}

#[tokio::test]
async fn actix_without_a_guard_is_500() {
    let handler = |webhook: Webhook| async move { handled(&webhook) };
    let app = test::init_service(App::new().route("/", web::to(handler))).await;
    let response = test::call_service(&app, test::TestRequest::post().uri("/").to_request()).await;
    assert_eq!(response.status().as_u16(), 500);
}
