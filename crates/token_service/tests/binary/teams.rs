//! Teams users of Entra ID.

use crate::{
    entra::Entra,
    process::Process,
    setup::Setup,
    support::{TEAMS_SCOPES, http},
};
use acs_identity_emulator::{EntraTokenRequest, TokenStatus, Uuid};
use fake_entra_sidecar::{DownstreamApi, FakeSidecar};
use reqwest::Response;
use serde_json::Value;

async fn get(process: &Process, path: &str, caller: &str, entra: Option<&str>) -> Response {
    let request = http().get(process.url(path)).bearer_auth(caller);
    let request = match entra {
        Some(token) => request.header("teams-user-aad-token", token),
        None => request,
    };
    request.send().await.unwrap()
}

async fn member(response: Response, status: u16, name: &str) -> String {
    assert_eq!(response.status(), status);
    let body: Value = response.json().await.unwrap();
    body[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn entra_user_is_the_same_in_every_application() {
    let setup = Setup::new().await;
    let entra = Entra::start().await;
    let process = setup
        .start(&entra.configuration(&setup.emulator.connection_string(), ""))
        .await;
    let mut identities = Vec::new();
    for (subject, object_id) in [("alice-web", 1), ("alice-phone", 1), ("alice-web", 2)] {
        let token = entra.token(subject, Uuid::from_u128(object_id));
        let request = http().post(process.url("api/user")).bearer_auth(token);
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        identities.push(body["acsUserIdentity"].as_str().unwrap().to_owned());
    }
    assert_eq!(identities[0], identities[1]);
    assert_ne!(identities[0], identities[2]);
    let teams = get(&process, "api/token/teams", &entra.token("a", Uuid::from_u128(1)), None).await;
    assert_eq!(member(teams, 404, "reason").await, "no_teams");
}

#[tokio::test]
async fn sidecar_acquires_a_missing_entra_token() {
    let setup = Setup::new().await;
    let entra = Entra::start().await;
    let request = EntraTokenRequest::teams_user();
    let minted = setup.emulator.mint_entra_token(&request).await.unwrap();
    let for_teams = minted.token.clone();
    let api = DownstreamApi::new(TEAMS_SCOPES).tokens(move |_| Ok(for_teams.clone()));
    let sidecar = FakeSidecar::builder()
        .api("AcsTeams", api)
        .accept_callers(|_| true)
        .start()
        .await
        .unwrap();
    let teams = format!("[teams]\nclient_id = '{}'", request.app_id);
    let on_behalf_of = format!(
        "{teams}\nsidecar_api = 'AcsTeams'\n[sidecar]\nurl = '{}'",
        sidecar.url()
    );
    let alice = entra.token("alice", minted.user_id);
    let bob = entra.token("bob", Uuid::from_u128(1));
    let connection_string = setup.emulator.connection_string();

    let process = setup
        .start(&entra.configuration(&connection_string, &on_behalf_of))
        .await;
    let reply = get(&process, "api/token/teams", &alice, None).await;
    let token = member(reply, 201, "token").await;
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
    let received = sidecar.requests();
    assert_eq!(received.len(), 1, "{received:?}");
    assert!(received[0].path.ends_with("/AcsTeams"), "{received:?}");
    // The token was acquired on behalf of the caller.
    assert_eq!(received[0].headers["authorization"], format!("Bearer {alice}"));
    // A token of another user is not exchanged.
    let reply = get(&process, "api/token/teams", &bob, None).await;
    assert_eq!(member(reply, 403, "reason").await, "other_user");

    let process = setup.start(&entra.configuration(&connection_string, &teams)).await;
    let reply = get(&process, "api/token/teams", &alice, None).await;
    assert_eq!(member(reply, 400, "reason").await, "bad_request");
    let reply = get(&process, "api/token/teams", &alice, Some(&minted.token)).await;
    let token = member(reply, 201, "token").await;
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
}
