//! Custom ids, and what else the preview version tells about identities.

use crate::client::{Answer, Client, PREVIEW, VERSION, decode, start};
use acs_identity_emulator::{EntraTokenRequest, TokenStatus};
use serde_json::{Value, json};
use std::collections::HashSet;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::task::JoinSet;

async fn create(client: &Client, body: Value) -> Answer {
    client
        .send("POST", &format!("/identities{PREVIEW}"), &body.to_string())
        .await
}

async fn get(client: &Client, id: &str) -> Answer {
    client.send("GET", &format!("/identities/{id}{PREVIEW}"), "").await
}

/// When a token was issued, in the form that was recorded: `2025-02-10T21:39:39+00:00`.
fn issued_at(token: &str) -> String {
    let issued_at = decode(token, 1)["iat"].as_i64().unwrap();
    let issued_at = OffsetDateTime::from_unix_timestamp(issued_at).unwrap();
    issued_at.format(&Rfc3339).unwrap().replace('Z', "+00:00")
}

#[tokio::test]
async fn a_custom_id_finds_the_identity_again() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let first = create(&client, json!({"customId": "sally@contoso.com"})).await;
    let id = first.text("/identity/id");
    let identity = json!({"identity": {"id": id, "customId": "sally@contoso.com"}});
    assert_eq!((first.status, &first.body), (201, &identity));
    let again = create(&client, json!({"customId": "sally@contoso.com"})).await;
    assert_eq!((again.status, &again.body), (201, &identity));
    assert_eq!(emulator.identities(), [id.as_str()]);

    let body = json!({"customId": "sally@contoso.com", "createTokenWithScopes": ["chat"]});
    let with_token = create(&client, body).await;
    let token = with_token.text("/accessToken/token");
    let expected = json!({
        "identity": {"id": id, "customId": "sally@contoso.com", "lastTokenIssuedAt": issued_at(&token)},
        "accessToken": with_token.body["accessToken"],
    });
    assert_eq!((with_token.status, &with_token.body), (201, &expected));
    assert_eq!(decode(&token, 1)["skypeid"], id.strip_prefix("8:").unwrap());
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);

    assert_eq!(emulator.identities(), [id.as_str()]);
    let other = create(&client, json!({"customId": "Sally@contoso.com"})).await;
    assert_eq!(emulator.identities(), [id, other.text("/identity/id")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_creations_with_one_custom_id_create_one_identity() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let body = json!({"customId": "sally@contoso.com", "createTokenWithScopes": ["chat"]});
    let mut creations = JoinSet::new();
    for _ in 0..200 {
        let (client, body) = (client.clone(), body.clone());
        creations.spawn(async move { create(&client, body).await });
    }
    let answers = creations.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    let ids: HashSet<_> = answers.iter().map(|answer| answer.text("/identity/id")).collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), emulator.identities());
    let tokens: HashSet<_> = answers.iter().map(|answer| answer.text("/accessToken/token")).collect();
    assert_eq!(tokens.len(), 200);
}

#[tokio::test]
async fn a_custom_id_is_free_again_after_a_deletion() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let first = create(&client, json!({"customId": "a"})).await.text("/identity/id");
    assert_eq!(client.delete(&first).await.status, 204);
    let second = create(&client, json!({"customId": "a"})).await;
    assert_eq!(second.status, 201);
    assert_ne!(second.text("/identity/id"), first);
    assert_eq!(emulator.identities(), [second.text("/identity/id")]);
}

#[tokio::test]
async fn a_custom_id_has_1_to_256_characters() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for custom_id in [json!("a"), json!("a".repeat(256)), json!("é".repeat(256)), json!(null)] {
        assert_eq!(
            create(&client, json!({"customId": custom_id})).await.status,
            201,
            "{custom_id}"
        );
    }
    assert_eq!(emulator.identity_count(), 4);
    for custom_id in [json!(""), json!("a".repeat(257)), json!(7), json!(["a"])] {
        let answer = create(&client, json!({"customId": custom_id})).await;
        let message = "CustomId is invalid. It must have 1 to 256 characters.";
        answer.assert_error(400, "ValidationError", message, Some("customId"));
    }
    assert_eq!(emulator.identity_count(), 4);
}

#[tokio::test]
async fn an_identity_tells_its_custom_id_and_its_last_token() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let plain = client.create().await;
    let answer = get(&client, &plain).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"id": plain})));
    assert_eq!(answer.header("api-supported-versions"), Some("2025-03-02-preview"));

    let custom = create(&client, json!({"customId": "a"})).await.text("/identity/id");
    assert_eq!(get(&client, &custom).await.body, json!({"id": custom, "customId": "a"}));
    let last = issued_at(&client.issue_chat(&custom).await);
    let expected = json!({"id": custom, "customId": "a", "lastTokenIssuedAt": last});
    assert_eq!(get(&client, &custom).await.body, expected);
    client.revoke(&custom).await;
    assert_eq!(get(&client, &custom).await.body, expected);

    client.delete(&custom).await;
    let foreign = Client::over_http(&start().await).create().await;
    for id in [custom, foreign, "x".to_owned()] {
        let message = "Provided identity doesn't belong to the resource.";
        get(&client, &id)
            .await
            .assert_error(401, "IdentityNotOwned", message, None);
    }
}

#[tokio::test]
async fn the_stable_versions_know_nothing_of_the_previews_features() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let mut created = 0;
    for version in ["2021-03-07", "2022-06-01", "2022-10-01", "2023-10-01", "2025-06-30"] {
        for custom_id in [json!("a"), json!("a"), json!(""), json!(7)] {
            let body = json!({"customId": custom_id, "createTokenWithScopes": ["chat"]}).to_string();
            let target = format!("/identities?api-version={version}");
            let answer = client.send("POST", &target, &body).await;
            assert_eq!(answer.status, 201, "{version} {custom_id}");
            assert_eq!(answer.body["identity"], json!({"id": answer.text("/identity/id")}));
            created += 1;
            assert_eq!(emulator.identity_count(), created, "{version} {custom_id}");
        }
    }

    let path = format!("/identities/{}", client.create().await);
    let answer = client.send("GET", &format!("{path}{VERSION}"), "").await;
    let message = format!(
        "The HTTP resource that matches the request URI '{}{path}' does not support the API version '2023-10-01'.",
        client.origin
    );
    answer.assert_error(400, "UnsupportedApiVersion", &message, None);
    assert_eq!(answer.header("api-supported-versions"), Some("2025-03-02-preview"));
}

#[tokio::test]
async fn the_preview_version_serves_the_other_operations_too() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let send = async |method, path: String, body: Value| {
        client
            .send(method, &format!("{path}{PREVIEW}"), &body.to_string())
            .await
    };
    let id = create(&client, Value::Null).await.text("/identity/id");
    let issued = send(
        "POST",
        format!("/identities/{id}/:issueAccessToken"),
        json!({"scopes": ["voip"]}),
    )
    .await;
    assert_eq!(issued.status, 200);
    let revoked = send("POST", format!("/identities/{id}/:revokeAccessTokens"), Value::Null).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(emulator.token_status(&issued.text("/token")), TokenStatus::Revoked);
    assert_eq!(
        send("DELETE", format!("/identities/{id}"), Value::Null).await.status,
        204
    );

    let entra = emulator
        .mint_entra_token(&EntraTokenRequest::teams_user())
        .await
        .unwrap();
    let body = json!({"token": entra.token, "appId": entra.app_id, "userId": entra.user_id});
    assert_eq!(
        send("POST", "/teamsUser/:exchangeAccessToken".to_owned(), body)
            .await
            .status,
        200
    );
}
