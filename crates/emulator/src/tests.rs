//! The service without a socket: the requests that count against rate limits, and the operation in the record of a
//! request. The clock stands still, so that a slow machine does not end a window.

use crate::{
    builder::EmulatorBuilder,
    clock::Clock,
    emulator::Emulator,
    http::{Endpoint, Hosts, Scheme, Service, router},
    operation::Operation,
    resource::Resource,
    storage::Loaded,
    tokens::{EntraTokenRequest, TokenAlgorithm},
};
use axum::{Router, body::Body};
use http::{
    Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::BodyExt;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::sync::Arc;
use time::{Duration, OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);
/// The length of a window.
const WINDOW: Duration = Duration::seconds(30);

const TEAMS_USER: &str = "/teamsUser/:exchangeAccessToken";
const TEAMS_EXTENSION: &str = "/access/teamsExtension/:exchangeAccessToken";
const ENTRA: &str = "/access/entra/:exchangeAccessToken";
const ASSIGNMENT: &str = "/access/entra/assignments/350adb03-7be9-4846-b078-35adb0d0e119";

/// The service of the https endpoint.
struct TestService {
    service: Arc<Service>,
    router: TowerToHyperService<Router>,
    /// The bearer token of the resource's owner.
    owner: String,
}

impl TestService {
    async fn limited() -> Self {
        Self::of(Emulator::builder().rate_limits(true)).await
    }

    async fn of(builder: EmulatorBuilder) -> Self {
        let builder = builder.token_algorithm(TokenAlgorithm::Es256);
        let addresses = Hosts::default().addresses(0, 0).unwrap();
        let service = builder.service(addresses, Clock::new(|| NOW), &Loaded::default());
        let service = Arc::new(service.unwrap());
        let endpoint = Endpoint {
            scheme: Scheme::Https,
            service: service.clone(),
        };
        Self {
            router: TowerToHyperService::new(router(&endpoint)),
            owner: mint(&service.resource, &EntraTokenRequest::service()).await,
            service,
        }
    }

    /// The token of a user with these permissions.
    async fn user(&self, kind: fn() -> EntraTokenRequest, permissions: &[&str]) -> String {
        let request = EntraTokenRequest {
            scopes: Some(permissions.iter().map(|&name| name.to_owned()).collect()),
            ..kind()
        };
        mint(&self.service.resource, &request).await
    }

    async fn send(&self, method: &str, path: &str, bearer: &str, body: &str) -> Response<Body> {
        let version = if path.starts_with("/access/entra/") {
            "2025-03-02-preview"
        } else {
            "2026-09-23"
        };
        self.send_to(method, &format!("{path}?api-version={version}"), bearer, body)
            .await
    }

    async fn send_to(&self, method: &str, target: &str, bearer: &str, body: &str) -> Response<Body> {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(AUTHORIZATION, format!("Bearer {bearer}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.router.call(request).await.unwrap()
    }

    fn clock(&self) -> &Clock {
        &self.service.resource.clock
    }

    async fn create(&self) -> String {
        let created = self.send("POST", "/identities", &self.owner, "").await;
        json_of(created).await["identity"]["id"].as_str().unwrap().to_owned()
    }
}

async fn mint(resource: &Resource, request: &EntraTokenRequest) -> String {
    let key = resource.token_key.wait().await.unwrap();
    request.mint(key, resource.clock.now()).unwrap().token
}

async fn json_of(response: Response<Body>) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// Asserts that the service responds to `limit` requests with this status, and refuses the next.
async fn assert_limit(limit: usize, status: u16, send: impl AsyncFn() -> Response<Body>) {
    for request in 0..limit {
        assert_eq!(send().await.status(), status, "{request}");
    }
    assert_refused(send().await).await;
}

/// Asserts the whole of a refusal at the beginning of a window.
async fn assert_refused(response: Response<Body>) {
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()[RETRY_AFTER], "30");
    assert!(response.headers().contains_key("api-supported-versions"));
    let message = "There are too many requests of this kind. Retry after 30 seconds.";
    let expected = json!({"error": {"code": "TooManyRequests", "message": message}});
    assert_eq!(json_of(response).await, expected);
}

#[tokio::test]
async fn every_operation_is_limited_in_success_and_failure() {
    let service = TestService::limited().await;
    let identity = format!("/identities/{}", service.create().await);
    let (issue, revoke) = (
        format!("{identity}/:issueAccessToken"),
        format!("{identity}/:revokeAccessTokens"),
    );
    let owner = service.owner.as_str();
    let caller = service.user(EntraTokenRequest::teams_extension_user, &[]).await;
    let member = service.user(EntraTokenRequest::entra_user, &[]).await;
    // The window of the identity's creation.
    service.clock().advance(WINDOW);
    for (limit, method, path, bearer, body, status) in [
        (1000, "POST", "/identities", owner, json!({}), 201),
        (1000, "POST", "/identities", owner, json!({"expiresInMinutes": 59}), 400),
        (
            1000,
            "POST",
            "/identities",
            owner,
            json!({"createTokenWithScopes": ["chat"]}),
            201,
        ),
        (
            1000,
            "POST",
            "/identities",
            owner,
            json!({"createTokenWithScopes": ["x"]}),
            400,
        ),
        (1000, "POST", &issue, owner, json!({"scopes": ["chat"]}), 200),
        (1000, "POST", &issue, owner, json!({}), 400),
        (500, "POST", &revoke, owner, json!({}), 204),
        (500, "DELETE", "/identities/x", owner, json!({}), 401),
        (500, "POST", TEAMS_USER, owner, json!({}), 401),
        (500, "POST", TEAMS_EXTENSION, &caller, json!({}), 403),
        (500, "POST", ENTRA, &member, json!({}), 403),
    ] {
        let body = body.to_string();
        let send = async || service.send(method, path, bearer, &body).await;
        assert_limit(limit, status, send).await;
        service.clock().advance(WINDOW);
        assert_eq!(send().await.status(), status, "{method} {path}");
        service.clock().advance(WINDOW);
    }
}

#[tokio::test]
async fn one_limit_does_not_affect_other_operations() {
    let service = TestService::limited().await;
    let owner = service.owner.as_str();
    assert_limit(500, 401, async || {
        service.send("DELETE", "/identities/x", owner, "").await
    })
    .await;
    let identity = format!("/identities/{}", service.create().await);
    for (path, body, status) in [
        ("/identities", r#"{"createTokenWithScopes":["chat"]}"#, 201),
        (&format!("{identity}/:issueAccessToken"), r#"{"scopes":["chat"]}"#, 200),
        (&format!("{identity}/:revokeAccessTokens"), "", 204),
        (TEAMS_USER, "{}", 401),
    ] {
        assert_eq!(service.send("POST", path, owner, body).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn the_exchanges_share_a_limit() {
    let service = TestService::limited().await;
    let caller = service.user(EntraTokenRequest::teams_extension_user, &[]).await;
    let member = service.user(EntraTokenRequest::entra_user, &[]).await;
    let exchanges = [
        (TEAMS_USER, service.owner.as_str(), 401, 100),
        (TEAMS_EXTENSION, &caller, 403, 200),
        (ENTRA, &member, 403, 200),
    ];
    for (path, bearer, status, requests) in exchanges {
        for _ in 0..requests {
            assert_eq!(
                service.send("POST", path, bearer, "{}").await.status(),
                status,
                "{path}"
            );
        }
    }
    for (path, bearer, ..) in exchanges {
        assert_refused(service.send("POST", path, bearer, "{}").await).await;
    }
}

#[tokio::test]
async fn requests_refused_early_do_not_count() {
    let service = TestService::limited().await;
    let owner = service.owner.as_str();
    let caller = service.user(EntraTokenRequest::teams_extension_user, &[]).await;
    let version = "?api-version=2026-09-23";
    let rows = [
        (TEAMS_USER, version, "x", "{}", 401),
        (TEAMS_USER, "?api-version=1", owner, "{}", 400),
        (TEAMS_USER, "", owner, "{}", 400),
        (TEAMS_USER, version, owner, "{", 422),
        (TEAMS_USER, version, owner, "[]", 400),
        (TEAMS_EXTENSION, version, "x", "{}", 401),
        (TEAMS_EXTENSION, "?api-version=2023-10-01", &caller, "{}", 400),
        (TEAMS_EXTENSION, version, &caller, "{", 422),
        (TEAMS_EXTENSION, version, &caller, "[]", 400),
    ];
    let send_all = async || {
        for (path, version, bearer, body, status) in rows {
            let response = service.send_to("POST", &format!("{path}{version}"), bearer, body).await;
            assert_eq!(response.status(), status, "{path}{version} {body}");
        }
    };
    send_all().await;
    assert_limit(500, 401, async || service.send("POST", TEAMS_USER, owner, "{}").await).await;
    // They are not refused by the limit either.
    send_all().await;
}

#[tokio::test]
async fn assigning_has_no_limit() {
    let service = TestService::limited().await;
    let owner = service.owner.as_str();
    let tenant = "3f14cf17-84d5-42c2-8689-a6365c474b4e";
    let body = json!({"principalType": "user", "tenantId": tenant, "clientIds": []}).to_string();
    assert_eq!(
        service.send("PUT", ASSIGNMENT, owner, &body).await.status(),
        StatusCode::CREATED
    );
    let teams_extension = format!("/access/teamsExtension/tenants/{tenant}/assignments/{tenant}");
    for (method, path, body, status) in [
        ("GET", "/access/entra/assignments", "", 200),
        ("GET", ASSIGNMENT, "", 200),
        ("PUT", ASSIGNMENT, &body, 200),
        ("DELETE", ASSIGNMENT, "", 204),
        ("GET", &teams_extension, "", 404),
        ("DELETE", &teams_extension, "", 204),
    ] {
        for request in 0..=1000 {
            let response = service.send(method, path, owner, body).await;
            assert_eq!(response.status(), status, "{method} {path} {request}");
        }
    }
}

#[tokio::test]
async fn limits_are_off_by_default() {
    let service = TestService::of(Emulator::builder()).await;
    for _ in 0..=500 {
        let response = service.send("DELETE", "/identities/x", &service.owner, "").await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}

/// The operation in the record of the request; null if it has none.
async fn recorded_operation(service: &TestService, method: &str, path: &str) -> Value {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    service.router.call(request).await.unwrap();
    let requests = serde_json::to_value(service.service.request_log.requests()).unwrap();
    assert_eq!(
        (&requests[0]["method"], &requests[0]["path"]),
        (&json!(method), &json!(path))
    );
    requests[0]["operation"].clone()
}

#[tokio::test]
async fn every_operation_has_a_method_and_a_path() {
    let service = TestService::of(Emulator::builder()).await;
    let assignment = "/access/teamsExtension/tenants/t/assignments/o";
    let requests = [
        ("POST", "/identities", "createIdentity"),
        ("DELETE", "/identities/8%3Aacs%3Aa_b", "deleteIdentity"),
        ("POST", "/identities/8:acs:a_b/:issueAccessToken", "issueToken"),
        ("POST", "/identities/8:acs:a_b/:revokeAccessTokens", "revokeTokens"),
        ("POST", "/teamsUser/:exchangeAccessToken", "exchangeTeamsUserToken"),
        (
            "POST",
            "/access/teamsExtension/:exchangeAccessToken",
            "exchangeTeamsExtensionToken",
        ),
        ("POST", "/access/entra/:exchangeAccessToken", "exchangeEntraToken"),
        ("GET", assignment, "getTeamsExtensionAssignment"),
        ("PUT", assignment, "putTeamsExtensionAssignment"),
        ("DELETE", assignment, "deleteTeamsExtensionAssignment"),
        ("GET", "/access/entra/assignments", "listEntraAssignments"),
        ("GET", "/access/entra/assignments/o", "getEntraAssignment"),
        ("PUT", "/access/entra/assignments/o", "putEntraAssignment"),
        ("DELETE", "/access/entra/assignments/o", "deleteEntraAssignment"),
    ];
    for (method, path, name) in requests {
        assert_eq!(
            recorded_operation(&service, method, path).await,
            name,
            "{method} {path}"
        );
    }
    let names = requests.map(|(_, _, name)| name.to_owned());
    assert_eq!(names, Operation::ALL.map(|operation| operation.to_string()));
}

#[tokio::test]
async fn other_requests_have_no_operation() {
    let service = TestService::of(Emulator::builder()).await;
    for (method, path) in [
        ("GET", "/identities"),
        ("GET", "/identities/8:acs:a_b"),
        ("PATCH", "/access/entra/assignments"),
        ("PATCH", "/access/entra/assignments/o"),
        ("POST", "/identities//"),
        ("POST", "/identities/a/:issueAccessToken/b"),
        ("POST", "/access/teamsExtension/tenants/t/assignments/o"),
        ("GET", "/access/teamsExtension/tenants/t/assignments/o/p"),
        ("GET", "/"),
        ("OPTIONS", "*"),
    ] {
        let operation = recorded_operation(&service, method, path).await;
        assert_eq!(operation, Value::Null, "{method} {path}");
    }
}
