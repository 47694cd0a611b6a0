//! The routes below `/api`, with the contract of Microsoft's authentication sample.

use crate::setup::{Setup, send};
use acs_identity_emulator::TokenStatus;
use azure_communication_identity::{CommunicationTokenScope, UnverifiedTokenClaims};
use reqwest::Method;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

#[tokio::test]
async fn created_user_is_found() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.get("/api/user", &alice).await.assert_error(404, "no_identity");

    let created = setup.post("/api/user", &alice).await;
    let identity = created.assert_status(201).text("/acsUserIdentity");
    assert_eq!(created.json(), json!({ "acsUserIdentity": identity }));
    assert_eq!(setup.emulator.identities(), std::slice::from_ref(&identity));

    assert_eq!(
        setup.get("/api/user", &alice).await.assert_status(200).json(),
        created.json()
    );
    assert_eq!(
        setup.post("/api/user", &alice).await.assert_status(200).json(),
        created.json()
    );
    assert_eq!(setup.emulator.identity_count(), 1);
}

#[tokio::test]
async fn users_have_different_identities() {
    let setup = Setup::start().await;
    let alice = setup
        .post("/api/user", &setup.caller("alice"))
        .await
        .text("/acsUserIdentity");
    let bob = setup
        .post("/api/user", &setup.caller("bob"))
        .await
        .text("/acsUserIdentity");
    assert_ne!(alice, bob);
}

#[tokio::test]
async fn token_is_for_the_users_identity() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.get("/api/token", &alice).await.assert_error(404, "no_identity");
    assert_eq!(setup.emulator.identity_count(), 0, "a token creates no user");

    let identity = setup.post("/api/user", &alice).await.text("/acsUserIdentity");
    let before = OffsetDateTime::now_utc();
    let reply = setup.get("/api/token", &alice).await;
    let (token, expires_on) = (reply.assert_status(201).text("/token"), reply.text("/expiresOn"));
    assert_eq!(
        reply.json(),
        json!({ "token": token, "expiresOn": expires_on, "user": { "communicationUserId": identity } })
    );
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
    let lifetime = OffsetDateTime::parse(&expires_on, &Rfc3339).unwrap() - before;
    assert_eq!(lifetime.whole_minutes().abs_diff(24 * 60) / 2, 0, "{lifetime}");

    let claims = UnverifiedTokenClaims::decode(&token).unwrap();
    assert_eq!(
        claims
            .scopes
            .iter()
            .map(CommunicationTokenScope::as_str)
            .collect::<Vec<_>>(),
        ["chat", "voip"]
    );
}

#[tokio::test]
async fn unknown_routes_and_methods_are_failures() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.get("/api/nothing", &alice).await.assert_error(404, "no_route");
    let reply = send(setup.request(Method::PUT, "/api/user").bearer_auth(&alice)).await;
    reply.assert_error(405, "method_not_allowed");
    assert!(
        reply.header("allow").is_some_and(|allow| allow.contains("DELETE")),
        "{reply:?}"
    );
}

/// A handler of GET would sign in, and issue tokens.
#[tokio::test]
async fn head_has_no_effect() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    for (path, allowed) in [
        ("/token", "GET, POST"),
        ("/token?scope=chat", "GET, POST"),
        ("/api/user", "GET, POST, DELETE"),
        ("/api/token", "GET, DELETE"),
        ("/api/token?fresh=true", "GET, DELETE"),
        ("/api/token/teams", "GET"),
        ("/api/token/teams-phone", "GET"),
        ("/refreshToken/x", "POST"),
    ] {
        for method in [Method::HEAD, Method::PATCH] {
            let reply = send(setup.request(method.clone(), path).bearer_auth(&alice)).await;
            reply.assert_status(405);
            assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
        }
    }
    assert_eq!(setup.acs_log().await.len(), 0);
    setup.get("/api/user", &alice).await.assert_error(404, "no_identity");
    send(setup.request(Method::HEAD, "/openapi.json"))
        .await
        .assert_status(200);
}

#[tokio::test]
async fn description_names_every_route() {
    let setup = Setup::start().await;
    let description = send(setup.request(Method::GET, "/openapi.json")).await;
    let description = description.assert_status(200).json();
    let operations: Vec<String> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{method} {path}"))
        })
        .collect();
    let mut operations = operations;
    operations.sort();
    assert_eq!(
        operations,
        [
            "delete /api/token",
            "delete /api/user",
            "get /api/token",
            "get /api/token/teams",
            "get /api/token/teams-phone",
            "get /api/user",
            "get /token",
            "post /api/user",
            "post /refreshToken/{id}",
            "post /token",
        ]
    );
    assert_eq!(
        description["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
}

#[tokio::test]
async fn description_explains_every_response() {
    let setup = Setup::start().await;
    let description = send(setup.request(Method::GET, "/openapi.json")).await.json();
    let mut replies = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, reply) in operation["responses"].as_object().unwrap() {
                let text = reply["description"].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "{method} {path}: {status}");
                replies += 1;
            }
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    assert!(replies > 9 * 7, "each operation has the common failures: {replies}");
}
