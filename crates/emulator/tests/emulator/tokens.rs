//! The claims of access tokens, and their status.

use crate::client::{Client, USER_CLAIMS, decode, decode_bytes, names_in_order, start};
use acs_identity_emulator::{Emulator, EntraTokenRequest, TokenAlgorithm, TokenStatus};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{collections::HashSet, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Names, order and values as in the service's own tokens of 2023 and later.
#[tokio::test]
async fn token_has_the_services_form() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let before = OffsetDateTime::now_utc();
    let body = json!({"scopes": ["chat.join.limited", "voip"], "expiresInMinutes": 90});
    let response = client.issue(&id, body).await;
    let token = response.text("/token");

    let header = decode(&token, 0);
    assert_eq!(names_in_order(&token, 0), ["alg", "kid", "x5t", "typ"]);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
    assert_eq!(
        (
            header["kid"].as_str().unwrap().len(),
            header["x5t"].as_str().unwrap().len()
        ),
        (40, 27)
    );

    let claims = decode(&token, 1);
    let iat = claims["iat"].as_i64().unwrap();
    let after = OffsetDateTime::now_utc();
    assert!((before.unix_timestamp()..=after.unix_timestamp()).contains(&iat));
    assert_eq!(names_in_order(&token, 1), USER_CLAIMS);
    let expected = json!({
        "skypeid": id.strip_prefix("8:").unwrap(),
        "scp": 1792,
        "csi": iat.to_string(),
        "exp": iat + 90 * 60,
        "rgn": "amer",
        "acsScope": "chat.join.limited,voip",
        "resourceId": emulator.resource_id(),
        "resourceLocation": "unitedstates",
        "iat": iat,
    });
    assert_eq!(claims, expected);

    let expires_on = response.text("/expiresOn");
    let fraction = expires_on
        .strip_suffix("+00:00")
        .and_then(|time| time.split('.').nth(1));
    assert_eq!(fraction.map(str::len), Some(7), "{expires_on}");
    assert_eq!(
        OffsetDateTime::parse(&expires_on, &Rfc3339).unwrap().unix_timestamp(),
        iat + 90 * 60
    );
}

#[tokio::test]
async fn token_expires_after_a_day_by_default() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let token = client.issue_chat(&client.create().await).await;
    let claims = decode(&token, 1);
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        86_400
    );

    emulator.advance(Duration::from_secs(86_400 - 600));
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    emulator.advance(Duration::from_secs(600));
    assert_eq!(emulator.token_status(&token), TokenStatus::Expired);
}

#[tokio::test]
async fn revocation_affects_earlier_tokens_only() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let (id, bystander) = (client.create().await, client.create().await);
    let before = [client.issue_chat(&id).await, client.issue_chat(&id).await];
    let others = client.issue_chat(&bystander).await;
    assert_eq!(client.revoke(&id).await.status, 204);
    let after = client.issue_chat(&id).await;

    for token in &before {
        assert_eq!(emulator.token_status(token), TokenStatus::Revoked);
    }
    assert_eq!(emulator.token_status(&after), TokenStatus::Active);
    assert_eq!(emulator.token_status(&others), TokenStatus::Active);
}

#[tokio::test]
async fn tokens_of_one_second_differ_in_white_space() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let mut tokens = Vec::new();
    for _ in 0..20 {
        tokens.push(client.issue_chat(&id).await);
    }
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), 20);
    for token in &tokens {
        let text = String::from_utf8(decode_bytes(token, 1)).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 9);
        assert!(text.trim_end().ends_with('}'));
    }
}

#[tokio::test]
async fn tokens_of_a_deleted_identity_are_inactive() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let token = client.issue_chat(&id).await;
    client.delete(&id).await;
    assert_eq!(emulator.token_status(&token), TokenStatus::IdentityDeleted);
}

#[tokio::test]
async fn foreign_tokens_are_unknown() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let token = client.issue_chat(&client.create().await).await;
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let other_claims = decode_bytes(&client.issue_chat(&client.create().await).await, 1);
    let other_claims = BASE64_URL_SAFE_NO_PAD.encode(other_claims);
    let forged = format!("{}.{other_claims}.{signature}", rest.split('.').next().unwrap());
    let entra = emulator
        .mint_entra_token(&EntraTokenRequest::teams_user())
        .await
        .unwrap();
    for unknown in ["", "a.b", "a.b.c", rest, &forged, &entra.token] {
        assert_eq!(emulator.token_status(unknown), TokenStatus::Unknown, "{unknown}");
    }
    // The token key is the same in all tests, the resource is not.
    assert_eq!(start().await.token_status(&token), TokenStatus::Unknown);
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
}

#[tokio::test]
async fn tokens_can_be_signed_with_es256() {
    let emulator = Emulator::builder()
        .token_algorithm(TokenAlgorithm::Es256)
        .start()
        .await
        .unwrap();
    let client = Client::over_http(&emulator);
    let token = client.issue_chat(&client.create().await).await;
    assert_eq!(decode(&token, 0)["alg"], "ES256");
    assert_eq!(decode_bytes(&token, 2).len(), 64);
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
}
