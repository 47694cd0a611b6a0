//! The exchange of Entra tokens of Teams Phone users and of Entra users.

use crate::{
    refusal,
    support::emulator::{EmulatorCredential, UserCredential, client, https_client, options, start},
};
use acs_identity_emulator::{Emulator, EntraTokenRequest, TokenStatus};
use azure_communication_identity::{
    CommunicationErrorCode, CommunicationIdentifier, CommunicationIdentityClient, CommunicationTokenCredential,
    CommunicationTokenScope, EntraCommunicationTokenCredentialOptions, TeamsExtensionAssignmentId,
    TeamsExtensionPrincipal, TeamsExtensionPrincipalType, UnverifiedTokenClaims,
};
use azure_core::{
    Bytes,
    http::{Method, Pipeline, Request, StatusCode},
};
use std::sync::Arc;

const MANAGE_CALLS: &str = "https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls";

/// Returns an assignment for a Teams Phone user and one application.
fn teams_assignment(user: &EntraTokenRequest) -> (TeamsExtensionAssignmentId, TeamsExtensionPrincipal) {
    let id = TeamsExtensionAssignmentId {
        tenant_id: user.tenant_id,
        object_id: user.user_id,
    };
    let principal = TeamsExtensionPrincipal {
        principal_type: TeamsExtensionPrincipalType::User,
        client_ids: vec![user.app_id.to_string()],
    };
    (id, principal)
}

#[tokio::test]
async fn assignments_are_created_replaced_read_and_deleted() {
    let emulator = start().await;
    let client = client(&emulator);
    let (id, mut principal) = teams_assignment(&EntraTokenRequest::teams_extension_user());

    let put = client.create_or_replace_teams_extension_assignment(&id, &principal, None);
    let response = put.await.unwrap();
    assert_eq!(response.status(), StatusCode::Created);
    assert_eq!(response.into_model().unwrap().principal, principal);

    for kind in ["resourceAccount", "teamsResourceAccount"] {
        principal = TeamsExtensionPrincipal {
            principal_type: kind.into(),
            client_ids: Vec::new(),
        };
        let put = client.create_or_replace_teams_extension_assignment(&id, &principal, None);
        assert_eq!(put.await.unwrap().status(), StatusCode::Ok);
        let found = client.get_teams_extension_assignment(&id, None).await.unwrap();
        let found = found.into_model().unwrap();
        assert_eq!((found.id, found.principal), (id, principal));
    }

    client.delete_teams_extension_assignment(&id, None).await.unwrap();
    let error = client.get_teams_extension_assignment(&id, None).await.unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::NotFound));
}

#[tokio::test]
async fn a_teams_phone_user_needs_an_assignment() {
    let emulator = start().await;
    let client = https_client(&emulator);
    let user = EntraTokenRequest::teams_extension_user();
    let entra_token = emulator.mint_entra_token(&user).await.unwrap().token;

    let exchange = || client.get_token_for_teams_extension_user(entra_token.clone().into(), None);
    let error = exchange().await.unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::Forbidden));
    assert!(error.to_string().contains("assignment"), "{error}");

    let (id, principal) = teams_assignment(&user);
    let put = client.create_or_replace_teams_extension_assignment(&id, &principal, None);
    put.await.unwrap();
    let exchanged = exchange().await.unwrap().into_model().unwrap();
    let CommunicationIdentifier::TeamsExtensionUser(identity) = &exchanged.identity else {
        panic!("{:?}", exchanged.identity);
    };
    let parts = identity.parts();
    assert_eq!(parts.user_id, user.user_id.to_string());
    assert_eq!(parts.tenant_id, user.tenant_id.to_string());
    assert_eq!(parts.resource_id, emulator.resource_id().to_string());
    let token = exchanged.access_token.token.secret();
    assert_eq!(emulator.token_status(token), TokenStatus::Active);
    assert_eq!(
        exchanged.access_token.unverified_claims().unwrap().identity,
        Some(exchanged.identity)
    );

    client.delete_teams_extension_assignment(&id, None).await.unwrap();
    assert_eq!(emulator.token_status(token), TokenStatus::Revoked);
}

