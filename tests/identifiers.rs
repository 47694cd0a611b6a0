//! What the tokens of the emulator say of themselves, and whom they name.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../samples/support/mod.rs"]
mod support;

use acs_identity_emulator::{Emulator, EntraTokenRequest, TokenAlgorithm};
use azure_communication_identity::{
    CommunicationCloudEnvironment, CommunicationIdentityClient, CommunicationTokenScope, MicrosoftTeamsUserIdentifier,
    TeamsUserTokenRequest,
};
use azure_core::time::{Duration, OffsetDateTime};
use support::emulator_options;

async fn start() -> (Emulator, CommunicationIdentityClient) {
    let builder = Emulator::builder().token_algorithm(TokenAlgorithm::Es256);
    let emulator = builder.start().await.unwrap();
    let options = emulator_options(&emulator).unwrap();
    let client = CommunicationIdentityClient::with_connection_string(&emulator.connection_string(), Some(options));
    (emulator, client.unwrap())
}

/// A moment without its fraction, which tokens do not carry.
fn to_the_second(moment: OffsetDateTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(moment.unix_timestamp()).unwrap()
}

#[tokio::test]
async fn a_users_token_names_the_user_the_scopes_and_the_resource() {
    let (_emulator, client) = start().await;
    let scopes = [
        CommunicationTokenScope::VoipJoin,
        CommunicationTokenScope::ChatJoinLimited,
    ];
    let created = client.create_user_and_token(&scopes, None).await.unwrap();
    let created = created.into_model().unwrap();

    let claims = created.access_token.unverified_claims().unwrap();
    let user_id = created.user.as_str().to_owned();
    assert_eq!(claims.identity, Some(created.user.into()));
    assert_eq!(claims.scopes, scopes);
    let resource_id = claims.resource_id.unwrap();
    assert!(user_id.starts_with(&format!("8:acs:{resource_id}_")), "{user_id}");
    assert_eq!(claims.expires_on, to_the_second(created.access_token.expires_on));
    assert_eq!(claims.issued_at, Some(claims.expires_on - Duration::hours(24)));
}

#[tokio::test]
async fn a_teams_users_token_names_the_teams_user() {
    let (emulator, client) = start().await;
    let minted = emulator
        .mint_entra_token(&EntraTokenRequest::teams_user())
        .await
        .unwrap();
    let user_object_id = minted.user_id.to_string();
    let request = TeamsUserTokenRequest {
        token: minted.token.into(),
        client_id: minted.app_id.to_string(),
        user_object_id: user_object_id.clone(),
    };
    let token = client.get_token_for_teams_user(request, None).await.unwrap();
    let claims = token.into_model().unwrap().unverified_claims().unwrap();

    let teams_user = MicrosoftTeamsUserIdentifier::new(user_object_id, CommunicationCloudEnvironment::Public);
    assert_eq!(claims.identity, Some(teams_user.into()));
}
