//! The exchange of Teams users' tokens.

use crate::{
    client::{Client, Response, builder, decode, names_in_order, start},
    user::assert_forbidden,
};
use acs_identity_emulator::{AccessKeyKind, Emulator, EntraToken, EntraTokenRequest, TokenStatus, Uuid};
use serde_json::{Value, json};
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const NOT_VALID: &str = "Provided access token is not valid.";

async fn exchange(emulator: &Emulator, body: Value) -> Response {
    Client::over_http(emulator)
        .post("/teamsUser/:exchangeAccessToken", body)
        .await
}

async fn mint(emulator: &Emulator, request: EntraTokenRequest) -> EntraToken {
    emulator.mint_entra_token(&request).await.unwrap()
}

#[tokio::test]
async fn token_has_the_services_form_and_entra_expiry() {
    let emulator = start().await;
    let entra = mint(
        &emulator,
        EntraTokenRequest {
            expires_in_seconds: 4270,
            ..EntraTokenRequest::teams_user()
        },
    )
    .await;
    let body = json!({"token": entra.token, "appId": entra.app_id, "userId": entra.user_id});
    let response = exchange(&emulator, body).await;
    assert_eq!(response.status, 200);
    let token = response.text("/token");

    let names = [
        "skypeid",
        "scp",
        "csi",
        "exp",
        "rgn",
        "tid",
        "acsScope",
        "resourceId",
        "aad_iat",
        "aad_uti",
        "aad_appid",
        "iat",
    ];
    assert_eq!(names_in_order(&token, 1), names);
    let (claims, entra_claims) = (decode(&token, 1), decode(&entra.token, 1));
    let iat = claims["iat"].as_i64().unwrap();
    let expected = json!({
        "skypeid": format!("orgid:{}", entra.user_id),
        "scp": 1024,
        "csi": iat.to_string(),
        "exp": entra_claims["exp"],
        "rgn": "amer",
        "tid": entra.tenant_id,
        "acsScope": "voip,chat",
        "resourceId": emulator.resource_id(),
        "aad_iat": entra_claims["iat"].to_string(),
        "aad_uti": entra_claims["uti"],
        "aad_appid": entra.app_id,
        "iat": iat,
    });
    assert_eq!(claims, expected);

    let expires_on = OffsetDateTime::parse(&response.text("/expiresOn"), &Rfc3339).unwrap();
    assert_eq!(expires_on.unix_timestamp(), claims["exp"].as_i64().unwrap());
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    emulator.regenerate_access_key(AccessKeyKind::Primary).await.unwrap();
    assert_eq!(emulator.token_status(&token), TokenStatus::Revoked);
    emulator.advance(Duration::from_secs(4270));
    assert_eq!(emulator.token_status(&token), TokenStatus::Expired);
}

#[tokio::test]
async fn token_is_checked_before_the_ids() {
    let emulator = start().await;
    let expired = EntraTokenRequest {
        expires_in_seconds: -1,
        ..EntraTokenRequest::teams_user()
    };
    let expired = mint(&emulator, expired).await.token;
    let for_the_service = mint(&emulator, EntraTokenRequest::service()).await.token;
    let good = mint(&emulator, EntraTokenRequest::teams_user()).await;
    let forged = format!("{}.AAAA", good.token.rsplit_once('.').unwrap().0);
    for token in [
        json!(null),
        json!(""),
        json!("invalid"),
        json!(expired),
        json!(for_the_service),
        json!(forged),
    ] {
        for (app_id, user_id) in [
            (json!(good.app_id), json!(good.user_id)),
            (json!(""), json!("")),
            (json!(null), json!("x")),
        ] {
            let body = json!({"token": token, "appId": app_id, "userId": user_id});
            let response = exchange(&emulator, body).await;
            response.assert_error(401, "InvalidAccessToken", NOT_VALID, None);
            assert_eq!(response.header("api-supported-versions"), None);
        }
    }
    exchange(&emulator, json!({}))
        .await
        .assert_error(401, "InvalidAccessToken", NOT_VALID, None);
}

