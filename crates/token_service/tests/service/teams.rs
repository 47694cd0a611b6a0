//! Teams users.

use crate::{
    setup::{Options, Setup, send},
    support::{TEAMS_SCOPES, gate::Gate},
};
use acs_identity_emulator::{EntraToken, EntraTokenRequest, TokenStatus, Uuid};
use entra_sidecar::SidecarClient;
use fake_entra_sidecar::{DownstreamApi, FakeSidecar, unsigned_token};
use reqwest::{Method, StatusCode};
use serde_json::json;
use token_service::{TeamsExchange, UserIdClaims};

const HEADER: &str = "teams-user-aad-token";
/// The tenant of all callers.
const TENANT: Uuid = Uuid::from_u128(0xaaaa_bbbb);

/// Returns a request for the Entra token of a Teams user of the tenant.
fn teams_user() -> EntraTokenRequest {
    EntraTokenRequest {
        tenant_id: TENANT,
        ..EntraTokenRequest::teams_user()
    }
}

/// Starts a service with Teams, and mints a Teams user's Entra token.
async fn with_teams() -> (Setup, EntraToken) {
    let request = teams_user();
    let client_id = request.app_id.to_string();
    let setup = Setup::with(Options::default(), |builder| {
        builder
            .user_id_claims(UserIdClaims::EntraObject)
            .teams(TeamsExchange::new(client_id))
    })
    .await;
    let token = setup.emulator.mint_entra_token(&request).await.unwrap();
    (setup, token)
}

fn caller(setup: &Setup, object_id: Uuid) -> String {
    setup.caller_with(&json!({ "sub": "pairwise", "oid": object_id, "tid": TENANT }))
}

#[tokio::test]
async fn teams_user_exchanges_their_entra_token() {
    let (setup, entra) = with_teams().await;
    let request = setup
        .request(Method::GET, "/api/token/teams")
        .bearer_auth(caller(&setup, entra.user_id));
    let reply = send(request.header(HEADER, &entra.token)).await;
    let token = reply.assert_status(201).text("/token");
    assert_eq!(
        reply.json(),
        json!({ "token": token, "expiresOn": reply.text("/expiresOn") })
    );
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
}

#[tokio::test]
async fn entra_token_must_be_the_callers() {
    let (setup, entra) = with_teams().await;
    let get = |caller: String, token: String| {
        send(
            setup
                .request(Method::GET, "/api/token/teams")
                .bearer_auth(caller)
                .header(HEADER, token),
        )
    };
    let of_another_tenant = json!({ "sub": "pairwise", "oid": entra.user_id, "tid": Uuid::from_u128(1) });
    for other in [
        caller(&setup, Uuid::from_u128(1)),
        setup.caller_with(&of_another_tenant),
    ] {
        get(other, entra.token.clone()).await.assert_error(403, "other_user");
    }
    get(setup.caller("alice"), entra.token.clone())
        .await
        .assert_error(403, "not_an_entra_user");
    let own = caller(&setup, entra.user_id);
    get(own.clone(), "rubbish".to_owned())
        .await
        .assert_error(400, "bad_request");
    // The claims are right, but the token is not signed.
    let unsigned = unsigned_token(&json!({ "oid": entra.user_id, "tid": TENANT }));
    get(own.clone(), unsigned)
        .await
        .assert_error(403, "teams_token_refused");
    setup
        .get("/api/token/teams", &own)
        .await
        .assert_error(400, "bad_request");
}

