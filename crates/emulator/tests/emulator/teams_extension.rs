//! The exchange of tokens for Teams Phone extensibility.

use crate::{
    client::{Client, Response, USER_CLAIMS, VERSION, builder, decode, listed_stable, names_in_order, start},
    user::{User, assert_forbidden, assert_not_admitted, assert_not_valid},
};
use acs_identity_emulator::{Emulator, EntraToken, EntraTokenKind, EntraTokenRequest, TokenStatus, Uuid};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const EXCHANGE: &str = "/access/teamsExtension/:exchangeAccessToken?api-version=2026-09-23";

async fn user_of(emulator: Emulator) -> User {
    let request = EntraTokenRequest {
        expires_in_seconds: 4270,
        ..EntraTokenRequest::teams_extension_user()
    };
    User::new(emulator, request, EXCHANGE).await
}

async fn assigned_user() -> User {
    let user = user_of(start().await).await;
    assert_eq!(assign(&user, &json!({"principalType": "user"})).await, 201);
    user
}

fn assignment(user: &User) -> String {
    let EntraToken { tenant_id, user_id, .. } = user.entra;
    format!("/access/teamsExtension/tenants/{tenant_id}/assignments/{user_id}{VERSION}")
}

async fn assign(user: &User, body: &Value) -> u16 {
    user.put(&assignment(user), body).await
}

#[tokio::test]
async fn token_has_the_services_form_and_entra_expiry() {
    let user = assigned_user().await;
    let EntraToken { tenant_id, user_id, .. } = user.entra;
    let resource_id = user.emulator.resource_id();
    let response = user.exchange(&user.entra.token).await;
    let token = response.text("/accessToken/token");
    let expires_on = response.text("/accessToken/expiresOn");
    let id = format!("{resource_id}_{tenant_id}_{user_id}");
    let expected = json!({
        "identity": {"id": format!("8:acs:{id}")},
        "accessToken": {"token": token, "expiresOn": expires_on},
    });
    assert_eq!((response.status, &response.body), (200, &expected));
    assert_eq!(
        response.header("api-supported-versions"),
        Some(&*listed_stable(|version| version >= "2025-06-30"))
    );

    assert_eq!(names_in_order(&token, 1), USER_CLAIMS);
    let (claims, entra_claims) = (decode(&token, 1), decode(&user.entra.token, 1));
    let iat = claims["iat"].as_i64().unwrap();
    let expected = json!({
        "skypeid": format!("acs:{id}"),
        "scp": 1792,
        "csi": iat.to_string(),
        "exp": entra_claims["exp"],
        "rgn": "amer",
        "acsScope": "voip",
        "resourceId": resource_id,
        "resourceLocation": "unitedstates",
        "iat": iat,
    });
    assert_eq!(claims, expected);
    let expires_on = OffsetDateTime::parse(&expires_on, &Rfc3339).unwrap();
    assert_eq!(expires_on.unix_timestamp(), claims["exp"].as_i64().unwrap());

    assert_eq!(user.emulator.token_status(&token), TokenStatus::Active);
    user.emulator.advance(Duration::from_secs(4270));
    assert_eq!(user.emulator.token_status(&token), TokenStatus::Expired);
    assert_not_valid(&user.exchange(&user.entra.token).await);
}

#[tokio::test]
async fn assigned_user_is_not_an_identity() {
    let user = assigned_user().await;
    let id = user.exchange(&user.entra.token).await.text("/identity/id");
    assert_eq!(user.emulator.identities(), Vec::<String>::new());
    assert_eq!(user.https.delete(&id).await.text("/error/code"), "IdentityNotOwned");
    assert_eq!(user.https.issue(&id, json!({"scopes": ["voip"]})).await.status, 401);
    assert_eq!(user.https.revoke(&id).await.text("/error/code"), "IdentityNotOwned");
}

