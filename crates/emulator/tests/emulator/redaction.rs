//! Secrets are in no log and in no `Debug` output.

use crate::{
    client::builder,
    signer::{KEY, ToSign},
};
#[cfg(feature = "cli")]
use crate::{
    client::{Client, PREVIEW, Response, VERSION, http},
    data::Temporary,
    process::{Process, command, temporary},
};
#[cfg(feature = "cli")]
use acs_identity_emulator::Uuid;
use acs_identity_emulator::{EntraTokenRequest, signature::SignedRequest};
#[cfg(feature = "cli")]
use reqwest::RequestBuilder;
#[cfg(feature = "cli")]
use serde_json::json;
#[cfg(feature = "cli")]
use std::fs;

/// Asserts that a text contains no part of some secrets: not ten characters of their beginning, middle or end.
#[track_caller]
pub(crate) fn assert_hides(text: &str, secrets: &[String]) {
    for secret in secrets {
        let secret = secret.trim_end_matches('=');
        let end = secret.len() - 10;
        for fragment in [0, end / 2, end].map(|at| &secret[at..at + 10]) {
            assert!(!text.contains(fragment), "{fragment} in {text}");
        }
    }
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let builder = builder().access_key(KEY);
    let described = format!("{builder:?}");
    let emulator = builder.start().await.unwrap();
    let entra = emulator.mint_entra_token(&EntraTokenRequest::service()).await.unwrap();
    let to_sign = ToSign {
        method: "GET",
        target: "/",
        host: "h",
        date: "d",
        body: b"",
    };
    let authorization = to_sign.authorization(KEY);
    let request = SignedRequest {
        method: "GET",
        target: "/",
        host: None,
        x_ms_date: None,
        date: None,
        content_sha256: None,
        authorization: Some(&authorization),
        body: entra.token.as_bytes(),
    };
    let shown = format!("{described} {emulator:?} {entra:?} {request:?}");
    let body = format!("{:?}", entra.token.as_bytes());
    assert_hides(
        &shown,
        &[KEY.to_owned(), entra.token.clone(), authorization.clone(), body],
    );
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn no_log_level_contains_a_secret() {
    let ca = temporary(&format!("{}.pem", Uuid::new_v4()));
    let data = Temporary::new();
    let arguments = [
        "--access-key",
        KEY,
        "--ca-out",
        ca.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ];
    let process = Process::spawn(command(&arguments).env("RUST_LOG", "trace"))
        .await
        .unwrap();
    let https = process.https_client(&fs::read_to_string(&ca).unwrap());
    fs::remove_file(ca).unwrap();
    let client = process.client();
    let stranger = Client {
        access_key: "b3RoZXI=".to_owned(),
        ..client.clone()
    };
    let control = process.text("controlEndpoint");
    let mint = async |body| Response::of(http().post(format!("{control}entra/tokens")).body(body)).await;
    let entra = mint(r#"{"kind":"teamsUser"}"#).await;
    let entra_token = entra.text("/token");
    let mut secrets = vec![KEY.to_owned(), entra_token.clone()];

    for (target, body) in [
        (
            format!("/identities{VERSION}"),
            r#"{"createTokenWithScopes":["chat"]}"#.to_owned(),
        ),
        (format!("/identities{VERSION}"), format!(r#""{entra_token}""#)),
        (
            format!("/teamsUser/:exchangeAccessToken{VERSION}"),
            entra.body.to_string(),
        ),
        (format!("/identities?api-version={entra_token}"), String::new()),
        ("/_emulator/tokens/introspect".to_owned(), entra.body.to_string()),
        ("/_emulator/tokens/introspect".to_owned(), entra_token.clone()),
    ] {
        for client in [&client, &stranger] {
            let (http, request) = client.signed("POST", &target, &body).build_split();
            let request = request.unwrap();
            let authorization = request.headers()["authorization"].to_str().unwrap();
            secrets.push(authorization.rsplit_once("Signature=").unwrap().1.to_owned());
            let response = Response::of(RequestBuilder::from_parts(http, request)).await;
            let token = ["/token", "/accessToken/token"]
                .iter()
                .find_map(|token| response.body.pointer(token));
            secrets.extend(token.and_then(|token| token.as_str()).map(ToOwned::to_owned));
        }
    }
    Response::of(client.unsigned("POST", "/", "").bearer_auth(&entra_token)).await;

    let user = mint(r#"{"kind":"entraUser"}"#).await;
    let assignment = json!({
        "principalType": "user",
        "tenantId": user.text("/tenantId"),
        "clientIds": [user.text("/appId")],
    });
    let target = format!("/access/entra/assignments/{}{PREVIEW}", user.text("/userId"));
    client.send("PUT", &target, &assignment.to_string()).await;
    let exchange = format!("/access/entra/:exchangeAccessToken{PREVIEW}");
    for client in [&client, &https] {
        let response = client.exchange_own(&exchange, &user.text("/token")).await;
        secrets.extend(
            response
                .body
                .pointer("/accessToken/token")
                .and_then(|token| token.as_str())
                .map(ToOwned::to_owned),
        );
    }
    secrets.push(user.text("/token"));

    let log = process.into_log().await;
    assert_eq!(log.matches("status=").count(), 14 + 4, "{log}");
    assert_eq!(secrets.len(), 2 + 12 + 2 + 2);
    assert_hides(&log, &secrets);
}
