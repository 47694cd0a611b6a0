//! The API: `getcode` issues codes, `verify` uses them.

use crate::{
    code::{CodeHasher, VerificationCode},
    message::{Action, CodeMessage},
    number_service::NumberService,
    problem::Problem,
    queue::Queue,
    requester::{AttemptLimit, Operation, Requester},
    table::CodeTable,
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRef, Request, State, rejection::JsonRejection},
    http::{HeaderValue, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use token_guard::TokenGuard;
use tower_http::set_header::SetResponseHeaderLayer;
use uuid::Uuid;

const MAX_BODY_BYTES: usize = 1024;

/// More than two requests to the number service and one to Key Vault take.
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// The state of the handlers.
#[derive(Clone)]
pub(crate) struct Api {
    /// `None` if callers need no token.
    pub(crate) guard: Option<TokenGuard>,
    pub(crate) numbers: NumberService,
    pub(crate) hasher: CodeHasher,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) table: Arc<dyn CodeTable>,
    pub(crate) code_ttl: Duration,
    pub(crate) limit: AttemptLimit,
}

impl FromRef<Api> for Option<TokenGuard> {
    fn from_ref(api: &Api) -> Self {
        api.guard.clone()
    }
}

#[derive(Serialize)]
struct IssuedCode {
    code: VerificationCode,
    timestamp: String,
}

#[derive(Deserialize)]
struct EnteredCode {
    code: String,
}

#[derive(Serialize)]
struct Verified {
    verified: bool,
}

impl Api {
    pub(crate) fn routes(self) -> Router {
        let only = |allowed| async move || Problem::MethodNotAllowed { allowed };
        // axum would reply HEAD with the handler of GET, which issues a code.
        let getcode = get(get_code).head(only("GET")).fallback(only("GET"));
        let verify = post(verify).fallback(only("POST"));
        Router::new()
            .route("/api/v1/getcode", getcode)
            .route("/api/v1/verify", verify)
            .fallback(async || Problem::NotFound)
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(from_fn(time_limit))
            .layer(SetResponseHeaderLayer::overriding(
                header::CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            ))
            .with_state(self)
    }

    /// Creates the message that makes a code valid.
    fn activation(&self, requester: &Requester, code: &VerificationCode, now: OffsetDateTime) -> CodeMessage {
        CodeMessage {
            id: Uuid::new_v4(),
            code_hash: self.hasher.hash(requester.subject(), code.as_str()),
            action: Action::Activate,
            // Rounded up to whole seconds.
            expires_at: (now + self.code_ttl + Duration::SECOND).truncate_to_second(),
        }
    }
}

/// Answers 503 if the handler takes too long.
async fn time_limit(request: Request, next: Next) -> Response {
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request))
        .await
        .unwrap_or_else(|_| {
            tracing::error!("a request was not answered within {} s", REQUEST_TIMEOUT.as_secs());
            Problem::Unavailable.into_response()
        })
}

/// Issues a code. The method is GET, as in the walkthrough, although the request has an effect.
async fn get_code(State(api): State<Api>, requester: Requester) -> Result<Json<IssuedCode>, Problem> {
    api.limit.check(Operation::Issue, &requester).await?;
    let number = api.numbers.number().await.map_err(|error| {
        tracing::error!(%error, "the number service gives no number");
        if error.is_temporary() {
            Problem::Unavailable
        } else {
            Problem::NoNumber
        }
    })?;
    let code = VerificationCode::generate(number).map_err(|_| Problem::Unavailable)?;
    // The clock of the table, by which the code also expires.
    let now = api.table.now().await?;
    let timestamp = now.format(&Rfc3339).map_err(|_| Problem::Unavailable)?;

    let message = api.activation(&requester, &code, now);
    let text = message.to_text().map_err(|_| Problem::Unavailable)?;
    api.queue.send(text, Duration::ZERO).await.map_err(|error| {
        tracing::error!(%error, "the queue takes no message");
        Problem::Unavailable
    })?;
    tracing::info!(id = %message.id, "a code was issued");
    Ok(Json(IssuedCode { code, timestamp }))
}

