//! The contract of the servers of Microsoft's chat and calling samples, as far as it is about tokens.

use crate::setup::{World, send};
use acs_identity_emulator::TokenStatus;
use azure_communication_identity::{CommunicationTokenScope, UnverifiedTokenClaims};
use reqwest::Method;
use serde_json::json;

fn scopes(token: &str) -> String {
    let claims = UnverifiedTokenClaims::decode(token).unwrap();
    claims
        .scopes
        .iter()
        .map(CommunicationTokenScope::as_str)
        .collect::<Vec<_>>()
        .join(",")
}

#[tokio::test]
async fn a_first_token_signs_the_user_in() {
    let world = World::start().await;
    let alice = world.caller("alice");
    let answer = world.post("/token?scope=chat", &alice).await;
    let (token, identity) = (
        answer.assert_status(200).text("/token"),
        answer.text("/user/communicationUserId"),
    );
    assert_eq!(
        answer.json(),
        json!({ "token": token, "expiresOn": answer.text("/expiresOn"), "user": { "communicationUserId": identity } })
    );
    assert_eq!(world.emulator.identities(), std::slice::from_ref(&identity));
    assert_eq!(scopes(&token), "chat");
    let again = world.get("/token?scope=voip", &alice).await;
    assert_eq!(again.assert_status(200).text("/user/communicationUserId"), identity);
    assert_eq!(scopes(&again.text("/token")), "voip");
    assert_eq!(scopes(&world.get("/token", &alice).await.text("/token")), "chat,voip");
}

#[tokio::test]
async fn scopes_may_stand_in_the_body() {
    let world = World::start().await;
    let alice = world.caller("alice");
    let post = |body: &'static str| {
        world
            .request(Method::POST, "/token?scope=chat")
            .bearer_auth(&alice)
            .header("content-type", "application/json")
            .body(body)
    };
    assert_eq!(scopes(&send(post(r#"{"scope":"voip"}"#)).await.text("/token")), "voip");
    assert_eq!(scopes(&send(post("{}")).await.text("/token")), "chat");
    assert_eq!(scopes(&send(post("null")).await.text("/token")), "chat");
    assert_eq!(scopes(&send(post("")).await.assert_status(200).text("/token")), "chat");
    send(post(r#"{"scope":"fax"}"#))
        .await
        .assert_error(400, "unknown_scope");
    send(post("{")).await.assert_error(400, "bad_body");
    send(post(r#"{"scope":1}"#)).await.assert_error(422, "bad_body");
    let form = world
        .request(Method::POST, "/token")
        .bearer_auth(&alice)
        .header("content-type", "text/plain")
        .body("x");
    send(form).await.assert_error(415, "bad_body");
}

#[tokio::test]
async fn a_token_is_refreshed_for_the_callers_own_identity_only() {
    let world = World::start().await;
    let (alice, bob) = (world.caller("alice"), world.caller("bob"));
    let identity = world.post("/api/user", &alice).await.text("/acsUserIdentity");
    let path = format!("/refreshToken/{identity}");
    let answer = world.post(&path, &alice).await;
    let token = answer.assert_status(200).text("/token");
    assert_eq!(
        answer.json(),
        json!({ "token": token, "expiresOn": answer.text("/expiresOn"), "user": { "communicationUserId": identity } })
    );
    assert_eq!(world.emulator.token_status(&token), TokenStatus::Active);

    // Whether it is somebody's or nobody's, it is not theirs.
    world.post(&path, &bob).await.assert_error(403, "not_yours");
    world.post("/api/user", &bob).await.assert_status(201);
    world.post(&path, &bob).await.assert_error(403, "not_yours");
    world
        .post("/refreshToken/8:acs:nobody", &bob)
        .await
        .assert_error(403, "not_yours");
    let encoded = identity.replace(':', "%3A");
    world
        .post(&format!("/refreshToken/{encoded}"), &alice)
        .await
        .assert_status(200);
    world
        .post("/refreshToken/%FF", &alice)
        .await
        .assert_error(400, "bad_request");
    send(world.request(Method::POST, &path))
        .await
        .assert_error(401, "auth.authorization_header_missing");
}
