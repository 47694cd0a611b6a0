//! Teams users.

use crate::setup::{Options, World, send};
use acs_identity_emulator::{EntraToken, EntraTokenRequest, TokenStatus, Uuid};
use entra_sidecar::SidecarClient;
use fake_entra_sidecar::{DownstreamApi, FakeSidecar, unsigned_token};
use reqwest::Method;
use serde_json::json;
use token_service::{TeamsExchange, UserNaming};

const HEADER: &str = "teams-user-aad-token";
const SCOPES: [&str; 2] = [
    "https://auth.msft.communication.azure.com/Teams.ManageCalls",
    "https://auth.msft.communication.azure.com/Teams.ManageChats",
];

/// A service for this application, and a Teams user's Entra token.
async fn world() -> (World, EntraToken) {
    let request = EntraTokenRequest::teams_user();
    let client_id = request.app_id.to_string();
    let world = World::with(Options::default(), |builder| {
        builder
            .user_naming(UserNaming::EntraObject)
            .teams(TeamsExchange::new(client_id))
    })
    .await;
    let token = world.emulator.mint_entra_token(&request).await.unwrap();
    (world, token)
}

fn caller(world: &World, object_id: Uuid) -> String {
    world.caller_with(&json!({ "sub": "pairwise", "oid": object_id, "tid": Uuid::nil() }))
}

#[tokio::test]
async fn a_teams_user_exchanges_their_entra_token() {
    let (world, entra) = world().await;
    let request = world
        .request(Method::GET, "/api/token/teams")
        .bearer_auth(caller(&world, entra.user_id));
    let answer = send(request.header(HEADER, &entra.token)).await;
    let token = answer.assert_status(201).text("/token");
    assert_eq!(
        answer.json(),
        json!({ "token": token, "expiresOn": answer.text("/expiresOn") })
    );
    assert_eq!(world.emulator.token_status(&token), TokenStatus::Active);
}

#[tokio::test]
async fn the_entra_token_has_to_be_the_callers() {
    let (world, entra) = world().await;
    let get = |caller: String, token: String| {
        send(
            world
                .request(Method::GET, "/api/token/teams")
                .bearer_auth(caller)
                .header(HEADER, token),
        )
    };
    get(caller(&world, Uuid::from_u128(1)), entra.token.clone())
        .await
        .assert_error(403, "other_user");
    get(world.caller("alice"), entra.token.clone())
        .await
        .assert_error(403, "not_an_entra_user");
    let own = caller(&world, entra.user_id);
    get(own.clone(), "rubbish".to_owned())
        .await
        .assert_error(400, "bad_request");
    // Its claims are right, but nobody has signed it.
    let unsigned = unsigned_token(&json!({ "oid": entra.user_id }));
    get(own.clone(), unsigned)
        .await
        .assert_error(403, "teams_token_refused");
    world
        .get("/api/token/teams", &own)
        .await
        .assert_error(400, "bad_request");
}

#[tokio::test]
async fn the_entra_token_has_to_be_for_this_application_and_for_teams() {
    let (world, entra) = world().await;
    let own = || EntraTokenRequest {
        user_id: entra.user_id,
        app_id: entra.app_id,
        ..EntraTokenRequest::teams_user()
    };
    let another_application = EntraTokenRequest {
        app_id: Uuid::from_u128(7),
        ..own()
    };
    let without_permissions = EntraTokenRequest {
        scopes: Some(vec!["User.Read".to_owned()]),
        ..own()
    };
    let expired = EntraTokenRequest {
        expires_in_seconds: -60,
        ..own()
    };
    let of_another_api = EntraTokenRequest {
        audience: Some("https://graph.microsoft.com".to_owned()),
        ..own()
    };
    let caller = caller(&world, entra.user_id);
    let exchange = async |request: &EntraTokenRequest| {
        let token = world.emulator.mint_entra_token(request).await.unwrap().token;
        let request = world.request(Method::GET, "/api/token/teams").bearer_auth(&caller);
        send(request.header(HEADER, token)).await
    };
    exchange(&own()).await.assert_status(201);
    for refused in [another_application, without_permissions, expired, of_another_api] {
        exchange(&refused).await.assert_error(403, "teams_token_refused");
    }
    assert_eq!(world.acs_calls("exchange").await, 5);
}

/// Elsewhere than at Entra ID, users may have a say in what `oid` is.
#[tokio::test]
async fn a_caller_of_another_issuer_is_no_teams_user() {
    let request = EntraTokenRequest::teams_user();
    let client_id = request.app_id.to_string();
    let world = World::with(Options::default(), |builder| {
        builder.teams(TeamsExchange::new(client_id))
    })
    .await;
    let entra = world.emulator.mint_entra_token(&request).await.unwrap();
    let request = world
        .request(Method::GET, "/api/token/teams")
        .bearer_auth(caller(&world, entra.user_id));
    send(request.header(HEADER, &entra.token))
        .await
        .assert_error(403, "not_an_entra_user");
    assert_eq!(world.acs_calls("exchange").await, 0);
}

#[tokio::test]
async fn the_sidecar_acquires_the_token_that_a_caller_does_not_send() {
    let request = EntraTokenRequest::teams_user();
    let (client_id, object_id) = (request.app_id.to_string(), request.user_id);
    let outer = World::start().await;
    let entra = outer.emulator.mint_entra_token(&request).await.unwrap();
    let sidecar = FakeSidecar::builder()
        .api(
            "AcsTeams",
            DownstreamApi::new(SCOPES).tokens(move |_| Ok(entra.token.clone())),
        )
        .accept_callers(|_| true)
        .start()
        .await
        .unwrap();
    let client = SidecarClient::new(&sidecar.url(), None).unwrap();
    let teams = TeamsExchange::new(client_id).on_behalf_of(client, "AcsTeams");
    let world = outer
        .replica(Options::default(), |builder| {
            builder.user_naming(UserNaming::EntraObject).teams(teams)
        })
        .await;

    let alice = caller(&world, object_id);
    let token = world
        .get("/api/token/teams", &alice)
        .await
        .assert_status(201)
        .text("/token");
    assert_eq!(world.emulator.token_status(&token), TokenStatus::Active);
    let acquisitions = sidecar.acquisitions();
    assert_eq!(acquisitions.len(), 1);
    // A token that is acquired for somebody else goes nowhere.
    world
        .get("/api/token/teams", &caller(&world, Uuid::from_u128(1)))
        .await
        .assert_error(403, "other_user");
}

#[tokio::test]
async fn a_sidecar_that_fails_is_told_apart() {
    let outer = World::start().await;
    let sidecar = FakeSidecar::builder()
        .api(
            "AcsTeams",
            DownstreamApi::new(SCOPES)
                .tokens(|_| Err("AADSTS65001: The user or administrator has not consented".to_owned())),
        )
        .accept_callers(|_| true)
        .start()
        .await
        .unwrap();
    let client = SidecarClient::new(&sidecar.url(), None).unwrap();
    let teams = TeamsExchange::new("app").on_behalf_of(client, "AcsTeams");
    let world = outer
        .replica(Options::default(), |builder| {
            builder.user_naming(UserNaming::EntraObject).teams(teams)
        })
        .await;
    let answer = world.get("/api/token/teams", &caller(&world, Uuid::from_u128(1))).await;
    answer.assert_error(401, "interaction_required");
    assert!(!answer.body.contains("AADSTS"));
}

#[tokio::test]
async fn a_service_without_teams_says_so() {
    let world = World::start().await;
    world
        .get("/api/token/teams", &world.caller("alice"))
        .await
        .assert_error(404, "no_teams");
}