#[tokio::test]
async fn a_client_with_entra_id_sends_the_users_token() {
    let emulator = Arc::new(start().await);
    let options = options(&emulator);
    let principal = Arc::new(EmulatorCredential(emulator.clone()));
    let client = CommunicationIdentityClient::new(emulator.https_endpoint(), principal, Some(options)).unwrap();
    let user = EntraTokenRequest::teams_extension_user();
    let (id, principal) = teams_assignment(&user);
    let put = client.create_or_replace_teams_extension_assignment(&id, &principal, None);
    put.await.unwrap();
    let entra_token = emulator.mint_entra_token(&user).await.unwrap().token;
    client
        .get_token_for_teams_extension_user(entra_token.into(), None)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_expired_token_of_a_teams_phone_user_is_refused() {
    let emulator = start().await;
    let request = EntraTokenRequest {
        expires_in_seconds: -1,
        ..EntraTokenRequest::teams_extension_user()
    };
    let expired = emulator.mint_entra_token(&request).await.unwrap().token;
    let error = https_client(&emulator)
        .get_token_for_teams_extension_user(expired.into(), None)
        .await
        .unwrap_err();
    assert_eq!(refusal(&error), (401, CommunicationErrorCode::InvalidAccessToken, None));
    assert!(error.to_string().contains("has not expired"), "{error}");
}

#[tokio::test]
async fn a_credential_exchanges_the_tokens_of_teams_phone_users() {
    let emulator = Arc::new(start().await);
    let user = EntraTokenRequest::teams_extension_user();
    let (id, principal) = teams_assignment(&user);
    let client = https_client(&emulator);
    let put = client.create_or_replace_teams_extension_assignment(&id, &principal, None);
    put.await.unwrap();

    let token = exchanged(&emulator, user, Some(MANAGE_CALLS)).await;
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
}

#[tokio::test]
async fn a_credential_exchanges_the_tokens_of_entra_users() {
    let emulator = Arc::new(start().await);
    let user = EntraTokenRequest {
        scopes: Some(vec!["Chat".to_owned(), "VoIP.Join".to_owned()]),
        ..EntraTokenRequest::entra_user()
    };
    assign_entra_user(&emulator, &user).await;

    let token = exchanged(&emulator, user, None).await;
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    let claims = UnverifiedTokenClaims::decode(&token).unwrap();
    assert_eq!(
        claims.scopes,
        [CommunicationTokenScope::Chat, CommunicationTokenScope::VoipJoin]
    );
}

/// Returns the access token that a credential gets for a user of Entra ID.
async fn exchanged(emulator: &Arc<Emulator>, user: EntraTokenRequest, scope: Option<&str>) -> String {
    let mut credential_options = EntraCommunicationTokenCredentialOptions {
        client_options: options(emulator).client_options,
        ..Default::default()
    };
    if let Some(scope) = scope {
        credential_options.scopes = vec![scope.to_owned()];
    }
    let entra = Arc::new(UserCredential::new(emulator, user).await.unwrap());
    let credential =
        CommunicationTokenCredential::with_entra_credential(emulator.https_endpoint(), entra, Some(credential_options))
            .unwrap();
    let token = credential.get_token().await.unwrap();
    assert_eq!(credential.get_token().await.unwrap(), token, "exchanged twice");
    token.token.secret().to_owned()
}

/// Sends the request for an assignment of the service's preview, for which the client has no operation.
async fn assign_entra_user(emulator: &Emulator, user: &EntraTokenRequest) {
    let bearer = emulator.mint_entra_token(&EntraTokenRequest::service()).await.unwrap();
    let url = format!(
        "{}access/entra/assignments/{}?api-version=2025-03-02-preview",
        emulator.https_endpoint(),
        user.user_id
    );
    let mut request = Request::new(url.parse().unwrap(), Method::Put);
    request.insert_header("authorization", format!("Bearer {}", bearer.token));
    request.insert_header("content-type", "application/json");
    let body = serde_json::json!({
        "principalType": "user",
        "tenantId": user.tenant_id.to_string(),
        "clientIds": [user.app_id.to_string()],
    });
    request.set_body(Bytes::from(body.to_string()));
    let client_options = options(emulator).client_options;
    let pipeline = Pipeline::new(None, None, client_options, Vec::new(), Vec::new(), None);
    let response = pipeline
        .send(&azure_core::http::Context::new(), &mut request, None)
        .await;
    assert_eq!(response.unwrap().status(), StatusCode::Created);
}
