//! The routes below `/admin`.

use crate::{
    setup::{DatabaseFile, Options, Reply, Setup, send},
    support::{AUDIENCE, http},
};
use acs_identity_emulator::{Fault, Operation, TokenStatus};
use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use std::{num::NonZeroU32, time::Duration};
use token_guard::{TokenGuard, testing::TestIssuer};
use token_service::{AdminAccess, TokenServiceBuilder};
use tower::ServiceExt;
use url::form_urlencoded;

const ROLE: &str = "TokenService.Operator";
const ASSIGNMENT: &str = "/admin/teams-phone/aaaabbbb-0000-cccc-1111-dddd2222eeee/00001111-aaaa-2222-bbbb-3333cccc4444";

/// Each route, with a query.
const ROUTES: [(Method, &str); 9] = [
    (Method::GET, "/admin/user?id=x"),
    (Method::DELETE, "/admin/user?id=x"),
    (Method::DELETE, "/admin/user/tokens?id=x"),
    (Method::GET, "/admin/users"),
    (Method::GET, "/admin/users.ndjson"),
    (Method::GET, "/admin/deletions"),
    (Method::GET, ASSIGNMENT),
    (Method::PUT, ASSIGNMENT),
    (Method::DELETE, ASSIGNMENT),
];

/// Starts a service whose operators the issuer appoints.
async fn with_operators(
    access: impl FnOnce(TokenGuard) -> AdminAccess,
    configure: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder,
) -> Setup {
    let plain = Setup::start().await;
    let access = access(operators_guard(&plain));
    plain
        .replica(Options::default(), |builder| configure(builder.admin(access)))
        .await
}

async fn start() -> Setup {
    with_operators(|guard| AdminAccess::by_role(guard, ROLE), |builder| builder).await
}

fn operators_guard(setup: &Setup) -> TokenGuard {
    let guard = TokenGuard::builder(setup.issuer.url(), [AUDIENCE]).clock(setup.clock.clock());
    guard.build().unwrap()
}

/// Returns a path with these parameters, percent-encoded.
fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("{path}?{query}")
}

impl Setup {
    fn operator(&self) -> String {
        self.caller_with(&json!({ "sub": "olga", "roles": [ROLE] }))
    }

    /// Returns the id of a user.
    fn user_id(&self, subject: &str) -> String {
        format!("{} {subject}", self.issuer.url())
    }

    /// Creates a user's identity.
    async fn sign_in(&self, subject: &str) -> String {
        let reply = self.post("/api/user", &self.caller(subject)).await;
        reply.text("/acsUserIdentity")
    }

    /// Sends an operator's request with an id.
    async fn administer(&self, method: Method, path: &str, id: &str) -> Reply {
        let path = with_query(path, &[("id", id)]);
        let request = self.request(method, &path);
        send(request.bearer_auth(self.operator())).await
    }

    async fn put_assignment(&self, body: &Value) -> Reply {
        let request = self.request(Method::PUT, ASSIGNMENT).json(body);
        send(request.bearer_auth(self.operator())).await
    }
}

#[tokio::test]
async fn routes_exist_for_configured_operators_only() {
    let setup = Setup::start().await;
    for (method, path) in ROUTES {
        let reply = send(setup.request(method, path).bearer_auth(setup.operator())).await;
        reply.assert_error(404, "no_route");
    }
    let description = send(setup.request(Method::GET, "/openapi.json")).await;
    assert!(!description.body.contains("/admin"), "{description:?}");
}

#[tokio::test]
async fn head_reads_nothing() {
    let setup = start().await;
    for (_, path) in ROUTES {
        let reply = send(setup.request(Method::HEAD, path).bearer_auth(setup.operator())).await;
        reply.assert_status(405);
        let allowed: Vec<_> = ROUTES
            .iter()
            .filter(|(_, other)| *other == path)
            .map(|(method, _)| method.as_str())
            .collect();
        let named: Vec<_> = reply.header("allow").unwrap().split(", ").collect();
        assert!(
            named.len() == allowed.len() && allowed.iter().all(|method| named.contains(method)),
            "{path}: {named:?}"
        );
    }
}

