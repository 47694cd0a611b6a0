//! The token routes of Microsoft's chat and calling samples.

use crate::setup::{Setup, send};
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
async fn first_token_creates_the_identity() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    let reply = setup.post("/token?scope=chat", &alice).await;
    let (token, identity) = (
        reply.assert_status(200).text("/token"),
        reply.text("/user/communicationUserId"),
    );
    assert_eq!(
        reply.json(),
        json!({ "token": token, "expiresOn": reply.text("/expiresOn"), "user": { "communicationUserId": identity } })
    );
    assert_eq!(setup.emulator.identities(), std::slice::from_ref(&identity));
    assert_eq!(scopes(&token), "chat");
    let again = setup.get("/token?scope=voip", &alice).await;
    assert_eq!(again.assert_status(200).text("/user/communicationUserId"), identity);
    assert_eq!(scopes(&again.text("/token")), "voip");
    assert_eq!(scopes(&setup.get("/token", &alice).await.text("/token")), "chat,voip");
}

#[tokio::test]
async fn scopes_can_be_in_the_body() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    let post = |body: &'static str| {
        setup
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
    let form = setup
        .request(Method::POST, "/token")
        .bearer_auth(&alice)
        .header("content-type", "text/plain")
        .body("x");
    send(form).await.assert_error(415, "bad_body");
}

#[tokio::test]
async fn token_is_refreshed_for_the_callers_identity_only() {
    let setup = Setup::start().await;
    let (alice, bob) = (setup.caller("alice"), setup.caller("bob"));
    let identity = setup.post("/api/user", &alice).await.text("/acsUserIdentity");
    let path = format!("/refreshToken/{identity}");
    let reply = setup.post(&path, &alice).await;
    let token = reply.assert_status(200).text("/token");
    assert_eq!(
        reply.json(),
        json!({ "token": token, "expiresOn": reply.text("/expiresOn"), "user": { "communicationUserId": identity } })
    );
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);

    // The response is the same for another user's identity and for an unknown one.
    setup.post(&path, &bob).await.assert_error(403, "not_yours");
    setup.post("/api/user", &bob).await.assert_status(201);
    setup.post(&path, &bob).await.assert_error(403, "not_yours");
    setup
        .post("/refreshToken/8:acs:unknown", &bob)
        .await
        .assert_error(403, "not_yours");
    let encoded = identity.replace(':', "%3A");
    setup
        .post(&format!("/refreshToken/{encoded}"), &alice)
        .await
        .assert_status(200);
    setup
        .post("/refreshToken/%FF", &alice)
        .await
        .assert_error(400, "bad_request");
    send(setup.request(Method::POST, &path))
        .await
        .assert_error(401, "auth.authorization_header_missing");
}
