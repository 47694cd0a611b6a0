//! Tokens of Teams Phone.

use crate::{
    setup::{Options, Reply, Setup, direct, send},
    support::TEAMS_PHONE_SCOPE,
};
use acs_identity_emulator::{EntraToken, EntraTokenRequest, TokenStatus, Uuid};
use azure_communication_identity::{
    CommunicationIdentityClient, TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
};
use entra_sidecar::SidecarClient;
use fake_entra_sidecar::{DownstreamApi, FakeSidecar, unsigned_token};
use reqwest::Method;
use serde_json::json;
use std::num::NonZeroU32;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use token_service::{TeamsPhoneExchange, UserIdClaims};

const PATH: &str = "/api/token/teams-phone";
const HEADER: &str = "teams-user-aad-token";

/// A service with Teams Phone, and a Teams user with an Entra token.
struct Phone {
    setup: Setup,
    request: EntraTokenRequest,
    entra: EntraToken,
}

impl Phone {
    /// Starts the service. The user is not assigned.
    async fn start() -> Self {
        Self::with(Options::https()).await
    }

    async fn with(options: Options) -> Self {
        let setup = Setup::with(options, |builder| {
            builder
                .user_id_claims(UserIdClaims::EntraObject)
                .acs_costs_per_hour(NonZeroU32::new(1000).unwrap())
                .teams_phone(TeamsPhoneExchange::new())
        })
        .await;
        let request = EntraTokenRequest::teams_extension_user();
        let entra = setup.emulator.mint_entra_token(&request).await.unwrap();
        Self { setup, request, entra }
    }

    /// Starts the service, and assigns the user with their application.
    async fn assigned() -> Self {
        let phone = Self::start().await;
        phone.assign(phone.entra.app_id).await;
        phone
    }

    /// Returns the client of an administrator, and the user's assignment.
    fn assignment(&self) -> (CommunicationIdentityClient, TeamsExtensionAssignmentId) {
        let connection_string = self.setup.emulator.connection_string();
        let client = CommunicationIdentityClient::with_connection_string(&connection_string, Some(direct()));
        let assignment = TeamsExtensionAssignmentId {
            tenant_id: self.entra.tenant_id,
            object_id: self.entra.user_id,
        };
        (client.unwrap(), assignment)
    }

    async fn assign(&self, application: Uuid) {
        let principal = TeamsExtensionPrincipal {
            principal_type: TeamsExtensionPrincipalType::User,
            client_ids: vec![application.to_string()],
        };
        let (client, assignment) = self.assignment();
        let assigned = client.create_or_replace_teams_extension_assignment(&assignment, &principal, None);
        assigned.await.unwrap();
    }

    fn caller(&self) -> String {
        self.caller_with(self.entra.tenant_id, self.entra.user_id)
    }

    fn caller_with(&self, tenant_id: Uuid, object_id: Uuid) -> String {
        let claims = json!({ "sub": "pairwise", "oid": object_id, "tid": tenant_id });
        self.setup.caller_with(&claims)
    }

    async fn get(&self, caller: &str, entra_token: &str) -> Reply {
        let request = self.setup.request(Method::GET, PATH).bearer_auth(caller);
        send(request.header(HEADER, entra_token)).await
    }

    /// Mints a token of the same user that differs, and exchanges it.
    async fn exchange(&self, change: impl FnOnce(&mut EntraTokenRequest)) -> Reply {
        let mut request = self.request.clone();
        change(&mut request);
        let entra = self.setup.emulator.mint_entra_token(&request).await.unwrap();
        self.get(&self.caller(), &entra.token).await
    }
}

#[tokio::test]
async fn assigned_user_exchanges_their_entra_token() {
    let phone = Phone::assigned().await;
    let reply = phone.get(&phone.caller(), &phone.entra.token).await;
    let token = reply.assert_status(201).text("/token");
    let EntraToken { tenant_id, user_id, .. } = phone.entra;
    let resource_id = phone.setup.emulator.resource_id();
    let expected = json!({
        "token": token,
        "expiresOn": reply.text("/expiresOn"),
        "user": { "rawId": format!("8:acs:{resource_id}_{tenant_id}_{user_id}") },
    });
    assert_eq!(reply.json(), expected);
    let expires_on = OffsetDateTime::parse(&reply.text("/expiresOn"), &Rfc3339).unwrap();
    assert_eq!(expires_on.unix_timestamp(), phone.entra.expires_on.unix_timestamp());
    assert_eq!(phone.setup.emulator.token_status(&token), TokenStatus::Active);
    assert_eq!(phone.setup.emulator.identity_count(), 0);
    assert_eq!(phone.setup.acs_calls("exchange_phone").await, 1);
}