#[tokio::test]
async fn token_is_for_the_resources_application() {
    let user = assigned_user().await;
    for audience in [
        "1fd5118e-2576-4263-8130-9503064c837a",
        "https://auth.msft.communication.azure.com",
        "https://auth.msft.communication.azure.com/",
    ] {
        let token = user.mint(|request| request.audience = Some(audience.to_owned())).await;
        assert_eq!(user.exchange(&token).await.status, 200, "{audience}");
    }
    for audience in [
        "https://communication.azure.com/",
        "https://auth.msft.communication.azure.com/x",
    ] {
        let token = user.mint(|request| request.audience = Some(audience.to_owned())).await;
        assert_not_valid(&user.exchange(&token).await);
    }
}

#[tokio::test]
async fn invalid_token_is_refused() {
    let user = assigned_user().await;
    let good = &user.entra.token;
    let forged = format!("{}.AAAA", good.rsplit_once('.').unwrap().0);
    let expired = user.mint(|request| request.expires_in_seconds = -1).await;
    let of_a_service = user.mint(|request| request.kind = EntraTokenKind::Service).await;
    for token in ["x", &forged, &expired, &of_a_service, &user.exchanged().await] {
        assert_not_valid(&user.exchange(token).await);
    }

    let unverified = builder().accept_unverified_bearer(true).start().await.unwrap();
    let user = user_of(unverified).await;
    assign(&user, &json!({"principalType": "user"})).await;
    let forged = format!("{}.AAAA", user.entra.token.rsplit_once('.').unwrap().0);
    assert_eq!(user.exchange(&forged).await.status, 200);
    let mut claims = decode(&user.entra.token, 1);
    claims["exp"] = json!(claims["exp"].as_i64().unwrap() * 1000);
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    assert_not_valid(&user.exchange(&format!("e30.{claims}.AAAA")).await);
}

#[tokio::test]
async fn user_needs_https_and_own_token() {
    let user = assigned_user().await;
    let http = Client::over_http(&user.emulator);
    for response in [
        http.exchange_own(EXCHANGE, &user.entra.token).await,
        user.exchange("").await,
        user.https.send("POST", EXCHANGE, "{}").await,
        Response::of(user.https.unsigned("POST", EXCHANGE, "{}")).await,
        Response::of(user.https.unsigned("GET", EXCHANGE, "")).await,
    ] {
        response.assert_error(401, "Denied", "Denied by the resource provider.", None);
    }
}

#[tokio::test]
async fn token_needs_the_permission_to_manage_calls() {
    let user = assigned_user().await;
    let with = async |scopes: &[&str]| {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        user.exchange(&user.mint(|request| request.scopes = Some(scopes)).await)
            .await
    };
    assert_eq!(
        with(&["Teams.ManageChats", "TeamsExtension.ManageCalls"]).await.status,
        200
    );
    for scopes in [&[][..], &["Teams.ManageCalls"], &["TeamsExtension.ManageCallsX"]] {
        let message = "The token lacks the permission TeamsExtension.ManageCalls.";
        assert_forbidden(&with(scopes).await, message);
    }
}

#[tokio::test]
async fn assignment_admits_its_user_and_applications() {
    let user = user_of(start().await).await;
    assert_not_admitted(&user.exchange(&user.entra.token).await);

    let (app_id, other) = (user.entra.app_id, Uuid::new_v4());
    let other_app = user.mint(|request| request.app_id = other).await;
    for (assignment, own_app_is_admitted, other_app_is_admitted) in [
        (json!({"principalType": "user", "clientIds": [app_id]}), true, false),
        (json!({"principalType": "user", "clientIds": [other]}), false, true),
        (
            json!({"principalType": "user", "clientIds": [other, app_id]}),
            true,
            true,
        ),
        (json!({"principalType": "user", "clientIds": []}), true, true),
        (
            json!({"principalType": "resourceAccount", "clientIds": [other]}),
            true,
            true,
        ),
        (json!({"principalType": "teamsResourceAccount"}), true, true),
    ] {
        assign(&user, &assignment).await;
        for (token, is_admitted) in [
            (&user.entra.token, own_app_is_admitted),
            (&other_app, other_app_is_admitted),
        ] {
            let response = user.exchange(token).await;
            if is_admitted {
                assert_eq!(response.status, 200, "{assignment}");
            } else {
                assert_not_admitted(&response);
            }
        }
    }

    let other_user = user.mint(|request| request.user_id = other).await;
    let other_tenant = user.mint(|request| request.tenant_id = other).await;
    for token in [other_user, other_tenant] {
        assert_not_admitted(&user.exchange(&token).await);
    }
}

