//! Authentication by signature and by bearer token.

use crate::{
    client::{Client, Response, VERSION, builder, start},
    signer,
};
use acs_identity_emulator::EntraTokenRequest;
use reqwest::RequestBuilder;
use serde_json::json;
use std::time::Duration;
use time::OffsetDateTime;

const DENIED: &str = "Denied by the resource provider.";

#[tokio::test]
async fn missing_or_malformed_authentication_is_denied() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let target = format!("/identities{VERSION}");
    let unsigned = || client.unsigned("POST", &target, "");
    let without = |name: &'static str| {
        let (http, request) = client.signed("POST", &target, "").build_split();
        let mut request = request.unwrap();
        request.headers_mut().remove(name).unwrap();
        RequestBuilder::from_parts(http, request)
    };
    for request in [
        unsigned(),
        unsigned().header("authorization", "Basic dXNlcjpwYXNz"),
        unsigned().header("authorization", "HMAC-SHA256 SignedHeaders=host&Signature=AAAA"),
        without("authorization"),
        without("x-ms-date"),
        without("x-ms-content-sha256"),
        client.signed_at("2026-08-01T00:00:00Z", "POST", &target, ""),
    ] {
        assert_denied(&Response::of(request).await, DENIED);
    }
    assert_eq!(emulator.identity_count(), 0);
}

#[tokio::test]
async fn wrong_signature_or_key_is_denied() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let stranger = Client {
        access_key: "b3RoZXI=".to_owned(),
        ..client.clone()
    };
    assert_denied(&stranger.post("/identities", json!({})).await, DENIED);

    let (http, request) = client
        .signed("POST", &format!("/identities{VERSION}"), "{}")
        .build_split();
    let mut request = request.unwrap();
    request.url_mut().set_query(Some("api-version=2022-10-01"));
    assert_denied(&Response::of(RequestBuilder::from_parts(http, request)).await, DENIED);
}

#[tokio::test]
async fn body_other_than_the_hashed_one_is_named() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let request = client
        .signed("POST", &format!("/identities{VERSION}"), "{}")
        .body("{ }");
    let message = "Request 'x-ms-content-sha256' differs from generated content hash.";
    assert_denied(&Response::of(request).await, message);
}

#[tokio::test]
async fn signed_request_is_valid_for_minutes() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let target = format!("/identities{VERSION}");
    emulator.advance(Duration::from_secs(120));
    assert_eq!(client.send("POST", &target, "").await.status, 201);
    emulator.advance(Duration::from_secs(600));
    let message = "The given request could not be resolved. The time difference between the originating client and \
                   the server is greater than the allowed margin of 5 minutes.";
    let late = client.send("POST", &target, "").await;
    assert_denied(&late, message);

    // A client that takes the time from responses is accepted again.
    let date = late.header("date").unwrap();
    assert_eq!(
        Response::of(client.signed_at(date, "POST", &target, "")).await.status,
        201
    );

    emulator.set_clock_offset(time::Duration::minutes(-6));
    assert_denied(&client.send("POST", &target, "").await, message);
    emulator.set_clock_offset(time::Duration::ZERO);
    assert_eq!(client.send("POST", &target, "").await.status, 201);
}

#[tokio::test]
async fn authentication_comes_first() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for target in [
        "/identities",
        "/identities?api-version=1",
        "/nowhere",
        "/teamsUser/:exchangeAccessToken",
    ] {
        assert_denied(&Response::of(client.unsigned("POST", target, "{")).await, DENIED);
    }
}

#[tokio::test]
async fn bearer_token_needs_https() {
    let emulator = start().await;
    let (http, https) = (Client::over_http(&emulator), Client::over_https(&emulator));
    for audience in [
        None,
        Some("https://communication.azure.com"),
        Some("632ec9eb-fad7-4cbd-993a-e72973ba2acc"),
        Some("https://communication.azure.com/"),
    ] {
        let request = EntraTokenRequest {
            audience: audience.map(Into::into),
            ..EntraTokenRequest::service()
        };
        let token = emulator.mint_entra_token(&request).await.unwrap().token;
        assert_eq!(create_as_bearer(&https, &token).await.status, 201, "{audience:?}");
        assert_denied(&create_as_bearer(&http, &token).await, DENIED);
    }
}

#[tokio::test]
async fn invalid_bearer_token_is_denied() {
    let emulator = start().await;
    let https = Client::over_https(&emulator);
    let service = EntraTokenRequest::service;
    let good = emulator.mint_entra_token(&service()).await.unwrap().token;
    let mut bad = vec![
        String::new(),
        "a.b.c".to_owned(),
        good.rsplit_once('.').unwrap().0.to_owned() + ".AAAA",
    ];
    for request in [
        EntraTokenRequest {
            audience: Some("https://graph.microsoft.com".to_owned()),
            ..service()
        },
        EntraTokenRequest {
            expires_in_seconds: -1,
            ..service()
        },
        EntraTokenRequest::teams_user(),
        EntraTokenRequest::teams_extension_user(),
        EntraTokenRequest::entra_user(),
        EntraTokenRequest {
            audience: Some("https://communication.azure.com/clients/".to_owned()),
            ..EntraTokenRequest::entra_user()
        },
    ] {
        bad.push(emulator.mint_entra_token(&request).await.unwrap().token);
    }
    bad.push(https.issue_chat(&https.create().await).await);
    for token in bad {
        assert_denied(&create_as_bearer(&https, &token).await, DENIED);
    }

    emulator.advance(Duration::from_secs(3600));
    assert_denied(&create_as_bearer(&https, &good).await, DENIED);
}

#[tokio::test]
async fn unverified_bearer_needs_audience_and_expiry() {
    let emulator = builder().accept_unverified_bearer(true).start().await.unwrap();
    let https = Client::over_https(&emulator);
    let mint = async |request: &EntraTokenRequest| {
        let token = emulator.mint_entra_token(request).await.unwrap().token;
        format!("{}.c2lnbmVkLWJ5LWFub3RoZXI", token.rsplit_once('.').unwrap().0)
    };
    let good = EntraTokenRequest::service();
    assert_eq!(create_as_bearer(&https, &mint(&good).await).await.status, 201);
    for bad in [
        EntraTokenRequest {
            expires_in_seconds: 0,
            ..good.clone()
        },
        EntraTokenRequest {
            audience: Some("other".to_owned()),
            ..good
        },
    ] {
        assert_denied(&create_as_bearer(&https, &mint(&bad).await).await, DENIED);
    }
}

async fn create_as_bearer(client: &Client, token: &str) -> Response {
    Response::of(
        client
            .unsigned("POST", &format!("/identities{VERSION}"), "")
            .bearer_auth(token),
    )
    .await
}

#[track_caller]
fn assert_denied(response: &Response, message: &str) {
    response.assert_error(401, "Denied", message, None);
    assert_eq!(response.header("api-supported-versions"), None);
}

#[tokio::test]
async fn signature_covers_the_date_sent() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let target = format!("/identities{VERSION}");
    let later = signer::http_date(OffsetDateTime::now_utc() + Duration::from_secs(30));
    let (http, request) = client.signed("POST", &target, "").build_split();
    let mut request = request.unwrap();
    request.headers_mut().insert("x-ms-date", later.parse().unwrap());
    assert_denied(&Response::of(RequestBuilder::from_parts(http, request)).await, DENIED);
}