#[tokio::test]
async fn entra_token_must_be_the_callers() {
    let phone = Phone::assigned().await;
    let EntraToken { tenant_id, user_id, .. } = phone.entra;
    for (tenant_id, object_id) in [
        (tenant_id, Uuid::from_u128(1)),
        (Uuid::from_u128(1), user_id),
        (user_id, tenant_id),
    ] {
        let other = phone.caller_with(tenant_id, object_id);
        phone
            .get(&other, &phone.entra.token)
            .await
            .assert_error(403, "other_user");
    }
    let caller = phone.caller();
    for claims in [
        json!({ "oid": user_id }),
        json!({ "tid": tenant_id }),
        json!({ "oid": [user_id], "tid": tenant_id }),
        json!({}),
    ] {
        phone
            .get(&caller, &unsigned_token(&claims))
            .await
            .assert_error(403, "other_user");
    }
    phone
        .get(&phone.setup.caller("alice"), &phone.entra.token)
        .await
        .assert_error(403, "not_an_entra_user");
    phone.get(&caller, "rubbish").await.assert_error(400, "bad_request");
    phone.setup.get(PATH, &caller).await.assert_error(400, "bad_request");
    assert_eq!(phone.setup.acs_log().await.len(), 1, "the assignment alone");
}

#[tokio::test]
async fn entra_token_must_be_valid_and_for_teams_phone() {
    let phone = Phone::assigned().await;
    phone.exchange(|_| {}).await.assert_status(201);
    let graph = "https://graph.microsoft.com".to_owned();
    for refused in [
        phone.exchange(|request| request.expires_in_seconds = -60).await,
        phone.exchange(|request| request.audience = Some(graph)).await,
    ] {
        refused.assert_error(403, "teams_token_refused");
    }
    // The claims are right, but the token is not signed.
    let EntraToken { tenant_id, user_id, .. } = phone.entra;
    let unsigned = unsigned_token(&json!({ "oid": user_id, "tid": tenant_id }));
    let refused = phone.get(&phone.caller(), &unsigned).await;
    refused.assert_error(403, "teams_token_refused");

    let teams = vec!["Teams.ManageCalls".to_owned(), "Teams.ManageChats".to_owned()];
    let refused = phone.exchange(|request| request.scopes = Some(teams)).await;
    refused.assert_error(403, "teams_phone_refused");
    assert!(refused.body.contains("TeamsExtension.ManageCalls"), "{refused:?}");
}

#[tokio::test]
async fn user_and_application_must_be_assigned() {
    let phone = Phone::start().await;
    let get = async || phone.get(&phone.caller(), &phone.entra.token).await;
    get().await.assert_error(403, "teams_phone_refused");
    phone.assign(Uuid::from_u128(7)).await;
    get().await.assert_error(403, "teams_phone_refused");
    phone.assign(phone.entra.app_id).await;
    let token = get().await.assert_status(201).text("/token");
    let (client, assignment) = phone.assignment();
    client
        .delete_teams_extension_assignment(&assignment, None)
        .await
        .unwrap();
    assert_eq!(phone.setup.emulator.token_status(&token), TokenStatus::Revoked);
    get().await.assert_error(403, "teams_phone_refused");
}

#[tokio::test]
async fn exchange_costs_as_much_as_for_teams() {
    let setup = Setup::with(Options::https(), |builder| {
        builder
            .user_id_claims(UserIdClaims::EntraObject)
            .acs_costs_per_hour(NonZeroU32::new(8).unwrap())
            .teams_phone(TeamsPhoneExchange::new())
    })
    .await;
    let claims = json!({ "sub": "pairwise", "oid": Uuid::from_u128(1), "tid": Uuid::from_u128(2) });
    let caller = setup.caller_with(&claims);
    for _ in 0..4 {
        setup.get(PATH, &caller).await.assert_error(400, "bad_request");
    }
    setup.get(PATH, &caller).await.assert_error(429, "acs_limited");
}

#[tokio::test]
async fn entra_token_is_not_sent_in_plain_text() {
    let phone = Phone::with(Options::default()).await;
    phone.assign(phone.entra.app_id).await;
    let refused = phone.get(&phone.caller(), &phone.entra.token).await;
    refused.assert_error(502, "acs_refused");
    assert_eq!(phone.setup.acs_log().await.len(), 1, "the assignment alone");
}

#[tokio::test]
async fn sidecar_acquires_a_missing_entra_token() {
    let outer = Phone::assigned().await;
    let token = outer.entra.token.clone();
    let api = DownstreamApi::new([TEAMS_PHONE_SCOPE]).tokens(move |_| Ok(token.clone()));
    let sidecar = FakeSidecar::builder()
        .api("AcsTeamsPhone", api)
        .accept_callers(|_| true);
    let sidecar = sidecar.start().await.unwrap();
    let client = SidecarClient::new(&sidecar.url(), None).unwrap();
    let exchange = TeamsPhoneExchange::new().on_behalf_of(client, "AcsTeamsPhone");
    let setup = outer.setup.replica(Options::https(), |builder| {
        builder.user_id_claims(UserIdClaims::EntraObject).teams_phone(exchange)
    });
    let setup = setup.await;
    let reply = setup.get(PATH, &outer.caller()).await;
    let token = reply.assert_status(201).text("/token");
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
    let acquisitions = sidecar.acquisitions();
    assert_eq!(acquisitions.len(), 1);
    // The sidecar returns the same token for another user, which is not exchanged.
    let other = outer.caller_with(outer.entra.tenant_id, Uuid::from_u128(1));
    setup.get(PATH, &other).await.assert_error(403, "other_user");
}

#[tokio::test]
async fn service_without_teams_phone_says_so() {
    let setup = Setup::start().await;
    let reply = setup.get(PATH, &setup.caller("alice")).await;
    reply.assert_error(404, "no_teams_phone");
}