#[tokio::test]
async fn entra_token_must_be_for_this_app_and_teams() {
    let (setup, entra) = with_teams().await;
    let own = || EntraTokenRequest {
        user_id: entra.user_id,
        app_id: entra.app_id,
        ..teams_user()
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
    let caller = caller(&setup, entra.user_id);
    let exchange = async |request: &EntraTokenRequest| {
        let token = setup.emulator.mint_entra_token(request).await.unwrap().token;
        let request = setup.request(Method::GET, "/api/token/teams").bearer_auth(&caller);
        send(request.header(HEADER, token)).await
    };
    exchange(&own()).await.assert_status(201);
    for refused in [another_application, without_permissions, expired, of_another_api] {
        exchange(&refused).await.assert_error(403, "teams_token_refused");
    }
    assert_eq!(setup.acs_calls("exchange").await, 5);
}

/// Such a refusal is about the credential of the service, or comes from another server.
#[tokio::test]
async fn refusal_with_another_code_is_not_the_users() {
    let outer = Setup::start().await;
    let gate = Gate::before(&outer.emulator).await;
    let request = teams_user();
    let entra = outer.emulator.mint_entra_token(&request).await.unwrap();
    let setup = outer
        .replica(Options::default().behind(&gate), |builder| {
            builder
                .user_id_claims(UserIdClaims::EntraObject)
                .teams(TeamsExchange::new(request.app_id.to_string()))
        })
        .await;
    let caller = caller(&setup, entra.user_id);
    let exchange = async || {
        let request = setup.request(Method::GET, "/api/token/teams").bearer_auth(&caller);
        send(request.header(HEADER, &entra.token)).await
    };
    for (status, content_type, body) in [
        (
            StatusCode::FORBIDDEN,
            "application/json",
            r#"{"error": {"code": "Denied", "message": "Denied by the resource provider."}}"#,
        ),
        (
            StatusCode::UNAUTHORIZED,
            "application/json",
            r#"{"error": {"code": "Denied", "message": "Denied by the resource provider."}}"#,
        ),
        (StatusCode::FORBIDDEN, "application/json", "{}"),
        (StatusCode::FORBIDDEN, "text/html", "<h1>403 Forbidden</h1>"),
    ] {
        gate.respond(status, content_type, body);
        exchange().await.assert_error(502, "acs_refused");
    }
    exchange().await.assert_status(201);
}

/// Other issuers may let users choose their `oid`.
#[tokio::test]
async fn caller_of_another_issuer_is_not_a_teams_user() {
    let request = teams_user();
    let client_id = request.app_id.to_string();
    let setup = Setup::with(Options::default(), |builder| {
        builder.teams(TeamsExchange::new(client_id))
    })
    .await;
    let entra = setup.emulator.mint_entra_token(&request).await.unwrap();
    let request = setup
        .request(Method::GET, "/api/token/teams")
        .bearer_auth(caller(&setup, entra.user_id));
    send(request.header(HEADER, &entra.token))
        .await
        .assert_error(403, "not_an_entra_user");
    assert_eq!(setup.acs_calls("exchange").await, 0);
}

#[tokio::test]
async fn sidecar_acquires_a_missing_entra_token() {
    let request = teams_user();
    let (client_id, object_id) = (request.app_id.to_string(), request.user_id);
    let outer = Setup::start().await;
    let entra = outer.emulator.mint_entra_token(&request).await.unwrap();
    let sidecar = FakeSidecar::builder()
        .api(
            "AcsTeams",
            DownstreamApi::new(TEAMS_SCOPES).tokens(move |_| Ok(entra.token.clone())),
        )
        .accept_callers(|_| true)
        .start()
        .await
        .unwrap();
    let client = SidecarClient::new(&sidecar.url(), None).unwrap();
    let teams = TeamsExchange::new(client_id).on_behalf_of(client, "AcsTeams");
    let setup = outer
        .replica(Options::default(), |builder| {
            builder.user_id_claims(UserIdClaims::EntraObject).teams(teams)
        })
        .await;

    let alice = caller(&setup, object_id);
    let token = setup
        .get("/api/token/teams", &alice)
        .await
        .assert_status(201)
        .text("/token");
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
    let acquisitions = sidecar.acquisitions();
    assert_eq!(acquisitions.len(), 1);
    // A token of another user is not exchanged.
    setup
        .get("/api/token/teams", &caller(&setup, Uuid::from_u128(1)))
        .await
        .assert_error(403, "other_user");
}

#[tokio::test]
async fn sidecar_failure_has_its_reason() {
    // A claims challenge, which the app's client answers with a new sign-in.
    let claims = "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiY3AxIn19fQ==";
    let challenge = format!("Bearer error=\"insufficient_claims\", claims=\"{claims}\"");
    let outer = Setup::start().await;
    let sidecar = FakeSidecar::builder()
        .api(
            "AcsTeams",
            DownstreamApi::new(TEAMS_SCOPES)
                .tokens(|_| Err("AADSTS65001: The user or administrator has not consented".to_owned()))
                .challenge(&challenge),
        )
        .accept_callers(|_| true)
        .start()
        .await
        .unwrap();
    let client = SidecarClient::new(&sidecar.url(), None).unwrap();
    let teams = TeamsExchange::new("app").on_behalf_of(client, "AcsTeams");
    let setup = outer
        .replica(Options::default(), |builder| {
            builder.user_id_claims(UserIdClaims::EntraObject).teams(teams)
        })
        .await;
    let reply = setup.get("/api/token/teams", &caller(&setup, Uuid::from_u128(1))).await;
    reply.assert_error(401, "interaction_required");
    assert_eq!(reply.header("www-authenticate"), Some(&*challenge));
    assert!(!reply.body.contains("AADSTS"));
}

#[tokio::test]
async fn service_without_teams_answers_no_teams() {
    let setup = Setup::start().await;
    setup
        .get("/api/token/teams", &setup.caller("alice"))
        .await
        .assert_error(404, "no_teams");
}
