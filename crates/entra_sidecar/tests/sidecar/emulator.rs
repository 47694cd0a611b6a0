//! The credentials in the identity client, over https with the emulator, which checks the signatures of tokens.

use crate::setup::Setup;
use acs_identity_emulator::{Emulator, EntraTokenRequest, TokenStatus};
use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope, TeamsUserTokenRequest,
};
use azure_core::{
    credentials::TokenCredential,
    http::{RetryOptions, Transport, policies::Policy},
};
use entra_sidecar::{
    InboundToken, SidecarCredential, SidecarError, SidecarErrorKind, SidecarOnBehalfOfCredential, SidecarScope,
};
use fake_entra_sidecar::{AllowOverrides, DownstreamApi, FakeSidecar, unsigned_token};
use serde_json::json;
use std::sync::Arc;

const ACS: &str = "https://communication.azure.com//.default";
const TEAMS: &str = "https://auth.msft.communication.azure.com/Teams.ManageCalls";

fn identity_client(emulator: &Emulator, credential: Arc<dyn TokenCredential>) -> CommunicationIdentityClient {
    identity_client_with(emulator, credential, [])
}

fn identity_client_with(
    emulator: &Emulator,
    credential: Arc<dyn TokenCredential>,
    policies: impl IntoIterator<Item = Arc<dyn Policy>>,
) -> CommunicationIdentityClient {
    let certificate = reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
    let http_client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([certificate])
        .build()
        .unwrap();
    let mut options = CommunicationIdentityClientOptions::default();
    options.client_options.transport = Some(Transport::new(Arc::new(http_client)));
    options.client_options.retry = RetryOptions::none();
    options.client_options.per_try_policies.extend(policies);
    CommunicationIdentityClient::new(emulator.https_endpoint(), credential, Some(options)).unwrap()
}

#[tokio::test]
async fn applications_create_users_without_a_secret() {
    let emulator = Emulator::builder().start().await.unwrap();
    let minted = emulator
        .mint_entra_token(&EntraTokenRequest::service())
        .await
        .unwrap()
        .token;
    let acs = DownstreamApi::new(["https://communication.azure.com/.default"]).request_app_token();
    let setup = Setup::of(FakeSidecar::builder().api("Acs", acs.tokens(move |_| Ok(minted.clone())))).await;
    let credential = SidecarCredential::new(setup.client.clone(), [SidecarScope::new(ACS, "Acs")], None).unwrap();

    let client = identity_client(&emulator, credential);
    let user = client.create_user(None).await.unwrap().into_model().unwrap();
    let token = client
        .get_token(&user, &[CommunicationTokenScope::Chat], None)
        .await
        .unwrap();
    let token = token.into_model().unwrap().token;
    assert_eq!(emulator.token_status(token.secret()), TokenStatus::Active);
    assert_eq!(setup.sidecar.requests().len(), 1, "one token serves both requests");
}

#[tokio::test]
async fn forged_and_misdirected_tokens_are_refused() {
    let emulator = Emulator::builder().start().await.unwrap();
    // Of the right audience, but not signed by the emulator's Entra ID.
    let acs = DownstreamApi::new(["https://communication.azure.com/.default"]).request_app_token();
    let graph = DownstreamApi::new(["https://graph.microsoft.com/.default"]).request_app_token();
    let setup = Setup::of(FakeSidecar::builder().api("Acs", acs).api("Graph", graph)).await;
    let credential = |api| SidecarCredential::new(setup.client.clone(), [SidecarScope::new(ACS, api)], None).unwrap();

    let error = identity_client(&emulator, credential("Acs"))
        .create_user(None)
        .await
        .unwrap_err();
    assert_eq!(error.http_status().map(u16::from), Some(401));
    let error = identity_client(&emulator, credential("Graph"))
        .create_user(None)
        .await
        .unwrap_err();
    let kind = SidecarError::from_error(&error).map(SidecarError::kind);
    assert_eq!(kind, Some(SidecarErrorKind::UnexpectedToken));
    assert_eq!(emulator.identity_count(), 0);
}

