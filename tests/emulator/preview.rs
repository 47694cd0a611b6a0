//! Preview features: custom ids, and what the service knows of a user.

use crate::{strict, support::emulator_options};
use acs_identity_emulator::Emulator;
use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope,
    models::CommunicationIdentityClientCreateUserOptions,
};
use azure_core::{
    http::StatusCode,
    time::{Duration, OffsetDateTime},
};
use futures::future::join_all;
use std::collections::HashSet;

fn preview_client(emulator: &Emulator) -> CommunicationIdentityClient {
    let options = CommunicationIdentityClientOptions {
        api_version: "2025-03-02-preview".to_owned(),
        ..emulator_options(emulator).unwrap()
    };
    CommunicationIdentityClient::with_connection_string(&emulator.connection_string(), Some(options)).unwrap()
}

fn with_custom_id(custom_id: &str) -> CommunicationIdentityClientCreateUserOptions<'static> {
    CommunicationIdentityClientCreateUserOptions {
        custom_id: Some(custom_id.to_owned()),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_custom_id_names_the_same_user_again() {
    let emulator = strict().start().await.unwrap();
    let client = preview_client(&emulator);
    let response = client.create_user(Some(with_custom_id("alice"))).await.unwrap();
    assert_eq!(response.status(), StatusCode::Created);
    let alice = response.into_model().unwrap();

    let again = client.create_user(Some(with_custom_id("alice"))).await.unwrap();
    assert_eq!(again.into_model().unwrap(), alice);
    let bob = client.create_user(Some(with_custom_id("bob"))).await.unwrap();
    assert_ne!(bob.into_model().unwrap(), alice);
    assert_eq!(emulator.identity_count(), 2);
}

#[tokio::test]
async fn many_creations_with_one_custom_id_make_one_user() {
    let emulator = strict().start().await.unwrap();
    let client = preview_client(&emulator);
    let creations = (0..50).map(|_| client.create_user(Some(with_custom_id("alice"))));
    let users: HashSet<_> = join_all(creations)
        .await
        .into_iter()
        .map(|created| created.unwrap().into_model().unwrap())
        .collect();
    assert_eq!((users.len(), emulator.identity_count()), (1, 1));
}

#[tokio::test]
async fn the_service_tells_the_custom_id_and_the_last_token() {
    let emulator = strict().start().await.unwrap();
    let client = preview_client(&emulator);
    let user = client
        .create_user(Some(with_custom_id("alice")))
        .await
        .unwrap()
        .into_model()
        .unwrap();
    let detail = client.get_user(&user, None).await.unwrap().into_model().unwrap();
    assert_eq!(
        (detail.user, detail.custom_id.as_deref()),
        (user.clone(), Some("alice"))
    );
    assert_eq!(detail.last_token_issued_at, None);

    client
        .get_token(&user, &[CommunicationTokenScope::Chat], None)
        .await
        .unwrap();
    let detail = client.get_user(&user, None).await.unwrap().into_model().unwrap();
    let age = OffsetDateTime::now_utc() - detail.last_token_issued_at.unwrap();
    assert!(age.abs() < Duration::minutes(5), "{age}");
}
