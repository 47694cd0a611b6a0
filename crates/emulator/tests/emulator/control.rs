//! The control surface and its guard.

use crate::{
    client::{Client, Response, VERSION, VERSIONS, decode, decode_bytes, http, start},
    wire::{address, exchange},
};
use acs_identity_emulator::{AccessKeyKind, Emulator, Operation, TokenAlgorithm, TokenStatus};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::time::Duration;

async fn get(emulator: &Emulator, path: &str) -> Response {
    Response::of(http().get(format!("{}{path}", emulator.control_endpoint()))).await
}

async fn post(emulator: &Emulator, path: &str, body: impl ToString) -> Response {
    let url = format!("{}{path}", emulator.control_endpoint());
    Response::of(http().post(url).body(body.to_string())).await
}

#[tokio::test]
async fn the_resource_is_described() {
    let emulator = start().await;
    Client::over_http(&emulator).create().await;
    let resource = get(&emulator, "resource").await;
    assert_eq!(resource.status, 200);
    assert_eq!(resource.body["resourceId"], json!(emulator.resource_id()));
    assert_eq!(resource.body["identities"], 1);
    for (path, status) in [("keys/", 404), ("nothing", 404), ("entra/tokens", 405)] {
        let response = get(&emulator, path).await;
        assert_eq!(
            (response.status, response.body.get("error").is_some()),
            (status, true),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_published_keys_verify_the_tokens() {
    for algorithm in [TokenAlgorithm::Rs256, TokenAlgorithm::Es256] {
        let emulator = Emulator::builder().token_algorithm(algorithm).start().await.unwrap();
        let client = Client::over_http(&emulator);
        let token = client.issue_chat(&client.create().await).await;
        let keys = get(&emulator, "keys").await.body;
        let [key] = keys["keys"].as_array().unwrap().as_slice() else {
            panic!("{keys}")
        };
        let header = decode(&token, 0);
        assert_eq!(
            (&key["kid"], &key["alg"], &key["use"]),
            (&header["kid"], &header["alg"], &json!("sig"))
        );

        let (message, _) = token.rsplit_once('.').unwrap();
        let signature = decode_bytes(&token, 2);
        let number = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
        let checked = match key["kty"].as_str().unwrap() {
            "RSA" => RsaPublicKeyComponents {
                n: number("n"),
                e: number("e"),
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature),
            _ => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], number("x"), number("y")].concat())
                .verify(message.as_bytes(), &signature),
        };
        assert!(checked.is_ok(), "{algorithm:?}");
    }
}

#[tokio::test]
async fn introspection_returns_the_status() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let introspect = async |token: &str| post(&emulator, "tokens/introspect", json!({"token": token})).await.body;

    let token = client.issue_chat(&id).await;
    let active = introspect(&token).await;
    assert_eq!(
        active,
        json!({"active": true, "status": "active", "claims": decode(&token, 1)})
    );
    client.revoke(&id).await;
    let revoked = introspect(&token).await;
    assert_eq!(
        revoked,
        json!({"active": false, "status": "revoked", "claims": decode(&token, 1)})
    );
    client.delete(&id).await;
    assert_eq!(introspect(&token).await["status"], "identityDeleted");
    emulator.advance(Duration::from_secs(86_400));
    assert_eq!(introspect(&token).await["status"], "expired");
    assert_eq!(introspect("a.b.c").await, json!({"active": false, "status": "unknown"}));

    for bad in [json!({}), json!("secret"), json!(["secret"]), Value::Null] {
        let response = post(&emulator, "tokens/introspect", bad).await;
        response.assert_error(400, "InvalidRequest", r#"Send {"token":"..."}."#, None);
    }
}