#[tokio::test]
async fn deletion_revokes_tokens_for_good() {
    let user = assigned_user().await;
    let status = |token: &str| user.emulator.token_status(token);
    let EntraToken { tenant_id, .. } = user.entra;
    let bystander = Uuid::new_v4();
    let target = format!("/access/teamsExtension/tenants/{tenant_id}/assignments/{bystander}{VERSION}");
    user.https.send("PUT", &target, r#"{"principalType":"user"}"#).await;
    let others = user.mint(|request| request.user_id = bystander).await;
    let others = user.exchange(&others).await.text("/accessToken/token");

    let before = user.exchanged().await;
    assert_eq!(
        assign(&user, &json!({"principalType": "user", "clientIds": [Uuid::nil()]})).await,
        200
    );
    assert_eq!(status(&before), TokenStatus::Active);

    user.delete(&assignment(&user)).await;
    assert_eq!(status(&before), TokenStatus::Revoked);
    assert_not_admitted(&user.exchange(&user.entra.token).await);
    assert_eq!(assign(&user, &json!({"principalType": "user"})).await, 201);
    assert_eq!(status(&before), TokenStatus::Revoked);
    assert_eq!(status(&user.exchanged().await), TokenStatus::Active);
    assert_eq!(status(&others), TokenStatus::Active);

    let control = format!("{}tokens/introspect", user.emulator.control_endpoint());
    let introspect = Client::over_http(&user.emulator)
        .http
        .post(control)
        .json(&json!({"token": before}));
    let introspection = Response::of(introspect).await.body;
    assert_eq!(
        (&introspection["active"], &introspection["status"]),
        (&json!(false), &json!("revoked"))
    );
}

#[tokio::test]
async fn exchange_takes_an_object_or_no_body() {
    let user = assigned_user().await;
    let token = &user.entra.token;
    for (method, body, status) in [
        ("POST", "", 200),
        ("POST", r#"{"unknown":true}"#, 200),
        ("POST", "{", 422),
        ("POST", "7", 400),
        ("POST", "[]", 400),
        ("POST", "null", 200),
        ("GET", "", 405),
    ] {
        let response = Response::of(user.https.unsigned(method, EXCHANGE, body).bearer_auth(token)).await;
        assert_eq!(response.status, status, "{method} {body}");
    }
}

#[tokio::test]
async fn control_surface_issues_tokens_for_the_exchange() {
    let user = assigned_user().await;
    let EntraToken {
        tenant_id,
        app_id,
        user_id,
        ..
    } = user.entra;
    let mint = async |scopes: Value| {
        let request = json!({
            "kind": "teamsExtensionUser",
            "tenantId": tenant_id,
            "appId": app_id,
            "userId": user_id,
            "scopes": scopes,
        });
        let url = format!("{}entra/tokens", user.emulator.control_endpoint());
        let minted = Client::over_http(&user.emulator).http.post(url).json(&request);
        Response::of(minted).await.text("/token")
    };
    let token = mint(json!(null)).await;
    assert_eq!(decode(&token, 1)["scp"], "TeamsExtension.ManageCalls");
    assert_eq!(user.exchange(&token).await.status, 200);
    let token = mint(json!(["a", "b"])).await;
    assert_eq!(decode(&token, 1)["scp"], "a b");
    assert_eq!(user.exchange(&token).await.status, 403);
}
