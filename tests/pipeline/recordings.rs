//! Recorded responses of the service, given to the client: it decodes successes, and keeps the service's errors.
//!
//! Each file under `testdata/recordings` names the repository it was recorded for.

use crate::support::{
    fake_service::{AttemptResponse, FakeService, respond},
    fixtures::CONNECTION_STRING,
    operation::{Operation, Output, Subject},
};
use azure_communication_identity::{
    CommunicationError, CommunicationIdentityClient, CommunicationIdentityClientOptions,
};
use azure_core::{Error, error::ErrorKind, http::StatusCode};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// One request and response of a recording.
struct Exchange {
    file: String,
    operation: Operation,
    status: StatusCode,
    body: Value,
}

/// Returns the operation of a request.
fn operation(request: &Value) -> Operation {
    let path = request["path"].as_str().unwrap();
    match (request["method"].as_str().unwrap(), path.rsplit('/').next().unwrap()) {
        ("POST", "identities") if request["body"]["createTokenWithScopes"].is_array() => Operation::CreateUserAndToken,
        ("POST", "identities") => Operation::CreateUser,
        ("POST", ":issueAccessToken") => Operation::GetToken,
        ("POST", ":revokeAccessTokens") => Operation::RevokeTokens,
        ("POST", ":exchangeAccessToken") => Operation::GetTokenForTeamsUser,
        ("DELETE", _) => Operation::DeleteUser,
        other => panic!("{other:?}"),
    }
}

/// Returns the results of an operation in the form of the wire.
fn on_the_wire(output: Output) -> Value {
    let user = output.user.map(|user| json!({ "id": user }));
    // A time as the service writes it: the fraction in up to seven digits, without trailing zeros, and the offset.
    let timestamp = |time| azure_core::time::to_rfc3339(&time).replace('Z', "+00:00");
    let token = output
        .token
        .map(|token| json!({"token": token.token.secret(), "expiresOn": timestamp(token.expires_on)}));
    match (user, token) {
        (Some(user), Some(token)) => json!({"identity": user, "accessToken": token}),
        (Some(user), None) => json!({ "identity": user }),
        (None, token) => token.unwrap_or_default(),
    }
}

fn exchanges() -> Vec<Exchange> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/recordings");
    let mut exchanges = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let recording: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for exchange in recording["exchanges"].as_array().unwrap() {
            let status = exchange["response"]["status"].as_u64().unwrap();
            exchanges.push(Exchange {
                file: path.file_name().unwrap().to_string_lossy().into_owned(),
                operation: operation(&exchange["request"]),
                status: u16::try_from(status).unwrap().into(),
                body: exchange["response"]["body"].clone(),
            });
        }
    }
    assert!(exchanges.len() >= 20, "{}", exchanges.len());
    exchanges
}

/// Calls an operation, whose request gets this response.
async fn call(operation: Operation, response: AttemptResponse) -> Result<Output, Error> {
    let options = CommunicationIdentityClientOptions {
        client_options: FakeService::new([response]).client_options(),
        ..Default::default()
    };
    let client = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap();
    operation.call(&client, &Subject::default()).await
}

#[tokio::test]
async fn recorded_successes_decode_to_the_last_digit() {
    for exchange in exchanges() {
        if !exchange.status.is_success() {
            continue;
        }
        let Exchange {
            file,
            operation,
            status,
            body,
        } = exchange;
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(&body).unwrap()
        };
        let output = call(operation, respond(status, &[], bytes)).await.unwrap();
        assert_eq!(on_the_wire(output), body, "{file} {operation:?}");
    }
}

#[tokio::test]
async fn recorded_failures_keep_status_code_message_and_target() {
    let mut failures = 0;
    for Exchange {
        file,
        operation,
        status,
        body,
    } in exchanges()
    {
        if status.is_success() {
            continue;
        }
        failures += 1;
        let response = respond(status, &[], serde_json::to_vec(&body).unwrap());
        let error = call(operation, response).await.unwrap_err();
        let ErrorKind::HttpResponse {
            status: found_status,
            error_code,
            ..
        } = error.kind()
        else {
            panic!("{file}: {error:?}");
        };
        let found = CommunicationError::from_error(&error).unwrap();
        let expected = &body["error"];
        assert_eq!((*found_status, found.status), (status, status), "{file}");
        assert_eq!(error_code.as_deref(), expected["code"].as_str(), "{file}");
        assert_eq!(found.error_code().unwrap().as_str(), expected["code"], "{file}");
        assert_eq!(found.message.as_deref(), expected["message"].as_str(), "{file}");
        assert_eq!(found.target.as_deref(), expected["target"].as_str(), "{file}");
        assert_eq!(found.body_excerpt, None, "{file}");
    }
    assert!(failures >= 8, "{failures}");
}