#[tokio::test]
async fn ids_must_be_those_of_the_token() {
    let emulator = start().await;
    let entra = mint(&emulator, EntraTokenRequest::teams_user()).await;
    let (app_id, user_id, other) = (json!(entra.app_id), json!(entra.user_id), json!(Uuid::nil()));
    let rows = [
        (
            json!(""),
            user_id.clone(),
            "AppId: The AppId field is required.",
            "AppId",
        ),
        (
            json!(null),
            user_id.clone(),
            "AppId: The AppId field is required.",
            "AppId",
        ),
        (
            json!("invalid"),
            user_id.clone(),
            "Provided AppId has invalid format.",
            "appId",
        ),
        (
            json!(entra.app_id.simple()),
            user_id.clone(),
            "Provided AppId has invalid format.",
            "appId",
        ),
        (
            other.clone(),
            user_id.clone(),
            "AAD application is not the expected one.",
            "appId",
        ),
        (
            other.clone(),
            json!("invalid"),
            "AAD application is not the expected one.",
            "appId",
        ),
        (
            app_id.clone(),
            json!(""),
            "UserId: The UserId field is required.",
            "UserId",
        ),
        (
            app_id.clone(),
            json!(null),
            "UserId: The UserId field is required.",
            "UserId",
        ),
        (
            app_id.clone(),
            json!("invalid"),
            "Provided UserId has invalid format.",
            "userId",
        ),
        (
            app_id.clone(),
            other,
            "Provided AAD token issued for unexpected user.",
            "userId",
        ),
        (user_id, app_id, "AAD application is not the expected one.", "appId"),
    ];
    for (app_id, user_id, message, target) in rows {
        let response = exchange(
            &emulator,
            json!({"token": entra.token, "appId": app_id, "userId": user_id}),
        )
        .await;
        response.assert_error(400, "ValidationError", message, Some(target));
        // Model binding, which names the field in Pascal case, does not list versions.
        let by_model_binding = target.starts_with(char::is_uppercase);
        assert_eq!(
            response.header("api-supported-versions").is_none(),
            by_model_binding,
            "{message}"
        );
    }
}

#[tokio::test]
async fn token_needs_both_permissions() {
    let emulator = start().await;
    let exchange_with = async |scopes: &[&str], app_id: Option<Uuid>| {
        let request = EntraTokenRequest {
            scopes: Some(scopes.iter().map(|&scope| scope.to_owned()).collect()),
            ..EntraTokenRequest::teams_user()
        };
        let entra = mint(&emulator, request).await;
        let app_id = app_id.unwrap_or(entra.app_id);
        let body = json!({"token": entra.token, "appId": app_id, "userId": entra.user_id});
        exchange(&emulator, body).await
    };
    let right = ["Teams.ManageChats", "openid", "Teams.ManageCalls"];
    assert_eq!(exchange_with(&right, None).await.status, 200);
    for scopes in [
        &[][..],
        &["Teams.ManageCalls"],
        &["Teams.ManageChats"],
        &["TeamsExtension.ManageCalls"],
    ] {
        for app_id in [None, Some(Uuid::nil())] {
            let message = "The token lacks one of the permissions Teams.ManageCalls and Teams.ManageChats.";
            assert_forbidden(&exchange_with(scopes, app_id).await, message);
        }
    }
}

#[tokio::test]
async fn teams_phone_token_is_no_teams_user_token() {
    let emulator = start().await;
    let entra = mint(&emulator, EntraTokenRequest::teams_extension_user()).await;
    let body = json!({"token": entra.token, "appId": entra.app_id, "userId": entra.user_id});
    assert_eq!(exchange(&emulator, body).await.text("/error/code"), "Forbidden");
}

#[tokio::test]
async fn token_in_the_body_needs_a_signature() {
    let emulator = builder().accept_unverified_bearer(true).start().await.unwrap();
    let entra = mint(&emulator, EntraTokenRequest::teams_user()).await;
    let forged = format!("{}.AAAA", entra.token.rsplit_once('.').unwrap().0);
    for (token, status) in [(&entra.token, 200), (&forged, 401)] {
        let body = json!({"token": token, "appId": entra.app_id, "userId": entra.user_id});
        assert_eq!(exchange(&emulator, body).await.status, status);
    }
}

#[tokio::test]
async fn body_members_have_names() {
    let emulator = start().await;
    let entra = mint(&emulator, EntraTokenRequest::teams_user()).await;
    let response = exchange(&emulator, json!([entra.token, entra.app_id, entra.user_id])).await;
    assert_eq!(
        (response.status, response.text("/error/code").as_str()),
        (400, "ValidationError")
    );
}
