//! The claims of the emulator's tokens, and the identifiers in them.

use crate::support::emulator::{client, start, teams_user};
use azure_communication_identity::{
    CommunicationCloudEnvironment, CommunicationTokenScope, MicrosoftTeamsUserIdentifier,
};
use azure_core::time::{Duration, OffsetDateTime};

/// Returns a moment without its fraction, which tokens do not carry.
fn to_the_second(moment: OffsetDateTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(moment.unix_timestamp()).unwrap()
}

#[tokio::test]
async fn a_token_names_its_user_scopes_and_resource() {
    let emulator = start().await;
    let client = client(&emulator);
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
    let emulator = start().await;
    let request = teams_user(&emulator).await;
    let user_object_id = request.user_object_id.clone();
    let token = client(&emulator).get_token_for_teams_user(request, None).await.unwrap();
    let claims = token.into_model().unwrap().unverified_claims().unwrap();

    let teams_user = MicrosoftTeamsUserIdentifier::new(user_object_id, CommunicationCloudEnvironment::Public);
    assert_eq!(claims.identity, Some(teams_user.into()));
}
