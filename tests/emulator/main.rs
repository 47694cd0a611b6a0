//! Every operation, and every failure that the service documents, over a socket to the emulator.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod exchanges;
mod identifiers;
mod rate_limits;
mod readme;
#[path = "../support/mod.rs"]
mod support;

use acs_identity_emulator::{Emulator, EntraTokenRequest, TokenStatus};
use azure_communication_identity::{
    AzureKeyCredential, CommunicationError, CommunicationErrorCode, CommunicationIdentityClient,
    CommunicationIdentityClientOptions, CommunicationTokenScope, CommunicationUserIdentifier,
    TeamsExtensionAssignmentId, TeamsUserTokenRequest, models::CommunicationIdentityClientGetTokenOptions,
};
use azure_core::{
    Error, Uuid,
    http::StatusCode,
    time::{Duration, OffsetDateTime},
};
use std::{collections::HashSet, sync::Arc};
use support::{
    emulator::{EmulatorCredential, client, client_with, https_client, options, start, teams_user},
    fixtures::{API_VERSION, KEY},
};

const SCOPES: [CommunicationTokenScope; 2] = [CommunicationTokenScope::Chat, CommunicationTokenScope::Voip];

/// Returns the status, code and target of a refusal.
fn refusal(error: &Error) -> (u16, CommunicationErrorCode, Option<&str>) {
    let found = CommunicationError::from_error(error).unwrap();
    assert_eq!(error.http_status(), Some(found.status));
    (
        found.status.into(),
        found.error_code().unwrap(),
        found.target.as_deref(),
    )
}

/// Calls every operation but the exchange once.
async fn use_all(emulator: &Emulator, client: &CommunicationIdentityClient) {
    let user = client.create_user(None).await.unwrap().into_model().unwrap();
    assert_eq!(emulator.identities(), [user.as_str()]);

    let token = client
        .get_token(&user, &SCOPES, None)
        .await
        .unwrap()
        .into_model()
        .unwrap();
    assert_eq!(emulator.token_status(token.token.secret()), TokenStatus::Active);
    let lifetime = token.expires_on - OffsetDateTime::now_utc();
    assert!(
        (lifetime - Duration::hours(24)).abs() < Duration::minutes(5),
        "{lifetime}"
    );

    let response = client.revoke_tokens(&user, None).await.unwrap();
    assert_eq!(response.status(), StatusCode::NoContent);
    assert_eq!(emulator.token_status(token.token.secret()), TokenStatus::Revoked);

    let response = client.delete_user(&user, None).await.unwrap();
    assert_eq!(response.status(), StatusCode::NoContent);
    assert_eq!(emulator.identity_count(), 0);
    assert_eq!(
        emulator.token_status(token.token.secret()),
        TokenStatus::IdentityDeleted
    );

    let created = client
        .create_user_and_token(&SCOPES, None)
        .await
        .unwrap()
        .into_model()
        .unwrap();
    let token = created.access_token.token;
    assert_eq!(emulator.identities(), [created.user.as_str()]);
    assert_eq!(emulator.token_status(token.secret()), TokenStatus::Active);
    client.delete_user(&created.user, None).await.unwrap();
}

#[tokio::test]
async fn every_operation_works_with_every_credential() {
    let emulator = Arc::new(start().await);
    let options = || Some(options(&emulator));

    use_all(&emulator, &client(&emulator)).await;
    use_all(&emulator, &https_client(&emulator)).await;

    let key = AzureKeyCredential::new(&emulator.access_key()).unwrap();
    let client = CommunicationIdentityClient::with_key_credential(emulator.endpoint(), key, options()).unwrap();
    use_all(&emulator, &client).await;

    let credential = Arc::new(EmulatorCredential(emulator.clone()));
    let client = CommunicationIdentityClient::new(emulator.https_endpoint(), credential, options()).unwrap();
    use_all(&emulator, &client).await;
}

