//! The contract of Microsoft's authentication sample: its routes, statuses and bodies.

use crate::setup::{World, send};
use acs_identity_emulator::TokenStatus;
use azure_communication_identity::{CommunicationTokenScope, UnverifiedTokenClaims};
use reqwest::Method;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

#[tokio::test]
async fn a_user_is_found_after_they_were_created() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.get("/api/user", &alice).await.assert_error(404, "no_identity");

    let created = world.post("/api/user", &alice).await;
    let identity = created.assert_status(201).text("/acsUserIdentity");
    assert_eq!(created.json(), json!({ "acsUserIdentity": identity }));
    assert_eq!(world.emulator.identities(), std::slice::from_ref(&identity));

    assert_eq!(
        world.get("/api/user", &alice).await.assert_status(200).json(),
        created.json()
    );
    assert_eq!(
        world.post("/api/user", &alice).await.assert_status(200).json(),
        created.json()
    );
    assert_eq!(world.emulator.identity_count(), 1);
}

#[tokio::test]
async fn users_have_identities_of_their_own() {
    let world = World::start().await;
    let alice = world
        .post("/api/user", &world.caller("alice"))
        .await
        .text("/acsUserIdentity");
    let bob = world
        .post("/api/user", &world.caller("bob"))
        .await
        .text("/acsUserIdentity");
    assert_ne!(alice, bob);
}

#[tokio::test]
async fn a_token_is_for_the_users_identity() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.get("/api/token", &alice).await.assert_error(404, "no_identity");
    assert_eq!(world.emulator.identity_count(), 0, "a token creates no user");

    let identity = world.post("/api/user", &alice).await.text("/acsUserIdentity");
    let before = OffsetDateTime::now_utc();
    let answer = world.get("/api/token", &alice).await;
    let (token, expires_on) = (answer.assert_status(201).text("/token"), answer.text("/expiresOn"));
    assert_eq!(
        answer.json(),
        json!({ "token": token, "expiresOn": expires_on, "user": { "communicationUserId": identity } })
    );
    assert_eq!(world.emulator.token_status(&token), TokenStatus::Active);
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
async fn routes_and_methods_that_are_not_there_are_answered_in_the_same_shape() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.get("/api/nothing", &alice).await.assert_error(404, "no_route");
    let answer = send(world.request(Method::PUT, "/api/user").bearer_auth(&alice)).await;
    answer.assert_error(405, "method_not_allowed");
    assert!(
        answer.header("allow").is_some_and(|allow| allow.contains("DELETE")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_description_names_every_route() {
    let world = World::start().await;
    let description = send(world.request(Method::GET, "/openapi.json")).await;
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
async fn the_description_says_what_every_answer_means() {
    let world = World::start().await;
    let description = send(world.request(Method::GET, "/openapi.json")).await.json();
    let mut answers = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let text = answer["description"].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "{method} {path}: {status}");
                answers += 1;
            }
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    assert!(answers > 9 * 7, "each operation has the failures of all: {answers}");
}
