//! The exchange of tokens of users of Entra ID.

use crate::{
    client::{PREVIEW, Response, USER_CLAIMS, VERSION, decode, names_in_order, start},
    user::{User, assert_forbidden, assert_not_admitted, assert_not_valid},
};
use acs_identity_emulator::{EntraToken, EntraTokenRequest, TokenStatus, Uuid};
use serde_json::json;
use std::time::Duration;

const EXCHANGE: &str = "/access/entra/:exchangeAccessToken?api-version=2025-03-02-preview";

async fn new_user() -> User {
    let request = EntraTokenRequest {
        groups: vec![Uuid::from_u128(1), Uuid::from_u128(2)],
        ..EntraTokenRequest::entra_user()
    };
    User::new(start().await, request, EXCHANGE).await
}

/// Assigns a principal in the user's tenant, with the user's application.
async fn assign(user: &User, principal_type: &str, object_id: Uuid) {
    let EntraToken { tenant_id, app_id, .. } = user.entra;
    let body = json!({"principalType": principal_type, "tenantId": tenant_id, "clientIds": [app_id]});
    assert!(matches!(user.put(&assignment(object_id), &body).await, 200 | 201));
}

fn assignment(object_id: Uuid) -> String {
    format!("/access/entra/assignments/{object_id}{PREVIEW}")
}

async fn assigned_user() -> User {
    let user = new_user().await;
    assign(&user, "user", user.entra.user_id).await;
    user
}

/// Names and values as in tokens of 2025.
#[tokio::test]
async fn token_has_the_services_form_and_entra_expiry() {
    let user = assigned_user().await;
    let EntraToken { tenant_id, user_id, .. } = user.entra;
    let resource_id = user.emulator.resource_id();
    let response = user.exchange(&user.entra.token).await;
    let token = response.text("/accessToken/token");
    let id = format!("{resource_id}_wf_{tenant_id}_{user_id}");
    let expected = json!({
        "identity": {"id": format!("8:acs:{id}")},
        "accessToken": {"token": token, "expiresOn": response.text("/accessToken/expiresOn")},
    });
    assert_eq!((response.status, &response.body), (200, &expected));
    assert_eq!(response.header("api-supported-versions"), Some("2025-03-02-preview"));

    assert_eq!(names_in_order(&token, 1), USER_CLAIMS);
    let claims = decode(&token, 1);
    let iat = claims["iat"].as_i64().unwrap();
    let expected = json!({
        "skypeid": format!("acs:{id}"),
        "scp": 1792,
        "csi": iat.to_string(),
        "exp": decode(&user.entra.token, 1)["exp"],
        "rgn": "amer",
        "acsScope": "chat,voip",
        "resourceId": resource_id,
        "resourceLocation": "unitedstates",
        "iat": iat,
    });
    assert_eq!(claims, expected);
    assert_eq!(user.emulator.identity_count(), 0);

    assert_eq!(user.emulator.token_status(&token), TokenStatus::Active);
    user.emulator.advance(Duration::from_secs(3600));
    assert_eq!(user.emulator.token_status(&token), TokenStatus::Expired);
}

#[tokio::test]
async fn permissions_become_scopes() {
    let user = assigned_user().await;
    let with = async |permissions: &str| {
        let scopes = permissions.split(' ').map(ToOwned::to_owned).collect();
        user.exchange(&user.mint(|request| request.scopes = Some(scopes)).await)
            .await
    };
    for (permissions, scopes) in [
        ("VoIP", "voip"),
        ("VoIP.Join", "voip.join"),
        ("Chat", "chat"),
        ("Chat.Join", "chat.join"),
        ("Chat.Join.Limited", "chat.join.limited"),
        ("VoIP.Join openid Chat.Join.Limited", "voip.join,chat.join.limited"),
        ("VoIP Chat VoIP Chat", "voip,chat"),
    ] {
        let token = with(permissions).await.text("/accessToken/token");
        assert_eq!(decode(&token, 1)["acsScope"], scopes);
    }
    for permissions in ["", "chat", "TeamsExtension.ManageCalls"] {
        let message = "The token has none of the permissions Chat, Chat.Join, Chat.Join.Limited, VoIP and VoIP.Join.";
        assert_forbidden(&with(permissions).await, message);
    }
}

#[tokio::test]
async fn token_is_for_the_clients_application() {
    let user = assigned_user().await;
    for (audience, is_accepted) in [
        ("https://communication.azure.com/clients", true),
        ("https://communication.azure.com/clients/", true),
        ("2a04943b-b6a7-4f65-8786-2bb6131b59f6", true),
        ("https://communication.azure.com/", false),
        ("1fd5118e-2576-4263-8130-9503064c837a", false),
    ] {
        let token = user.mint(|request| request.audience = Some(audience.to_owned())).await;
        let response = user.exchange(&token).await;
        if is_accepted {
            assert_eq!(response.status, 200, "{audience}");
        } else {
            assert_not_valid(&response);
        }
    }
    assert_eq!(
        Response::of(user.https.unsigned("POST", EXCHANGE, "{}"))
            .await
            .text("/error/code"),
        "Denied"
    );
}