#[tokio::test]
async fn entra_tokens_have_default_or_given_claims() {
    let emulator = start().await;
    let https = Client::over_https(&emulator);
    for body in ["", "{}", r#"{"kind":"service"}"#] {
        let minted = post(&emulator, "entra/tokens", body).await;
        let bearer = https
            .unsigned("POST", &format!("/identities{VERSION}"), "")
            .bearer_auth(minted.text("/token"));
        assert_eq!(Response::of(bearer).await.status, 201, "{body}");
    }

    let teams_user = post(&emulator, "entra/tokens", r#"{"kind":"teamsUser"}"#).await;
    assert_eq!(
        https
            .post("/teamsUser/:exchangeAccessToken", teams_user.body)
            .await
            .status,
        200
    );

    let ids = json!({
        "kind": "teamsUser",
        "audience": "other",
        "tenantId": "00000000-0000-0000-0000-000000000001",
        "appId": "00000000-0000-0000-0000-000000000002",
        "userId": "00000000-0000-0000-0000-000000000003",
        "groups": ["00000000-0000-0000-0000-000000000004", "00000000-0000-0000-0000-000000000005"],
        "expiresInSeconds": 7200,
    });
    let claims = decode(&post(&emulator, "entra/tokens", &ids).await.text("/token"), 1);
    assert_eq!(
        [&claims["aud"], &claims["tid"], &claims["appid"], &claims["oid"]],
        [&ids["audience"], &ids["tenantId"], &ids["appId"], &ids["userId"]]
    );
    assert_eq!(claims["groups"], ids["groups"]);
    assert_eq!(claims["scp"], "Teams.ManageCalls Teams.ManageChats");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7200);

    for bad in [
        "{",
        "[]",
        r#"{"kind":"user"}"#,
        r#"{"scopes":"Chat"}"#,
        r#"{"appID":""}"#,
        r#"{"appId":"x"}"#,
    ] {
        let response = post(&emulator, "entra/tokens", bad).await;
        assert_eq!(
            (response.status, response.text("/error/code").as_str()),
            (400, "InvalidRequest"),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn pages_in_a_browser_are_refused() {
    let emulator = start().await;
    let own = format!("http://{}", address(emulator.endpoint()));
    let port = address(emulator.endpoint()).split_once(':').unwrap().1;
    let localhost = format!("localhost:{port}");
    let rows = [
        ("Host: 127.0.0.1", 200),
        ("Host: localhost", 200),
        ("Host: [::1]:1234", 200),
        ("Host: evil.example", 403),
        ("Host: 127.0.0.1.evil.example", 403),
        ("Host: 0.0.0.0", 403),
        ("X-Host: localhost", 403),
        (&format!("Host: {}\r\nOrigin: {own}", address(emulator.endpoint())), 200),
        (&format!("Host: {localhost}\r\nOrigin: http://{localhost}"), 200),
        (&format!("Host: {localhost}\r\nOrigin: https://{localhost}"), 403),
        (&format!("Host: {localhost}\r\nOrigin: http://localhost:3000"), 403),
        (&format!("Host: {localhost}\r\nOrigin: null"), 403),
        (&format!("Host: {localhost}\r\nOrigin: https://evil.example"), 403),
        ("Host: localhost\r\nSec-Fetch-Site: same-origin", 200),
        ("Host: localhost\r\nSec-Fetch-Site: none", 200),
        ("Host: localhost\r\nSec-Fetch-Site: same-site", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site", 403),
    ];
    for (headers, status) in rows {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/page.js"),
            ("GET", "/access-keys"),
            ("GET", "/keys"),
            ("GET", "/refusals"),
            ("POST", "/entra/tokens"),
            ("GET", "/nothing"),
        ] {
            let request = format!("{method} /_emulator{path} HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n");
            let response = exchange(emulator.endpoint(), &request).await;
            let status = if status == 200 && path == "/nothing" {
                404
            } else {
                status
            };
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} ")),
                "{path}: {headers}: {response}"
            );
        }
    }
}

#[tokio::test]
async fn control_surface_is_available_over_https() {
    let emulator = start().await;
    let https = Client::over_https(&emulator);
    let index = Response::of(https.http.get(format!("{}/_emulator/resource", https.origin))).await;
    assert_eq!(index.status, 200);
}

#[tokio::test]
async fn the_newest_identities_are_listed_first() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let ids = [client.create().await, client.create().await];
    let list = get(&emulator, "identities").await.body;
    assert_eq!(
        list,
        json!({"total": 2, "identities": [{"id": ids[1]}, {"id": ids[0]}]})
    );
}

#[tokio::test]
async fn requests_are_listed_with_their_identity() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    client.issue_chat(&id).await;
    client.delete(&id).await;
    client.issue(&id, json!({"scopes": []})).await;
    get(&emulator, "keys").await;

    let list = get(&emulator, "requests").await.body;
    let seen: Vec<_> = list["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| {
            json!([
                request["operation"],
                request["identity"],
                request["status"],
                request["code"]
            ])
        })
        .collect();
    let expected = [
        json!(["issueToken", id, 400, "ValidationError"]),
        json!(["deleteIdentity", id, 204, null]),
        json!(["issueToken", id, 200, null]),
        json!(["createIdentity", id, 201, null]),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn requests_are_listed_with_their_trace() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = || client.unsigned("GET", "/identities", "");
    Response::of(request().header("traceparent", traceparent)).await;
    Response::of(request()).await;

    let list = get(&emulator, "requests").await.body;
    assert_eq!(list["requests"][0].get("traceparent"), None);
    assert_eq!(list["requests"][1]["traceparent"], traceparent);
}

