//! The audit log of operators' actions.

use crate::{
    secrets::Log,
    setup::{DatabaseFile, Options, Setup, send, settled},
    support::{AUDIENCE, gate::REVOKE},
};
use acs_identity_emulator::Fault;
use axum::{body::Body, http::Request};
use reqwest::Method;
use serde_json::{Value, json};
use std::{num::NonZeroU32, time::Duration};
use token_guard::TokenGuard;
use token_service::{AdminAccess, TokenServiceBuilder};
use tower::ServiceExt;
use url::form_urlencoded::byte_serialize;

const ROLE: &str = "TokenService.Operator";
const ASSIGNMENT: &str = "/admin/teams-phone/aaaabbbb-0000-cccc-1111-dddd2222eeee/00001111-aaaa-2222-bbbb-3333cccc4444";

impl Log {
    /// Returns the fields of the audit log's lines.
    fn audited(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut audited = Vec::new();
        for mut line in lines.filter(|line| line["target"] == "token_service::audit") {
            assert_eq!(line["level"], "INFO");
            audited.push(line["fields"].take());
        }
        audited
    }
}

/// Starts a service with operators and a database that replicas share.
async fn start(file: &DatabaseFile, configure: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder) -> Setup {
    let plain = Setup::start().await;
    let guard = TokenGuard::builder(plain.issuer.url(), [AUDIENCE]).clock(plain.clock.clock());
    let access = AdminAccess::by_role(guard.build().unwrap(), ROLE);
    plain
        .replica(Options::with_database(file), |builder| configure(builder.admin(access)))
        .await
}

fn operator(setup: &Setup) -> String {
    setup.caller_with(&json!({ "sub": "olga-4f1e", "roles": [ROLE] }))
}

fn id_query(id: &str) -> String {
    format!("id={}", byte_serialize(id.as_bytes()).collect::<String>())
}

#[tokio::test]
async fn each_action_is_audited_with_hashed_ids() {
    let (log, file) = (Log::default(), DatabaseFile::new());
    let _guard = log.start();
    let setup = start(&file, |builder| builder).await;
    let (alice, olga) = ("alice-9c21", operator(&setup));
    let identity = setup
        .post("/api/user", &setup.caller(alice))
        .await
        .text("/acsUserIdentity");
    let id = format!("{} {alice}", setup.issuer.url());
    let (by_id, by_identity) = (id_query(&id), id_query(&identity));
    let requests = [
        (Method::GET, format!("/admin/user?{by_id}"), "show_user", "done"),
        (Method::GET, format!("/admin/user?{by_identity}"), "show_user", "done"),
        (
            Method::GET,
            "/admin/user?id=8:acs:1_2".to_owned(),
            "show_user",
            "no_user",
        ),
        (Method::GET, "/admin/users".to_owned(), "list_users", "done"),
        (Method::GET, "/admin/users.ndjson".to_owned(), "export_users", "done"),
        (
            Method::DELETE,
            format!("/admin/user/tokens?{by_id}"),
            "revoke_tokens",
            "done",
        ),
        (Method::DELETE, format!("/admin/user?{by_id}"), "delete_user", "done"),
        (Method::GET, "/admin/deletions".to_owned(), "list_deletions", "done"),
        (Method::GET, ASSIGNMENT.to_owned(), "show_assignment", "no_assignment"),
        (Method::PUT, ASSIGNMENT.to_owned(), "put_assignment", "done"),
        (Method::DELETE, ASSIGNMENT.to_owned(), "delete_assignment", "done"),
    ];
    for (number, (method, path, ..)) in requests.iter().enumerate() {
        let request = setup
            .request(method.clone(), path)
            .header("x-request-id", format!("request-{number}"));
        let request = match *method {
            Method::PUT => request.json(&json!({ "principalType": "user" })),
            _ => request,
        };
        send(request.bearer_auth(&olga)).await;
    }
    let audited = log.audited();
    assert_eq!(audited.len(), requests.len(), "{audited:#?}");
    let admin = setup.service.admin("root");
    let actor = admin.hash(&format!("{} olga-4f1e", setup.issuer.url())).await.unwrap();
    for (number, (line, (.., action, outcome))) in audited.iter().zip(&requests).enumerate() {
        assert_eq!(
            (&line["action"], &line["outcome"]),
            (&json!(action), &json!(outcome)),
            "{line}"
        );
        assert_eq!(
            (&line["actor"], &line["actor_kind"]),
            (&json!(actor), &json!("user")),
            "{line}"
        );
        assert_eq!(line["request_id"], format!("request-{number}"));
    }
    let user = json!(admin.hash(&id).await.unwrap());
    assert_eq!(user.as_str().unwrap().len(), 32);
    assert_eq!([0, 1, 5, 6].map(|line| &audited[line]["user"]), [&user; 4]);
    assert_eq!(audited[1]["identity"], admin.hash(&identity).await.unwrap());
    assert_eq!((&audited[3]["count"], &audited[4]["count"]), (&json!(1), &json!(1)));
    let principal = "aaaabbbb-0000-cccc-1111-dddd2222eeee 00001111-aaaa-2222-bbbb-3333cccc4444";
    assert_eq!(audited[9]["user"], admin.hash(principal).await.unwrap());

    let log = log.text();
    for id in [
        alice,
        "olga-4f1e",
        identity.rsplit('_').next().unwrap(),
        "dddd2222eeee",
        "3333cccc4444",
    ] {
        assert!(!log.contains(id), "{id} is in the log: {log}");
    }
}