#[tokio::test]
async fn users_groups_and_tenants_are_admitted() {
    let user = new_user().await;
    let EntraToken {
        tenant_id,
        app_id,
        user_id,
        ..
    } = user.entra;
    let other = Uuid::new_v4();
    assert_not_admitted(&user.exchange(&user.entra.token).await);
    for (principal_type, object_id, tenant_id, client_ids, is_admitted) in [
        ("user", user_id, tenant_id, json!([app_id]), true),
        ("user", user_id, tenant_id, json!([other, app_id]), true),
        ("user", user_id, tenant_id, json!([other]), false),
        ("user", user_id, tenant_id, json!([]), false),
        ("user", user_id, other, json!([app_id]), false),
        ("user", other, tenant_id, json!([app_id]), false),
        ("group", Uuid::from_u128(2), tenant_id, json!([app_id]), true),
        ("group", Uuid::from_u128(2), tenant_id, json!([other]), false),
        ("group", Uuid::from_u128(3), tenant_id, json!([app_id]), false),
        ("group", user_id, tenant_id, json!([app_id]), false),
        ("group", Uuid::from_u128(2), other, json!([app_id]), false),
        ("tenant", tenant_id, tenant_id, json!([app_id]), true),
        ("tenant", tenant_id, tenant_id, json!([other]), false),
        ("tenant", other, other, json!([app_id]), false),
    ] {
        let body = json!({"principalType": principal_type, "tenantId": tenant_id, "clientIds": client_ids});
        user.put(&assignment(object_id), &body).await;
        let response = user.exchange(&user.entra.token).await;
        if is_admitted {
            assert_eq!(response.status, 200, "{body}");
        } else {
            assert_not_admitted(&response);
        }
        user.delete(&assignment(object_id)).await;
    }
}

#[tokio::test]
async fn deleting_the_narrowest_assignment_revokes_tokens() {
    let user = new_user().await;
    let EntraToken { tenant_id, user_id, .. } = user.entra;
    let group = Uuid::from_u128(1);
    let mut tokens = Vec::new();
    for (principal_type, object_id) in [("tenant", tenant_id), ("group", group), ("user", user_id)] {
        assign(&user, principal_type, object_id).await;
        tokens.push(user.exchanged().await);
    }
    let statuses = || {
        tokens
            .iter()
            .map(|token| user.emulator.token_status(token))
            .collect::<Vec<_>>()
    };
    let (active, revoked) = (TokenStatus::Active, TokenStatus::Revoked);
    assert_eq!(statuses(), [active, active, active]);
    assign(&user, "user", user_id).await;
    assert_eq!(statuses(), [active, active, active]);
    user.delete(&assignment(user_id)).await;
    assert_eq!(statuses(), [active, active, revoked]);
    user.delete(&assignment(tenant_id)).await;
    assert_eq!(statuses(), [revoked, active, revoked]);
    assign(&user, "tenant", tenant_id).await;
    assign(&user, "user", user_id).await;
    assert_eq!(statuses(), [revoked, active, revoked]);
}

#[tokio::test]
async fn assignment_kinds_do_not_mix() {
    let teams_extension_exchange = format!("/access/teamsExtension/:exchangeAccessToken{VERSION}");
    let (active, revoked) = (TokenStatus::Active, TokenStatus::Revoked);
    for deletes_entra in [true, false] {
        // Both assignments are the first of their kind.
        let user = assigned_user().await;
        let EntraToken { tenant_id, user_id, .. } = user.entra;
        let teams_extension = format!("/access/teamsExtension/tenants/{tenant_id}/assignments/{user_id}{VERSION}");
        user.put(&teams_extension, &json!({"principalType": "user"})).await;
        let caller = EntraTokenRequest {
            tenant_id,
            user_id,
            ..EntraTokenRequest::teams_extension_user()
        };
        let caller = user.emulator.mint_entra_token(&caller).await.unwrap().token;
        let exchanged = user.https.exchange_own(&teams_extension_exchange, &caller).await;
        let tokens = [user.exchanged().await, exchanged.text("/accessToken/token")];
        let statuses = || tokens.each_ref().map(|token| user.emulator.token_status(token));
        assert_eq!(statuses(), [active, active]);

        let (deleted, expected) = if deletes_entra {
            (assignment(user_id), [revoked, active])
        } else {
            (teams_extension, [active, revoked])
        };
        user.delete(&deleted).await;
        assert_eq!(statuses(), expected);
    }
}

#[tokio::test]
async fn replacement_keeps_tokens_of_the_same_principal() {
    let user = new_user().await;
    let EntraToken {
        tenant_id,
        app_id,
        user_id,
        ..
    } = user.entra;
    let put = async |principal_type: &str, tenant_id: Uuid, client_ids: &[Uuid]| {
        let body = json!({"principalType": principal_type, "tenantId": tenant_id, "clientIds": client_ids});
        user.put(&assignment(user_id), &body).await
    };
    for (principal_type, new_tenant, client_ids, expected) in [
        ("user", tenant_id, &[][..], TokenStatus::Active),
        ("tenant", tenant_id, &[app_id], TokenStatus::Revoked),
        ("user", Uuid::nil(), &[app_id], TokenStatus::Revoked),
    ] {
        put("user", tenant_id, &[app_id]).await;
        let token = user.exchanged().await;
        assert_eq!(put(principal_type, new_tenant, client_ids).await, 200);
        assert_eq!(user.emulator.token_status(&token), expected, "{principal_type}");
        // The revocation is permanent.
        put("user", tenant_id, &[app_id]).await;
        assert_eq!(user.emulator.token_status(&token), expected, "{principal_type}");
    }
}

#[tokio::test]
async fn exchange_takes_an_object_or_no_body() {
    let user = assigned_user().await;
    for (body, status) in [("", 200), ("null", 200), ("{}", 200), ("[]", 400), ("[", 422)] {
        let request = user.https.unsigned("POST", EXCHANGE, body);
        let response = Response::of(request.bearer_auth(&user.entra.token)).await;
        assert_eq!(response.status, status, "{body}");
    }
}