/// Uses a code.
async fn verify(
    State(api): State<Api>,
    requester: Requester,
    entered: Result<Json<EnteredCode>, JsonRejection>,
) -> Result<Json<Verified>, Problem> {
    let now = api.limit.check(Operation::Verify, &requester).await?;
    let Json(entered) = entered.map_err(|_| Problem::InvalidRequest)?;
    let hash = api.hasher.hash(requester.subject(), &entered.code);
    if api.table.verify(&hash, now).await? {
        Ok(Json(Verified { verified: true }))
    } else {
        Err(Problem::NotValid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        code::CodeHash,
        fakes::{FailFrom, FakeKeyVault, FakeNumberService, FakeQueue},
        key_vault::VaultSecret,
        table::{Quota, TestTable},
    };
    use axum::{
        body::Body,
        http::{HeaderMap, Method, Request, Response},
    };
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use http_body_util::BodyExt;
    use hyper::body::{Bytes, Frame};
    use serde_json::{Value, json};
    use std::{
        convert::Infallible,
        num::NonZeroU32,
        pin::Pin,
        task::{Context, Poll},
    };
    use time::macros::datetime;
    use token_guard::testing::TestIssuer;
    use tower::ServiceExt;

    const NOW: OffsetDateTime = datetime!(2026-08-01 12:00:00.25 UTC);
    const AUDIENCE: &str = "https://codes.contoso.com";
    const SCOPE: &str = "access_as_user";

    struct Setup {
        issuer: TestIssuer,
        vault: FakeKeyVault,
        numbers: Option<FakeNumberService>,
        queue: Arc<FakeQueue>,
        table: TestTable,
        api: Api,
    }

    impl Setup {
        async fn new() -> Self {
            let issuer = TestIssuer::start().await.unwrap();
            let vault = FakeKeyVault::start("third-party-api-key", "key").unwrap();
            let numbers = FakeNumberService::start("key").await.unwrap();
            let key = VaultSecret::new(vault.client().unwrap(), "third-party-api-key".to_owned());
            let queue = Arc::new(FakeQueue::default());
            let table = TestTable::in_memory(NOW).await;
            let hasher = CodeHasher::new(b"0123456789abcdef0123456789abcdef");
            let limit = AttemptLimit {
                table: table.table.clone(),
                hasher: hasher.clone(),
                quota: Quota {
                    per_minute: NonZeroU32::new(5).unwrap(),
                },
            };
            let guard = TokenGuard::builder(issuer.url(), [AUDIENCE]).build().unwrap();
            let api = Api {
                guard: Some(guard.requiring_scopes([SCOPE])),
                numbers: NumberService::new(numbers.url().clone(), key).unwrap(),
                hasher,
                queue: queue.clone(),
                table: table.table.clone(),
                code_ttl: Duration::minutes(10),
                limit,
            };
            Self {
                issuer,
                vault,
                numbers: Some(numbers),
                queue,
                table,
                api,
            }
        }

        async fn get_code(&self, user: &str) -> Reply {
            let request = Request::get("/api/v1/getcode").header("authorization", self.bearer(user));
            self.send(request.body(Body::empty()).unwrap()).await
        }

        async fn verify(&self, user: &str, body: &Value) -> Reply {
            let request = Request::post("/api/v1/verify")
                .header("authorization", self.bearer(user))
                .header("content-type", "application/json");
            self.send(request.body(body.to_string().into()).unwrap()).await
        }

        fn bearer(&self, user: &str) -> String {
            self.bearer_with(json!({ "sub": user, "aud": AUDIENCE, "scope": SCOPE }))
        }

        fn bearer_with(&self, claims: Value) -> String {
            format!("Bearer {}", self.issuer.token(claims).unwrap())
        }

        async fn send(&self, request: Request<Body>) -> Reply {
            Reply::of(self.api.clone().routes().oneshot(request).await.unwrap()).await
        }

        /// Returns the only message of the queue.
        fn message(&self) -> Value {
            let texts = self.queue.texts();
            assert_eq!(texts.len(), 1);
            serde_json::from_str(&texts[0]).unwrap()
        }

        /// Makes the code of the only message valid, as a watcher does.
        async fn activate(&self) {
            let code: CodeHash = serde_json::from_value(self.message()["code_hash"].clone()).unwrap();
            self.table.activate(&code, NOW + Duration::MINUTE).await;
        }
    }

    struct Reply {
        status: u16,
        headers: HeaderMap,
        body: Value,
    }

    impl Reply {
        async fn of(response: Response<Body>) -> Self {
            let (parts, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Self {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: serde_json::from_slice(&body).unwrap_or_default(),
            }
        }

        fn code(&self) -> &str {
            self.body["code"].as_str().unwrap()
        }

        fn is_problem(&self, status: u16, code: &str) -> bool {
            self.headers["content-type"] == "application/problem+json"
                && self.headers["cache-control"] == "no-store"
                && (self.status, &self.body["status"], &self.body["code"]) == (status, &json!(status), &json!(code))
        }
    }

    #[tokio::test]
    async fn code_is_issued_with_its_time() {
        let setup = Setup::new().await;
        let reply = setup.get_code("alice").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert_eq!(reply.body["timestamp"], "2026-08-01T12:00:00.25Z");
        let [first, number, last] = reply.code().split('-').collect::<Vec<_>>()[..] else {
            panic!("a code has three parts");
        };
        for letters in [first, last] {
            assert!(letters.len() == 3 && letters.bytes().all(|letter| letter.is_ascii_alphabetic()));
        }
        assert!((1..=1000).contains(&number.parse().unwrap()));
        assert_eq!(reply.body.as_object().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn message_contains_only_the_hash_of_the_code() {
        let setup = Setup::new().await;
        let reply = setup.get_code("alice").await;
        let message = setup.message();
        assert!(!message.to_string().contains(reply.code()));
        assert_eq!(message["action"], "activate");
        // Ten minutes after the request, rounded up to whole seconds.
        assert_eq!(message["expires_at"], "2026-08-01T12:10:01Z");
        let hash = message["code_hash"].as_str().unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(hash).unwrap().len(), 32);
        assert_eq!(message.as_object().unwrap().len(), 4);
    }

    #[tokio::test]
    async fn missing_token_is_unauthorized() {
        let setup = Setup::new().await;
        for request in [Request::get("/api/v1/getcode"), Request::post("/api/v1/verify")] {
            let reply = setup.send(request.body(Body::empty()).unwrap()).await;
            assert!(
                reply.is_problem(401, "auth.authorization_header_missing"),
                "{}",
                reply.body
            );
        }
        assert!(setup.queue.texts().is_empty());
        assert_eq!(setup.vault.reads(), 0);
    }

    /// The claims are those of RFC 9068 and of Auth0.
    #[tokio::test]
    async fn token_must_be_that_of_a_user_with_the_scope() {
        let setup = Setup::new().await;
        let insufficient = r#"Bearer realm="api", error="insufficient_scope""#;
        let with_scope = format!(r#"{insufficient}, scope="access_as_user""#);
        for (claims, status, code, challenge) in [
            (json!({}), 403, "auth.forbidden", &*with_scope),
            (json!({ "scope": "" }), 403, "auth.forbidden", &*with_scope),
            (
                json!({ "scope": "access_as_user2 access" }),
                403,
                "auth.forbidden",
                &*with_scope,
            ),
            (
                json!({ "scope": SCOPE, "sub": "daemon", "client_id": "daemon" }),
                403,
                "codes.not_a_user",
                insufficient,
            ),
            (
                json!({ "scope": SCOPE, "sub": "daemon@clients", "azp": "daemon" }),
                403,
                "codes.not_a_user",
                insufficient,
            ),
            (
                json!({ "scope": SCOPE, "sub": null }),
                401,
                "invalid_token",
                r#"Bearer realm="api", error="invalid_token", error_description="The token has no subject.""#,
            ),
            (
                json!({ "scope": SCOPE, "sub": "" }),
                401,
                "invalid_token",
                r#"Bearer realm="api", error="invalid_token", error_description="The token has no subject.""#,
            ),
        ] {
            let mut all = json!({ "aud": AUDIENCE });
            all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
            for request in [Request::get("/api/v1/getcode"), Request::post("/api/v1/verify")] {
                let request = request.header("authorization", setup.bearer_with(all.clone()));
                let reply = setup.send(request.body(Body::empty()).unwrap()).await;
                assert!(reply.is_problem(status, code), "{claims}: {}", reply.body);
                assert_eq!(reply.headers["www-authenticate"], challenge, "{claims}");
            }
        }
        assert!(setup.queue.texts().is_empty());
        // The user of a client has the scope among others.
        let claims = json!({ "sub": "alice", "client_id": "app", "aud": AUDIENCE, "scope": "openid access_as_user" });
        let request = Request::get("/api/v1/getcode").header("authorization", setup.bearer_with(claims));
        assert_eq!(setup.send(request.body(Body::empty()).unwrap()).await.status, 200);
    }

    #[tokio::test]
    async fn missing_table_issues_and_verifies_no_code() {
        let setup = Setup::new().await;
        let entered = json!({ "code": setup.get_code("alice").await.code() });
        setup.activate().await;
        setup.api.table.close().await;
        assert!(setup.get_code("alice").await.is_problem(503, "codes.unavailable"));
        let reply = setup.verify("alice", &entered).await;
        assert!(reply.is_problem(503, "codes.unavailable"), "{}", reply.body);
        assert_eq!(setup.queue.texts().len(), 1);
    }

    #[tokio::test]
    async fn code_expires_by_the_clock_of_the_table() {
        let setup = Setup::new().await;
        // Any clock of this machine is years away from that of the table.
        setup.table.set_time(datetime!(2001-01-01 0:00 UTC));
        let reply = setup.get_code("alice").await;
        assert_eq!(reply.body["timestamp"], "2001-01-01T00:00:00Z");
        assert_eq!(setup.message()["expires_at"], "2001-01-01T00:10:01Z");
        let code: CodeHash = serde_json::from_value(setup.message()["code_hash"].clone()).unwrap();
        let expires_at = datetime!(2001-01-01 0:10:01 UTC);
        setup.table.activate(&code, expires_at).await;
        let entered = json!({ "code": reply.code() });
        setup.table.set_time(expires_at);
        assert_eq!(setup.verify("alice", &entered).await.status, 404);
        setup.table.set_time(expires_at - Duration::SECOND);
        assert_eq!(setup.verify("alice", &entered).await.status, 200);
    }

    #[tokio::test]
    async fn other_methods_issue_no_code() {
        let setup = Setup::new().await;
        for (method, path, allowed) in [
            (Method::HEAD, "/api/v1/getcode", "GET"),
            (Method::POST, "/api/v1/getcode", "GET"),
            (Method::GET, "/api/v1/verify", "POST"),
            (Method::HEAD, "/api/v1/verify", "POST"),
        ] {
            let request = Request::builder().method(&method).uri(path);
            let request = request.header("authorization", setup.bearer("alice"));
            let reply = setup.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(reply.headers["allow"], allowed, "{method} {path}");
            if method == Method::HEAD {
                assert_eq!((reply.status, reply.body), (405, Value::Null), "{method} {path}");
            } else {
                assert!(reply.is_problem(405, "codes.method_not_allowed"), "{method} {path}");
            }
        }
        assert!(setup.queue.texts().is_empty());
    }

    #[tokio::test]
    async fn unknown_path_is_a_problem() {
        let setup = Setup::new().await;
        for path in ["/", "/api/v1/getcodes", "/api/v1/getcode/"] {
            let reply = setup.send(Request::get(path).body(Body::empty()).unwrap()).await;
            assert!(reply.is_problem(404, "codes.not_found"), "{path}");
        }
    }

    #[tokio::test]
    async fn slow_request_times_out() {
        let mut setup = Setup::new().await;
        setup.api.guard = None;
        let request = Request::post("/api/v1/verify").header("content-type", "application/json");
        tokio::time::pause();
        let started = tokio::time::Instant::now();
        let sent = setup.send(request.body(Body::new(EndlessBody)).unwrap());
        let minute = std::time::Duration::from_mins(1);
        let reply = tokio::time::timeout(minute, sent).await.unwrap();
        assert!(reply.is_problem(503, "codes.unavailable"), "{}", reply.body);
        assert_eq!(started.elapsed().as_secs(), 30);
    }

    /// A body that never sends a byte.
    struct EndlessBody;

    impl hyper::body::Body for EndlessBody {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn code_is_valid_once_and_for_its_user() {
        let setup = Setup::new().await;
        let entered = json!({ "code": setup.get_code("alice").await.code() });
        assert!(setup.verify("alice", &entered).await.is_problem(404, "codes.not_valid"));
        setup.activate().await;
        assert!(setup.verify("bob", &entered).await.is_problem(404, "codes.not_valid"));
        let reply = setup.verify("alice", &entered).await;
        assert_eq!((reply.status, reply.body), (200, json!({ "verified": true })));
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert!(setup.verify("alice", &entered).await.is_problem(404, "codes.not_valid"));
    }

    #[tokio::test]
    async fn invalid_codes_have_the_same_response() {
        let setup = Setup::new().await;
        let entered = json!({ "code": setup.get_code("alice").await.code() });
        let not_yet = setup.verify("alice", &entered).await.body;
        setup.activate().await;
        assert_eq!(
            setup.verify("alice", &json!({ "code": "ojE-161-pTv" })).await.body,
            not_yet
        );
        setup.verify("alice", &entered).await;
        assert_eq!(setup.verify("alice", &entered).await.body, not_yet);
    }

    #[tokio::test]
    async fn body_without_code_is_refused() {
        let setup = Setup::new().await;
        let long = "x".repeat(1024);
        for body in [json!({}), json!({ "code": 161 }), json!([]), json!({ "code": long })] {
            assert!(
                setup
                    .verify("alice", &body)
                    .await
                    .is_problem(400, "codes.invalid_request")
            );
        }
    }

    #[tokio::test]
    async fn attempts_are_limited_per_caller() {
        let setup = Setup::new().await;
        let entered = json!({ "code": setup.get_code("alice").await.code() });
        setup.activate().await;
        for _ in 0..5 {
            assert_eq!(
                setup.verify("alice", &json!({ "code": "ojE-161-pTv" })).await.status,
                404
            );
        }
        let reply = setup.verify("alice", &entered).await;
        assert!(reply.is_problem(429, "codes.too_many_attempts"));
        let wait: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=12).contains(&wait), "{wait}");
        assert_eq!(setup.verify("bob", &entered).await.status, 404);
        for _ in 0..4 {
            assert_eq!(setup.get_code("alice").await.status, 200);
        }
        assert!(setup.get_code("alice").await.is_problem(429, "codes.too_many_attempts"));
    }

    #[tokio::test]
    async fn number_service_failure_is_not_exposed() {
        let mut setup = Setup::new().await;
        setup.numbers.as_ref().unwrap().set_key("another");
        assert!(setup.get_code("alice").await.is_problem(502, "codes.no_number"));
        setup.numbers = None;
        assert!(setup.get_code("alice").await.is_problem(503, "codes.unavailable"));
        assert!(setup.queue.texts().is_empty());
    }

    #[tokio::test]
    async fn failed_message_issues_no_code() {
        let setup = Setup::new().await;
        setup.queue.fail_from(FailFrom::Before(0));
        let reply = setup.get_code("alice").await;
        assert!(reply.is_problem(503, "codes.unavailable"), "{}", reply.body);
    }

    #[tokio::test]
    async fn open_api_needs_no_token() {
        let mut setup = Setup::new().await;
        setup.api.guard = None;
        let request = || Request::get("/api/v1/getcode").body(Body::empty()).unwrap();
        let reply = setup.send(request()).await;
        assert_eq!(reply.status, 200);
        setup.activate().await;
        let entered = json!({ "code": reply.code() });
        assert_eq!(setup.verify("unknown", &entered).await.status, 200);
        assert_eq!(setup.verify("unknown", &entered).await.status, 404);
    }
}