#[tokio::test]
async fn replicas_share_the_hashes_of_their_database() {
    let (file, other) = (DatabaseFile::new(), DatabaseFile::new());
    let mut hashes = Vec::new();
    for file in [&file, &file, &other] {
        let setup = Setup::with(Options::with_database(file), |builder| builder).await;
        hashes.push(setup.service.admin("root").hash("issuer alice").await.unwrap());
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
}

#[tokio::test]
async fn ids_are_shown_on_request() {
    let (log, file) = (Log::default(), DatabaseFile::new());
    let _guard = log.start();
    let setup = start(&file, |builder| builder.audit_ids(true)).await;
    let identity = setup
        .post("/api/user", &setup.caller("alice"))
        .await
        .text("/acsUserIdentity");
    let job = setup.caller_with(&json!({ "sub": "job", "client_id": "job", "roles": [ROLE] }));
    setup
        .delete(&format!("/admin/user?{}", id_query(&identity)), &job)
        .await
        .assert_status(204);
    setup
        .service
        .admin("root")
        .users(None, NonZeroU32::MIN.try_into().unwrap())
        .await
        .unwrap();
    let issuer = setup.issuer.url();
    let [deleted, listed] = &log.audited()[..] else {
        panic!("{}", log.text());
    };
    assert_eq!(deleted["actor"], format!("{issuer} job"));
    assert_eq!(deleted["actor_kind"], "application");
    assert_eq!(deleted["user"], format!("{issuer} alice"));
    assert_eq!(deleted["identity"], identity);
    assert_eq!(
        (&listed["actor"], &listed["actor_kind"]),
        (&json!("root"), &json!("command"))
    );
    assert_eq!(listed.get("request_id"), None);
}

#[tokio::test]
async fn refused_attempts_are_audited() {
    let (log, file) = (Log::default(), DatabaseFile::new());
    let _guard = log.start();
    let setup = start(&file, |builder| builder.requests_per_minute(NonZeroU32::MIN)).await;
    let bob = setup.caller("bob-77aa");
    send(setup.request(Method::DELETE, "/admin/user?id=x"))
        .await
        .assert_status(401);
    setup.delete("/admin/user?id=x", &bob).await.assert_status(403);
    setup.delete("/admin/user/tokens?id=x", &bob).await.assert_status(429);
    let job = setup.caller_with(&json!({ "sub": "job-1b", "client_id": "job-1b" }));
    setup.get(ASSIGNMENT, &job).await.assert_status(403);
    let nameless = setup.caller_with(&json!({ "sub": "a1".repeat(300), "roles": [ROLE] }));
    setup
        .get("/admin/users", &nameless)
        .await
        .assert_error(403, "bad_user_name");
    let audited = log.audited();
    let admin = setup.service.admin("root");
    let hash = async |subject: &str| {
        let hash = admin.hash(&format!("{} {subject}", setup.issuer.url())).await;
        json!(hash.unwrap())
    };
    let (bob, job) = (hash("bob-77aa").await, hash("job-1b").await);
    for (line, (actor, kind, action, outcome)) in audited.iter().zip([
        (
            &Value::Null,
            "unknown",
            "delete_user",
            "auth.authorization_header_missing",
        ),
        (&bob, "user", "delete_user", "auth.forbidden"),
        (&bob, "user", "revoke_tokens", "rate_limited"),
        (&job, "application", "show_assignment", "auth.forbidden"),
        (&Value::Null, "user", "list_users", "bad_user_name"),
    ]) {
        assert_eq!((&line["actor"], &line["actor_kind"]), (actor, &json!(kind)), "{line}");
        assert_eq!(
            (&line["action"], &line["outcome"]),
            (&json!(action), &json!(outcome)),
            "{line}"
        );
        assert!(line["request_id"].is_string(), "{line}");
    }
    assert_eq!(audited.len(), 5);
    assert!(!log.text().contains("bob-77aa") && !log.text().contains("job-1b"));
}

#[tokio::test]
async fn lines_of_refused_attempts_are_limited() {
    let (log, file) = (Log::default(), DatabaseFile::new());
    let _guard = log.start();
    let setup = start(&file, |builder| builder.requests_per_minute(NonZeroU32::MIN)).await;
    let (bob, olga) = (setup.caller("bob"), operator(&setup));
    setup.get("/admin/users", &olga).await.assert_status(200);
    let attempt = async |token: Option<&str>| {
        let mut request = Request::get("/admin/users");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let routes = setup.service.routes();
        let response = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        response.status().as_u16()
    };
    tokio::time::pause();
    for _ in 0..100 {
        assert_eq!(attempt(None).await, 401);
    }
    assert_eq!(log.audited().len(), 1 + 30);
    // A flood without tokens hides neither those of callers with one, nor the count.
    assert_eq!(attempt(Some(&bob)).await, 403);
    for _ in 0..99 {
        assert_eq!(attempt(Some(&bob)).await, 429);
    }
    let audited = log.audited();
    assert_eq!(audited.len(), 1 + 30 + 30);
    assert_eq!(audited[31]["suppressed"], 70);
    for line in audited[..31].iter().chain(&audited[32..]) {
        assert_eq!(line.get("suppressed"), None, "{line}");
    }

    tokio::time::advance(Duration::from_mins(1)).await;
    for token in [None, Some(&*bob)] {
        attempt(token).await;
    }
    let audited = log.audited();
    assert_eq!(audited.len(), 1 + 30 + 30 + 2);
    assert_eq!(audited[61]["suppressed"], 70);
    assert_eq!(audited[62].get("suppressed"), None);
}

#[tokio::test]
async fn failed_and_interrupted_actions_are_audited() {
    let (log, file) = (Log::default(), DatabaseFile::new());
    let _guard = log.start();
    let plain = Setup::start().await;
    let gate = crate::support::gate::Gate::before(&plain.emulator).await;
    let guard = TokenGuard::builder(plain.issuer.url(), [AUDIENCE]).clock(plain.clock.clock());
    let access = AdminAccess::by_role(guard.build().unwrap(), ROLE);
    let options = Options::with_database(&file).behind(&gate);
    let setup = plain.replica(options, |builder| builder.admin(access)).await;
    let (olga, alice) = (operator(&setup), setup.caller("alice"));
    let identity = setup.post("/api/user", &alice).await.text("/acsUserIdentity");
    let path = format!("/admin/user/tokens?{}", id_query(&identity));
    setup.emulator.inject(Fault::status(503).times(1)).unwrap();
    setup.delete(&path, &olga).await.assert_error(503, "acs_unavailable");

    let stop = gate.stop(REVOKE);
    let revocation = setup.begin(Method::DELETE, &path, &olga);
    stop.arrived().await;
    revocation.abort();
    assert!(revocation.await.unwrap_err().is_cancelled());
    settled().await;
    stop.open();

    setup.service.close().await;
    setup.delete(&path, &olga).await.assert_error(503, "database");
    let outcomes: Vec<_> = log.audited().iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(outcomes, ["acs_unavailable", "interrupted", "database"]);
}

#[tokio::test]
async fn ids_are_hidden_if_the_key_is_unavailable() {
    let (log, file) = (Log::default(), DatabaseFile::new());
    let _guard = log.start();
    let setup = start(&file, |builder| builder).await;
    setup.service.close().await;
    setup
        .get(ASSIGNMENT, &operator(&setup))
        .await
        .assert_error(404, "no_assignment");
    let [line] = &log.audited()[..] else {
        panic!("{}", log.text());
    };
    assert_eq!((&line["actor"], &line["user"]), (&json!("hidden"), &json!("hidden")));
}

#[tokio::test]
async fn nothing_changes_if_the_key_is_unavailable() {
    let (log, file) = (Log::default(), DatabaseFile::new());
    let _guard = log.start();
    for (shows_ids, created, deleted, shown) in [(false, 503, 503, 404), (true, 201, 204, 404)] {
        let setup = start(&file, |builder| builder.audit_ids(shows_ids)).await;
        let olga = operator(&setup);
        setup.service.close().await;
        let put = setup.request(Method::PUT, ASSIGNMENT).bearer_auth(&olga);
        let put = send(put.json(&json!({ "principalType": "user" }))).await;
        put.assert_status(created);
        setup.delete(ASSIGNMENT, &olga).await.assert_status(deleted);
        setup.get(ASSIGNMENT, &olga).await.assert_status(shown);
    }
    let outcomes: Vec<_> = log.audited().iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(
        outcomes,
        ["database", "database", "no_assignment", "done", "done", "no_assignment"]
    );
}