#[tokio::test]
async fn description_has_the_routes_of_operators() {
    let setup = start().await;
    let description = send(setup.request(Method::GET, "/openapi.json")).await.json();
    let tags = description["tags"].as_array().unwrap().iter();
    let tags: Vec<_> = tags.map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(tags, ["users", "tokens", "admin"]);
    let mut described: Vec<String> = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["responses"]["403"].is_object(), "{method} {path}");
            assert!(operation["security"].is_array(), "{method} {path}");
            if path.starts_with("/admin") {
                described.push(format!("{method} {path}"));
            }
        }
    }
    described.sort();
    assert_eq!(
        described,
        [
            "delete /admin/teams-phone/{tenantId}/{objectId}",
            "delete /admin/user",
            "delete /admin/user/tokens",
            "get /admin/deletions",
            "get /admin/teams-phone/{tenantId}/{objectId}",
            "get /admin/user",
            "get /admin/users",
            "get /admin/users.ndjson",
            "put /admin/teams-phone/{tenantId}/{objectId}",
        ]
    );
}

#[tokio::test]
async fn other_callers_are_refused_by_every_route() {
    let setup = start().await;
    let identity = setup.sign_in("alice").await;
    let foreign = TestIssuer::start().await.unwrap();
    let foreign = foreign
        .token(json!({ "sub": "olga", "aud": AUDIENCE, "roles": [ROLE] }))
        .unwrap();
    for (method, path) in ROUTES {
        let path = path.replace("=x", &format!("={identity}"));
        let reply = send(setup.request(method.clone(), &path)).await;
        reply.assert_error(401, "auth.authorization_header_missing");
        let reply = send(setup.request(method.clone(), &path).bearer_auth(&foreign)).await;
        reply.assert_error(401, "invalid_token");
        let scope_of_that_name = setup.caller_with(&json!({ "sub": "bob", "scope": ROLE }));
        let longer_role = setup.caller_with(&json!({ "sub": "bob", "roles": [format!("{ROLE}s")] }));
        for caller in [setup.caller("alice"), scope_of_that_name, longer_role] {
            let reply = send(setup.request(method.clone(), &path).bearer_auth(caller)).await;
            reply.assert_error(403, "auth.forbidden");
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
        }
    }
    assert_eq!(setup.emulator.identities(), [identity]);
}

#[tokio::test]
async fn operators_need_every_required_permission() {
    type Access = fn(TokenGuard) -> AdminAccess;
    let by_scope: Access = |guard| AdminAccess::by_scope(guard, "operate");
    let by_role: Access = |guard| AdminAccess::by_role(guard, ROLE);
    let by_both: Access = |guard| AdminAccess::by_scope(guard, "operate").and_role(ROLE);
    let scope = json!({ "sub": "olga", "scope": "chat operate" });
    let role = json!({ "sub": "olga", "roles": ["other", ROLE] });
    let both = json!({ "sub": "olga", "scope": "operate", "roles": ROLE });
    // An application that acts for no user.
    let application = json!({ "sub": "job", "client_id": "job", "scope": "operate", "roles": [ROLE] });
    for (access, allowed, refused) in [
        (by_scope, vec![&scope, &both, &application], vec![&role]),
        (by_role, vec![&role, &both, &application], vec![&scope]),
        (by_both, vec![&both, &application], vec![&scope, &role]),
    ] {
        let setup = with_operators(access, |builder| builder).await;
        for claims in allowed {
            let reply = setup.get("/admin/users", &setup.caller_with(claims)).await;
            reply.assert_status(200);
        }
        for claims in refused {
            let reply = setup.get("/admin/users", &setup.caller_with(claims)).await;
            reply.assert_error(403, "auth.forbidden");
        }
        let reply = setup.get("/api/user", &setup.caller_with(&application)).await;
        reply.assert_error(403, "not_a_user");
    }
}

