//! Every recorded exchange with the real service, compared with the emulator.

use crate::client::{Client, Response, start};
use acs_identity_emulator::{Emulator, EntraToken, EntraTokenRequest};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

#[derive(Deserialize)]
struct Recording {
    name: String,
    header_names_basis: String,
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    request: RecordedRequest,
    response: RecordedResponse,
}

#[derive(Deserialize)]
struct RecordedRequest {
    method: String,
    path: String,
    query: String,
    header_names: Vec<String>,
    body: Value,
}

#[derive(Deserialize)]
struct RecordedResponse {
    status: u16,
    header_names: Vec<String>,
    header_values_seen: Value,
    body: Value,
}

#[tokio::test]
async fn responses_match_the_recordings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/recordings");
    let mut replayed = 0;
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        replay(&serde_json::from_str(&text).unwrap()).await;
        replayed += 1;
    }
    assert!(replayed >= 15, "{replayed}");
}

async fn replay(recording: &Recording) {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let identity = identity(recording, &client).await;
    let entra = entra_token(recording, &emulator).await;
    for exchange in &recording.exchanges {
        let request = &exchange.request;
        let path = request.path.replace("sanitized", &identity);
        // If the version was not recorded, any that the operation supported at the time is right.
        let query = request
            .query
            .split_once(' ')
            .map_or(request.query.as_str(), |_| "api-version=2022-06-01");
        let body = if request.body.is_null() {
            String::new()
        } else {
            fill_in(&request.body, &entra).to_string()
        };
        let sent = client
            .signed(&request.method, &format!("{path}?{query}"), &body)
            .header("x-ms-client-request-id", "1f9a")
            .header("x-ms-return-client-request-id", "true");
        let response = Response::of(sent).await;
        assert!(request.header_names.iter().any(|name| name == "x-ms-content-sha256"));
        assert_same(recording, &exchange.response, &response);
    }
}

/// The identity that `sanitized` stands for in paths: one of the resource, unless the recording is about another's.
async fn identity(recording: &Recording, client: &Client) -> String {
    if recording.name.contains("foreign") {
        Client::over_http(&start().await).create().await
    } else {
        client.create().await
    }
}

async fn entra_token(recording: &Recording, emulator: &Emulator) -> EntraToken {
    let expires_in_seconds = if recording.name.contains("expired") { -60 } else { 3600 };
    let request = EntraTokenRequest {
        expires_in_seconds,
        ..EntraTokenRequest::teams_user()
    };
    let mut token = emulator.mint_entra_token(&request).await.unwrap();
    if recording.name.contains("wrong_app_id") {
        token.app_id = EntraTokenRequest::teams_user().app_id;
    }
    token
}

/// Fills in the values that were removed from the recording.
fn fill_in(body: &Value, entra: &EntraToken) -> Value {
    let mut body = body.clone();
    for (name, value) in [
        ("token", entra.token.clone()),
        ("appId", entra.app_id.to_string()),
        ("userId", entra.user_id.to_string()),
    ] {
        if body[name] == "sanitized" {
            body[name] = value.into();
        }
    }
    body
}

fn assert_same(recording: &Recording, recorded: &RecordedResponse, response: &Response) {
    let name = &recording.name;
    assert_eq!(response.status, recorded.status, "{name}");
    if recorded.status < 400 {
        assert_eq!(shape(&response.body), shape(&recorded.body), "{name}");
    } else {
        assert_eq!(response.body, recorded.body, "{name}");
    }
    // Some files say that their names are assumed.
    if recording.header_names_basis.starts_with("observed") {
        let recorded: BTreeSet<_> = recorded.header_names.iter().map(|name| name.to_lowercase()).collect();
        let responded: BTreeSet<_> = response.headers.keys().map(ToString::to_string).collect();
        assert_eq!(responded, recorded, "{name}");
    }
    for (header, value) in recorded.header_values_seen.as_object().unwrap() {
        let responded = response.header(header);
        match header.as_str() {
            // Times and versions have changed since.
            "X-Processing-Time" => assert!(responded.is_some_and(|time| time.ends_with("ms")), "{name}"),
            "api-supported-versions" => assert!(responded.is_some_and(|list| list.contains("2022-10-01")), "{name}"),
            _ => assert_eq!(responded, value.as_str(), "{name}: {header}"),
        }
    }
}

/// A JSON value with its strings emptied.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect(),
        Value::String(_) => Value::String(String::new()),
        other => other.clone(),
    }
}