#[tokio::test]
async fn every_documented_version_of_the_service_works() {
    let emulator = start().await;
    for version in [
        "2021-03-07",
        "2022-06-01",
        "2022-10-01",
        "2023-10-01",
        "2025-06-30",
        API_VERSION,
    ] {
        let options = CommunicationIdentityClientOptions {
            api_version: version.to_owned(),
            ..options(&emulator)
        };
        use_all(&emulator, &client_with(&emulator, options)).await;
    }
}

#[tokio::test]
async fn a_token_has_the_requested_lifetime() {
    let emulator = start().await;
    let client = client(&emulator);
    let user = client.create_user(None).await.unwrap().into_model().unwrap();
    for hours in [1, 24] {
        let options = CommunicationIdentityClientGetTokenOptions {
            token_expires_in: Some(Duration::hours(hours)),
            ..Default::default()
        };
        let response = client.get_token(&user, &SCOPES, Some(options)).await.unwrap();
        let lifetime = response.into_model().unwrap().expires_on - OffsetDateTime::now_utc();
        assert!(
            (lifetime - Duration::hours(hours)).abs() < Duration::minutes(5),
            "{lifetime}"
        );
    }
}

#[tokio::test]
async fn a_deleted_or_foreign_user_is_refused() {
    let emulator = start().await;
    let client = client(&emulator);
    let deleted = client.create_user(None).await.unwrap().into_model().unwrap();
    client.delete_user(&deleted, None).await.unwrap();
    let foreign = "8:acs:11111111-1111-1111-1111-111111111111_00000000-0000-0000-0000-000000000001";
    let odd = "a/../b?c#d";

    for user in [deleted, foreign.parse().unwrap(), odd.parse().unwrap()] {
        let errors = [
            client.get_token(&user, &SCOPES, None).await.map(drop).unwrap_err(),
            client.revoke_tokens(&user, None).await.map(drop).unwrap_err(),
            client.delete_user(&user, None).await.map(drop).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(refusal(&error), (401, CommunicationErrorCode::IdentityNotOwned, None));
            assert!(
                error
                    .to_string()
                    .contains("Provided identity doesn't belong to the resource")
            );
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_until_it_is_updated() {
    let emulator = start().await;
    let key = AzureKeyCredential::new(KEY).unwrap();
    let options = options(&emulator);
    let client =
        CommunicationIdentityClient::with_key_credential(emulator.endpoint(), key.clone(), Some(options)).unwrap();

    let error = client.create_user(None).await.unwrap_err();
    assert_eq!(refusal(&error), (401, CommunicationErrorCode::Denied, None));
    assert!(error.to_string().contains("Denied by the resource provider"), "{error}");

    key.update(&emulator.access_key()).unwrap();
    client.clone().create_user(None).await.unwrap();
    assert!(key.update("").is_err());
    client.create_user(None).await.unwrap();
}

#[tokio::test]
async fn a_refused_principal_is_told_about_roles() {
    let emulator = Arc::new(start().await);
    let credential = Arc::new(EmulatorCredential(emulator.clone()));
    // The token that was minted before has expired by then.
    let options = options(&emulator);
    let client = CommunicationIdentityClient::new(emulator.https_endpoint(), credential, Some(options)).unwrap();
    client.create_user(None).await.unwrap();
    emulator.advance(std::time::Duration::from_secs(2 * 60 * 60));
    let error = client.create_user(None).await.unwrap_err();
    assert_eq!(refusal(&error), (401, CommunicationErrorCode::Denied, None));
    for part in ["role", "Contributor", "tenant"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn an_unsupported_version_is_named() {
    let emulator = start().await;
    let options = CommunicationIdentityClientOptions {
        api_version: "2020-01-01".to_owned(),
        ..options(&emulator)
    };
    let error = client_with(&emulator, options).create_user(None).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        (400, CommunicationErrorCode::UnsupportedApiVersion, None)
    );
    assert!(
        error
            .to_string()
            .contains("does not support the API version '2020-01-01'"),
        "{error}"
    );
    assert!(error.to_string().contains("Set api_version"), "{error}");
}

#[tokio::test]
async fn a_teams_users_token_is_exchanged_or_refused() {
    let emulator = start().await;
    let client = client(&emulator);
    let good = teams_user(&emulator).await;
    let token = client
        .get_token_for_teams_user(good.clone(), None)
        .await
        .unwrap()
        .into_model()
        .unwrap();
    assert_eq!(emulator.token_status(token.token.secret()), TokenStatus::Active);
    let margin = token.expires_on - OffsetDateTime::now_utc();
    assert!(margin <= Duration::hours(1), "{margin}");

    let expired = EntraTokenRequest {
        expires_in_seconds: -1,
        ..EntraTokenRequest::teams_user()
    };
    let expired = emulator.mint_entra_token(&expired).await.unwrap();
    let with_token = |token: String| TeamsUserTokenRequest {
        token: token.into(),
        ..good.clone()
    };
    let with_app = |id: &str| TeamsUserTokenRequest {
        client_id: id.to_owned(),
        ..good.clone()
    };
    let with_user = |id: &str| TeamsUserTokenRequest {
        user_object_id: id.to_owned(),
        ..good.clone()
    };
    let other = "11111111-1111-1111-1111-111111111111";
    let invalid_token = (401, CommunicationErrorCode::InvalidAccessToken, None);
    let invalid = |target| (400, CommunicationErrorCode::ValidationError, Some(target));
    for (request, expected) in [
        (with_token(String::new()), invalid_token.clone()),
        (with_token("invalid".to_owned()), invalid_token.clone()),
        (with_token(expired.token), invalid_token),
        (with_app(""), invalid("AppId")),
        (with_app("invalid"), invalid("appId")),
        (with_app(other), invalid("appId")),
        (with_user(""), invalid("UserId")),
        (with_user("invalid"), invalid("userId")),
        (with_user(other), invalid("userId")),
    ] {
        let error = client.get_token_for_teams_user(request, None).await.unwrap_err();
        assert_eq!(refusal(&error), expected, "{error}");
    }
}

#[tokio::test]
async fn an_unknown_scope_is_refused_by_the_service() {
    let emulator = start().await;
    let client = client(&emulator);
    let user = client.create_user(None).await.unwrap().into_model().unwrap();
    let scope = CommunicationTokenScope::UnknownValue("everything".to_owned());
    let error = client.get_token(&user, &[scope], None).await.unwrap_err();
    let (status, code, _) = refusal(&error);
    assert_eq!((status, code), (400, CommunicationErrorCode::ValidationError));
}

#[tokio::test]
async fn clones_work_concurrently() {
    let emulator = start().await;
    let client = client(&emulator);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let client = client.clone();
        calls.spawn(async move { client.create_user(None).await.unwrap().into_model().unwrap() });
    }
    let users: HashSet<CommunicationUserIdentifier> = calls.join_all().await.into_iter().collect();
    assert_eq!(users.len(), 64);
    assert_eq!(emulator.identity_count(), 64);
}

#[tokio::test]
async fn futures_are_send() {
    fn assert_send<T: Send>(_: &T) {}
    let emulator = start().await;
    let client = client(&emulator);
    let user = "8:acs:a_b".parse().unwrap();
    assert_send(&client.create_user(None));
    assert_send(&client.create_user_and_token(&SCOPES, None));
    assert_send(&client.get_token(&user, &SCOPES, None));
    assert_send(&client.revoke_tokens(&user, None));
    assert_send(&client.delete_user(&user, None));
    let teams_user = TeamsUserTokenRequest {
        token: "entra".into(),
        client_id: String::new(),
        user_object_id: String::new(),
    };
    assert_send(&client.get_token_for_teams_user(teams_user, None));
    assert_send(&client.get_token_for_teams_extension_user("entra".into(), None));
    let id = TeamsExtensionAssignmentId {
        tenant_id: Uuid::nil(),
        object_id: Uuid::nil(),
    };
    assert_send(&client.get_teams_extension_assignment(&id, None));
    assert_send(&client.delete_teams_extension_assignment(&id, None));
}