#[tokio::test]
async fn user_is_found_by_id_and_by_identity() {
    let setup = start().await;
    // Characters that mean something in a path, a query or a list.
    for subject in ["alice", "a/b?c=d&e#f", "auth0|5f7c%20", "zoë +1", "../..", "a b,c"] {
        let (identity, id) = (setup.sign_in(subject).await, setup.user_id(subject));
        let by_id = setup.administer(Method::GET, "/admin/user", &id).await;
        by_id.assert_status(200);
        let created_at = by_id.text("/createdAt");
        let expected = json!({ "userId": id, "identity": identity, "createdAt": created_at });
        assert_eq!(by_id.json(), expected);
        let by_identity = setup.administer(Method::GET, "/admin/user", &identity).await;
        assert_eq!(by_identity.assert_status(200).json(), expected);
    }
    for unknown in [
        &setup.user_id("bob"),
        "bob",
        "8:acs:1_2",
        "..",
        " ",
        "a\0b c",
        "\0",
        &"a ".repeat(400),
        "https://login.contoso.com alice",
    ] {
        let reply = setup.administer(Method::GET, "/admin/user", unknown).await;
        reply.assert_error(404, "no_user");
    }
    for query in ["", "?id=", "?user=alice", "?id=a&id=b", "?after=a"] {
        let reply = setup.get(&format!("/admin/user{query}"), &setup.operator()).await;
        reply.assert_error(400, "bad_request");
    }
}

#[tokio::test]
async fn alias_of_the_issuer_names_the_same_user() {
    let plain = Setup::start().await;
    let access = AdminAccess::by_role(operators_guard(&plain), ROLE);
    let setup = plain
        .replica(Options::default(), |builder| {
            let aliases = ["https://old.contoso.com"];
            builder.admin(access).issuer_aliases(plain.issuer.url(), aliases)
        })
        .await;
    let identity = setup.sign_in("alice").await;
    let reply = setup
        .administer(Method::GET, "/admin/user", "https://old.contoso.com alice")
        .await;
    assert_eq!(reply.text("/identity"), identity);
    assert_eq!(reply.text("/userId"), setup.user_id("alice"));
}

#[tokio::test]
async fn revocation_signs_the_user_out_everywhere() {
    let file = DatabaseFile::new();
    let plain = Setup::with(Options::with_database(&file), |builder| builder).await;
    let access = AdminAccess::by_role(operators_guard(&plain), ROLE);
    let costs = NonZeroU32::new(9).unwrap();
    let configure = |builder: TokenServiceBuilder| builder.admin(access).acs_costs_per_hour(costs);
    let setup = plain.replica(Options::with_database(&file), configure).await;
    let alice = setup.caller("alice");
    for id in [setup.sign_in("alice").await, setup.user_id("alice")] {
        let token = plain.get("/api/token", &alice).await.text("/token");
        let reply = setup.administer(Method::DELETE, "/admin/user/tokens", &id).await;
        reply.assert_status(204);
        assert_eq!(setup.emulator.token_status(&token), TokenStatus::Revoked);
        // On SQLite, other replicas ask the database after five seconds.
        setup.clock.advance(Duration::from_secs(6));
        assert_ne!(plain.get("/api/token", &alice).await.text("/token"), token);
    }
    // An identity costs 8 and a token 1. A revocation of their own would cost more than is left.
    setup
        .delete("/api/token", &alice)
        .await
        .assert_error(429, "acs_limited");
    setup.get("/api/token?scope=voip", &alice).await.assert_status(201);

    let unknown = setup
        .administer(Method::DELETE, "/admin/user/tokens", &setup.user_id("bob"))
        .await;
    unknown.assert_error(404, "no_identity");
    let unknown = setup
        .administer(Method::DELETE, "/admin/user/tokens", "8:acs:1_2")
        .await;
    unknown.assert_error(404, "no_user");
}

#[tokio::test]
async fn deletion_is_that_of_the_user() {
    let setup = start().await;
    let alice = setup.caller("alice");
    setup.sign_in("alice").await;
    let token = setup.get("/api/token", &alice).await.text("/token");
    // Neither an unknown user nor a mistyped id looks like a success.
    let id = setup.user_id("alice");
    let slash = format!("{}/ alice", setup.issuer.url());
    for unknown in [
        &setup.user_id("bob"),
        &setup.user_id("Alice"),
        &slash,
        &format!("{id} "),
        "8:acs:1_2",
    ] {
        let reply = setup.administer(Method::DELETE, "/admin/user", unknown).await;
        reply.assert_error(404, "no_user");
    }
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
    setup
        .administer(Method::DELETE, "/admin/user", &id)
        .await
        .assert_status(204);
    let again = setup.administer(Method::DELETE, "/admin/user", &id).await;
    again.assert_error(404, "no_user");
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::IdentityDeleted);
    setup.get("/api/token", &alice).await.assert_error(404, "no_identity");

    let identity = setup.sign_in("alice").await;
    setup
        .administer(Method::DELETE, "/admin/user", &identity)
        .await
        .assert_status(204);
    assert_eq!(setup.emulator.identity_count(), 0);
    let again = setup.administer(Method::DELETE, "/admin/user", &identity).await;
    again.assert_error(404, "no_user");
}