#[tokio::test]
async fn a_teams_user_gets_a_token_on_their_behalf() {
    let emulator = Emulator::builder().start().await.unwrap();
    let minted = emulator
        .mint_entra_token(&EntraTokenRequest::teams_user())
        .await
        .unwrap();
    let exchanged = minted.token.clone();
    let teams = DownstreamApi::new([TEAMS]).tokens(move |_| Ok(exchanged.clone()));
    let setup = Setup::of(FakeSidecar::builder().api("AcsTeams", teams)).await;
    let caller = InboundToken::bearer(setup.sidecar.caller_token(&minted.user_id.to_string())).unwrap();
    // The API has a name in scopes, and its application ID in tokens.
    let scope = SidecarScope::new(TEAMS, "AcsTeams").audience("1fd5118e-2576-4263-8130-9503064c837a");
    let credential = SidecarOnBehalfOfCredential::new(setup.client.clone(), caller, [scope.clone()], None).unwrap();
    let token = credential.get_token(&[TEAMS], None).await.unwrap().token;

    let key = CommunicationIdentityClient::with_connection_string(
        &emulator.connection_string(),
        Some({
            let mut options = CommunicationIdentityClientOptions::default();
            let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
            options.client_options.transport = Some(Transport::new(Arc::new(http_client)));
            options
        }),
    )
    .unwrap();
    let request = TeamsUserTokenRequest {
        token,
        client_id: minted.app_id.to_string(),
        user_object_id: minted.user_id.to_string(),
    };
    key.get_token_for_teams_user(request, None)
        .await
        .unwrap()
        .into_model()
        .unwrap();

    // A caller with another object ID does not get that user's token.
    let credential =
        SidecarOnBehalfOfCredential::new(setup.client.clone(), setup.caller.clone(), [scope], None).unwrap();
    assert!(credential.get_token(&[TEAMS], None).await.is_err());
}

#[tokio::test]
async fn refused_tokens_are_replaced_by_force() {
    let emulator = Emulator::builder().start().await.unwrap();
    let minted = emulator
        .mint_entra_token(&EntraTokenRequest::service())
        .await
        .unwrap()
        .token;
    // The token in the sidecar's cache has been revoked; Entra ID gives another one.
    let revoked = unsigned_token(&json!({ "aud": "https://communication.azure.com", "exp": 4_102_444_800_u32 }));
    let api = || DownstreamApi::new(["https://communication.azure.com/.default"]).request_app_token();
    let token = minted.clone();
    let good = api().tokens(move |_| Ok(token.clone()));
    let acs = api().tokens(move |acquisition| {
        let is_forced = acquisition.options.acquire_token.contains_key("forcerefresh");
        Ok(if is_forced { minted.clone() } else { revoked.clone() })
    });
    let builder = FakeSidecar::builder().api("Acs", acs).api("Good", good);
    let setup = Setup::of(builder.allow_overrides(AllowOverrides::everywhere())).await;
    let scope = || [SidecarScope::new(ACS, "Acs")];

    // Without the policy, the credential gives the same token again.
    let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
    let client = identity_client(&emulator, credential);
    for _ in 0..2 {
        let error = client.create_user(None).await.unwrap_err();
        assert_eq!(error.http_status().map(u16::from), Some(401));
    }
    assert_eq!(setup.sidecar.requests().len(), 1);

    let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
    let policy = credential.refresh_after_401();
    let client = identity_client_with(&emulator, credential, [policy]);
    let error = client.create_user(None).await.unwrap_err();
    assert_eq!(error.http_status().map(u16::from), Some(401));
    for _ in 0..2 {
        client.create_user(None).await.unwrap();
    }
    assert_eq!(setup.sidecar.requests().len(), 3, "the new token serves both requests");

    // Other responses leave the token in the cache.
    let credential = SidecarCredential::new(setup.client.clone(), [SidecarScope::new(ACS, "Good")], None).unwrap();
    // A client has a cache of its own.
    let client = || identity_client_with(&emulator, credential.clone(), [credential.refresh_after_401()]);
    let user = client().create_user(None).await.unwrap().into_model().unwrap();
    client().delete_user(&user, None).await.unwrap();
    client().get_token(&user, &[], None).await.unwrap_err();
    assert_eq!(setup.sidecar.requests().len(), 4);

    // The service has a 401 for an identity that it does not own, too. It does not cause a request each time.
    for _ in 0..3 {
        let error = client().delete_user(&user, None).await.unwrap_err();
        assert_eq!(error.http_status().map(u16::from), Some(401));
    }
    assert_eq!(setup.sidecar.requests().len(), 5);
}