#[tokio::test]
async fn issued_tokens_are_listed_by_claims_and_status() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let revoked = client.issue_chat(&id).await;
    client.revoke(&id).await;
    let active = client.issue_chat(&id).await;

    let list = get(&emulator, "tokens").await.body;
    let expected = json!({"tokens": [
        {"number": 1, "status": "active", "claims": decode(&active, 1)},
        {"number": 0, "status": "revoked", "claims": decode(&revoked, 1)},
    ]});
    assert_eq!(list, expected);
}

#[tokio::test]
async fn access_key_is_regenerated_beside_the_other() {
    let emulator = start().await;
    let before = get(&emulator, "access-keys").await.body;
    let client = |keys: &Value, kind: &str| {
        let key = keys[kind]["accessKey"].as_str().unwrap();
        assert_eq!(
            keys[kind]["connectionString"],
            format!("endpoint={};accesskey={key}", emulator.endpoint())
        );
        assert_eq!(
            keys[kind]["httpsConnectionString"],
            format!("endpoint={};accesskey={key}", emulator.https_endpoint())
        );
        Client::new(http(), emulator.endpoint(), key)
    };
    let (primary, secondary) = (client(&before, "primary"), client(&before, "secondary"));
    assert_eq!(
        [&primary.access_key, &secondary.access_key],
        [&emulator.access_key(), &emulator.secondary_access_key()]
    );
    let id = primary.create().await;
    let by_primary = primary.issue_chat(&id).await;
    let by_secondary = secondary.issue_chat(&id).await;

    let regenerated = post(&emulator, "access-keys/primary/regenerate", "").await;
    assert_eq!(regenerated.status, 200);
    let after = get(&emulator, "access-keys").await.body;
    assert_eq!(after["primary"], regenerated.body);
    assert_eq!(after["secondary"], before["secondary"]);

    let refused = primary.send("POST", &format!("/identities{VERSION}"), "").await;
    refused.assert_error(401, "Denied", "Denied by the resource provider.", None);
    for client in [client(&after, "primary"), secondary] {
        client.issue_chat(&id).await;
    }
    assert_eq!(emulator.token_status(&by_primary), TokenStatus::Revoked);
    assert_eq!(emulator.token_status(&by_secondary), TokenStatus::Active);

    emulator.regenerate_access_key(AccessKeyKind::Secondary).await.unwrap();
    assert_eq!(emulator.token_status(&by_secondary), TokenStatus::Revoked);
    assert_eq!(get(&emulator, "access-keys").await.body["primary"], after["primary"]);
    assert_eq!(post(&emulator, "access-keys/tertiary/regenerate", "").await.status, 404);
}

#[tokio::test]
async fn page_is_private() {
    let emulator = start().await;
    for (path, content_type) in [
        ("", "text/html; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("access-keys", "application/json; charset=utf-8"),
    ] {
        let response = http()
            .get(format!("{}{path}", emulator.control_endpoint()))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        for (name, value) in [
            ("content-type", content_type),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(response.headers()[name], value, "{path}: {name}");
        }
        if path.is_empty() {
            let policy = response.headers()["content-security-policy"].to_str().unwrap();
            for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
                assert!(policy.contains(rule), "{policy}");
            }
        }
    }
}

#[tokio::test]
async fn the_page_is_found_without_the_slash() {
    let emulator = start().await;
    let request = "GET /_emulator HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let response = exchange(emulator.endpoint(), request).await;
    assert!(response.starts_with("HTTP/1.1 308 "), "{response}");
    assert!(response.contains("\r\nlocation: /_emulator/\r\n"), "{response}");
}

#[tokio::test]
async fn page_offers_every_version_and_operation() {
    let emulator = start().await;
    let page = http().get(emulator.control_endpoint()).send().await.unwrap();
    let page = page.text().await.unwrap();
    let offered = |before: &str, after: char| -> Vec<String> {
        let rest = page.split(before).skip(1);
        rest.map(|rest| rest.split_once(after).unwrap().0.to_owned()).collect()
    };
    assert_eq!(offered(r#"name="withdrawnVersions" value=""#, '"'), VERSIONS);
    assert_eq!(
        offered("<option>", '<'),
        Operation::ALL.map(|operation| operation.to_string())
    );
}