#[tokio::test]
async fn failed_deletion_can_be_repeated() {
    let setup = start().await;
    setup.sign_in("alice").await;
    let fault = Fault::status(503).times(2).operation(Operation::DeleteIdentity);
    setup.emulator.inject(fault).unwrap();
    let id = setup.user_id("alice");
    for (status, reason) in [(503, "acs_unavailable"), (503, "acs_unavailable")] {
        let reply = setup.administer(Method::DELETE, "/admin/user", &id).await;
        reply.assert_error(status, reason);
    }
    setup
        .administer(Method::DELETE, "/admin/user", &id)
        .await
        .assert_status(204);
    assert_eq!(setup.emulator.identity_count(), 0);
    let again = setup.administer(Method::DELETE, "/admin/user", &id).await;
    again.assert_error(404, "no_user");
}

#[tokio::test]
async fn failed_deletion_is_listed_until_it_is_done() {
    let setup = start().await;
    let mut identities = Vec::new();
    for subject in ["alice", "bob", "carol"] {
        identities.push(setup.sign_in(subject).await);
        let fault = Fault::status(503).times(1).operation(Operation::DeleteIdentity);
        setup.emulator.inject(fault).unwrap();
        let reply = setup
            .administer(Method::DELETE, "/admin/user", &setup.user_id(subject))
            .await;
        reply.assert_error(503, "acs_unavailable");
        setup.clock.advance(Duration::from_secs(1));
    }
    let operator = setup.operator();
    let mut listed = Vec::new();
    let mut path = "/admin/deletions?limit=2".to_owned();
    loop {
        let page = setup.get(&path, &operator).await.assert_status(200).json();
        listed.extend(page["deletions"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/admin/deletions?limit=2&after={next}");
    }
    let users: Vec<_> = listed
        .iter()
        .map(|due| due["userId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(users, ["alice", "bob", "carol"].map(|subject| setup.user_id(subject)));
    let due: Vec<_> = listed.iter().map(|due| due["identity"].as_str().unwrap()).collect();
    assert_eq!(due, identities);

    setup.clock.advance(Duration::from_secs(61));
    assert_eq!(setup.service.sweep().await.unwrap().deleted, 3);
    let page = setup.get("/admin/deletions", &operator).await;
    assert_eq!(page.assert_status(200).json(), json!({ "deletions": [] }));
    for after in ["x", "1", ".8:acs:1_2", "1x.8:acs:1_2"] {
        let reply = setup.get(&format!("/admin/deletions?after={after}"), &operator).await;
        reply.assert_error(400, "bad_request");
    }
}

#[tokio::test]
async fn pages_and_the_export_have_every_user_once() {
    let setup = start().await;
    let operator = setup.operator();
    assert_eq!(
        setup.get("/admin/users", &operator).await.json(),
        json!({ "users": [] })
    );
    assert_eq!(
        setup
            .get("/admin/users.ndjson", &operator)
            .await
            .assert_status(200)
            .body,
        ""
    );

    let mut expected = Vec::new();
    for number in 0..7 {
        let identity = setup.sign_in(&format!("user {number}")).await;
        expected.push((setup.user_id(&format!("user {number}")), identity));
    }
    let pair = |user: &Value| {
        let text = |name: &str| user[name].as_str().unwrap().to_owned();
        (text("userId"), text("identity"))
    };
    for limit in [1, 3, 7, 8, 1000] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let query = [("limit", &*limit.to_string()), ("after", &after)];
            let page = setup.get(&with_query("/admin/users", &query), &operator).await.json();
            let users = page["users"].as_array().unwrap();
            assert!(!users.is_empty() && users.len() <= limit, "{page}");
            found.extend(users.iter().map(pair));
            let Some(next) = page["next"].as_str() else { break };
            after = next.to_owned();
        }
        assert_eq!(found, expected, "{limit}");
    }
    let export = setup.get("/admin/users.ndjson", &operator).await;
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<_> = export
        .body
        .lines()
        .map(|line| pair(&serde_json::from_str(line).unwrap()))
        .collect();
    assert_eq!(lines, expected);

    for query in ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2"] {
        let reply = setup.get(&format!("/admin/users?{query}"), &operator).await;
        reply.assert_error(400, "bad_request");
    }
    setup
        .get("/admin/users?after=z%00a", &operator)
        .await
        .assert_status(200);
}

/// Starts a service with operators, whose database has these users.
async fn with_users(file: &DatabaseFile, count: usize) -> Setup {
    let plain = Setup::with(Options::with_database(file), |builder| builder).await;
    let mut connection = SqliteConnection::connect(&file.url()).await.unwrap();
    let insert = "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < $1) \
        INSERT INTO users (user_id, identity, created_at) SELECT format('iss user-%05d', n), format('8:acs:1_%d', n), n \
        FROM number";
    sqlx::query(insert)
        .bind(i64::try_from(count).unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    let access = AdminAccess::by_role(operators_guard(&plain), ROLE);
    plain
        .replica(Options::with_database(file), |builder| builder.admin(access))
        .await
}

/// Sends an operator's request for an export, and returns the body.
async fn export(setup: &Setup) -> Body {
    let request = Request::get("/admin/users.ndjson").header("authorization", format!("Bearer {}", setup.operator()));
    let routes = setup.service.routes();
    let response = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body()
}

#[tokio::test]
async fn export_reads_large_databases_in_parts() {
    let file = DatabaseFile::new();
    // Twice the length of a page, and more.
    for count in [1000, 1234] {
        let setup = with_users(&file, count).await;
        let mut body = export(&setup).await;
        let (mut text, mut parts) = (String::new(), 0);
        while let Some(frame) = body.frame().await {
            let part = frame.unwrap().into_data().unwrap();
            assert!(part.len() < count * 50, "{}", part.len());
            text += std::str::from_utf8(&part).unwrap();
            parts += 1;
        }
        assert!(parts > 1);
        let ids = text.lines().map(|line| {
            let user: Value = serde_json::from_str(line).unwrap();
            user["userId"].as_str().unwrap().to_owned()
        });
        let expected = (1..=count).map(|number| format!("iss user-{number:05}"));
        assert!(ids.eq(expected));
        let mut connection = SqliteConnection::connect(&file.url()).await.unwrap();
        sqlx::query("DELETE FROM users").execute(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn export_breaks_off_with_the_database() {
    let file = DatabaseFile::new();
    let setup = with_users(&file, 1600).await;
    let mut body = export(&setup).await;
    assert!(body.frame().await.unwrap().is_ok());
    setup.service.close().await;
    // No end that a reader could take for that of all users.
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn unfinished_creation_has_no_identity_yet() {
    let (plain, gate) = Setup::gated(|builder| builder).await;
    let access = AdminAccess::by_role(operators_guard(&plain), ROLE);
    let file = DatabaseFile::new();
    let options = Options::with_database(&file).behind(&gate);
    let setup = plain.replica(options, |builder| builder.admin(access)).await;
    let stop = gate.stop(crate::support::gate::CREATE);
    let creation = setup.begin(Method::POST, "/api/user", &setup.caller("alice"));
    stop.arrived().await;
    let user = setup
        .administer(Method::GET, "/admin/user", &setup.user_id("alice"))
        .await;
    assert_eq!(user.json().get("identity"), None, "{user:?}");
    assert!(user.text("/claimedUntil") > user.text("/createdAt"));
    stop.open();
    creation.await.unwrap().assert_status(201);
}

#[tokio::test]
async fn assignment_of_teams_phone_is_put_shown_and_deleted() {
    let setup = start().await;
    let operator = setup.operator();
    setup
        .get(ASSIGNMENT, &operator)
        .await
        .assert_error(404, "no_assignment");
    let client_id = "99998888-7777-6666-5555-444433332222";
    let assigned = |kind: &str, client_ids: Value| {
        json!({
            "tenantId": "aaaabbbb-0000-cccc-1111-dddd2222eeee",
            "objectId": "00001111-aaaa-2222-bbbb-3333cccc4444",
            "principalType": kind,
            "clientIds": client_ids,
        })
    };
    for (status, body, expected) in [
        (
            201,
            json!({ "principalType": "user", "clientIds": [client_id] }),
            assigned("user", json!([client_id])),
        ),
        (
            200,
            json!({ "principalType": "resourceAccount" }),
            assigned("resourceAccount", json!([])),
        ),
        (
            200,
            json!({ "principalType": "teamsResourceAccount", "clientIds": [] }),
            assigned("teamsResourceAccount", json!([])),
        ),
    ] {
        assert_eq!(setup.put_assignment(&body).await.assert_status(status).json(), expected);
        assert_eq!(
            setup.get(ASSIGNMENT, &operator).await.assert_status(200).json(),
            expected
        );
    }
    for _ in 0..2 {
        setup.delete(ASSIGNMENT, &operator).await.assert_status(204);
    }
    setup
        .get(ASSIGNMENT, &operator)
        .await
        .assert_error(404, "no_assignment");
    assert_eq!(setup.acs_calls("put_assignment").await, 3);
}

#[tokio::test]
async fn malformed_assignment_is_refused_before_azure() {
    let setup = start().await;
    let operator = setup.operator();
    for (status, body) in [
        (422, json!({})),
        (422, json!({ "principalType": "group" })),
        (422, json!({ "principalType": "User" })),
        (422, json!({ "principalType": "user", "clientIds": ["app"] })),
        (
            422,
            json!({ "principalType": "user", "clientIds": vec![uuid::Uuid::nil(); 101] }),
        ),
        (
            413,
            json!({ "principalType": "user", "clientIds": vec![uuid::Uuid::nil(); 1000] }),
        ),
    ] {
        setup.put_assignment(&body).await.assert_error(status, "bad_body");
    }
    for path in [
        "/admin/teams-phone/x/y",
        "/admin/teams-phone/%FF/y",
        &format!("{ASSIGNMENT}0"),
    ] {
        setup.get(path, &operator).await.assert_error(400, "bad_request");
    }
    let reply = send(setup.request(Method::PUT, ASSIGNMENT).body("{}").bearer_auth(&operator)).await;
    reply.assert_error(415, "bad_body");
    assert_eq!(setup.acs_calls("put_assignment").await, 0);

    setup.emulator.inject(Fault::status(503).times(1)).unwrap();
    setup
        .get(ASSIGNMENT, &operator)
        .await
        .assert_error(503, "acs_unavailable");
}

#[tokio::test]
async fn requests_of_an_operator_are_limited() {
    let limit = NonZeroU32::new(3).unwrap();
    let access = |guard| AdminAccess::by_role(guard, ROLE);
    let setup = with_operators(access, |builder| builder.requests_per_minute(limit)).await;
    // Refused requests count, too.
    let bob = setup.caller("bob");
    for _ in 0..3 {
        setup
            .get("/admin/users", &bob)
            .await
            .assert_error(403, "auth.forbidden");
    }
    setup.get("/admin/users", &bob).await.assert_error(429, "rate_limited");
    for _ in 0..3 {
        setup.get("/admin/users", &setup.operator()).await.assert_status(200);
    }
    let limited = setup.get("/admin/users", &setup.operator()).await;
    limited.assert_error(429, "rate_limited");
    assert!(limited.header("retry-after").is_some());
    setup
        .get("/api/user", &setup.caller("alice"))
        .await
        .assert_error(404, "no_identity");
}

#[tokio::test]
async fn pages_of_other_origins_cannot_read_operators_routes() {
    const OWN: &str = "https://app.contoso.com";
    let access = |guard| AdminAccess::by_role(guard, ROLE);
    let setup = with_operators(access, |builder| builder.allow_origins([OWN.parse().unwrap()])).await;
    for (origin, allowed) in [(OWN, Some(OWN)), ("https://evil.example", None), ("null", None)] {
        for (method, path) in ROUTES {
            let preflight = http().request(Method::OPTIONS, format!("{}{path}", setup.url));
            let preflight = preflight
                .header("origin", origin)
                .header("access-control-request-method", method.as_str());
            let reply = send(preflight).await;
            assert_eq!(reply.header("access-control-allow-origin"), allowed, "{method} {path}");
            let methods = reply.header("access-control-allow-methods").unwrap();
            assert!(methods.contains(method.as_str()), "{methods}");
            let reply = send(setup.request(method, path).header("origin", origin)).await;
            assert_eq!(reply.header("access-control-allow-origin"), allowed);
        }
    }
}
