//! The service's recorded answers, given to the client: successes decode, and failures keep what the service said.
//!
//! Each file under `testdata/recordings` names the repository it was recorded for.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/fake_service.rs"]
mod fake_service;

use azure_communication_identity::{
    CommunicationError, CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope,
    TeamsUserTokenRequest,
};
use azure_core::{Error, error::ErrorKind, http::StatusCode};
use fake_service::{Answer, FakeService, respond};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// One request and answer of a recording.
struct Exchange {
    file: String,
    operation: Operation,
    status: StatusCode,
    body: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    CreateUser,
    CreateUserAndToken,
    GetToken,
    RevokeTokens,
    DeleteUser,
    GetTokenForTeamsUser,
}

impl Operation {
    fn of(request: &Value) -> Self {
        let path = request["path"].as_str().unwrap();
        match (request["method"].as_str().unwrap(), path.rsplit('/').next().unwrap()) {
            ("POST", "identities") if request["body"]["createTokenWithScopes"].is_array() => Self::CreateUserAndToken,
            ("POST", "identities") => Self::CreateUser,
            ("POST", ":issueAccessToken") => Self::GetToken,
            ("POST", ":revokeAccessTokens") => Self::RevokeTokens,
            ("POST", ":exchangeAccessToken") => Self::GetTokenForTeamsUser,
            ("DELETE", _) => Self::DeleteUser,
            other => panic!("{other:?}"),
        }
    }

    /// Calls the client, and gives what came back in the form of the wire.
    async fn call(self, client: &CommunicationIdentityClient) -> Result<Value, Error> {
        let user = "sanitized".parse()?;
        let scopes = [CommunicationTokenScope::Chat];
        let token = match self {
            Self::CreateUser => {
                let user = client.create_user(None).await?.into_model()?;
                return Ok(json!({"identity": {"id": user}}));
            }
            Self::CreateUserAndToken => {
                let created = client.create_user_and_token(&scopes, None).await?.into_model()?;
                let token = created.access_token;
                let token = json!({"token": token.token.secret(), "expiresOn": timestamp(token.expires_on)});
                return Ok(json!({"identity": {"id": created.user}, "accessToken": token}));
            }
            Self::RevokeTokens => {
                client.revoke_tokens(&user, None).await?;
                return Ok(Value::Null);
            }
            Self::DeleteUser => {
                client.delete_user(&user, None).await?;
                return Ok(Value::Null);
            }
            Self::GetToken => client.get_token(&user, &scopes, None).await?.into_model()?,
            Self::GetTokenForTeamsUser => {
                let request = TeamsUserTokenRequest {
                    token: "sanitized".into(),
                    client_id: "sanitized".to_owned(),
                    user_object_id: "sanitized".to_owned(),
                };
                client.get_token_for_teams_user(request, None).await?.into_model()?
            }
        };
        Ok(json!({"token": token.token.secret(), "expiresOn": timestamp(token.expires_on)}))
    }
}

/// A time as the service writes it: the fraction in up to seven digits, without trailing zeros, and the offset.
fn timestamp(time: azure_core::time::OffsetDateTime) -> String {
    azure_core::time::to_rfc3339(&time).replace('Z', "+00:00")
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
                operation: Operation::of(&exchange["request"]),
                status: u16::try_from(status).unwrap().into(),
                body: exchange["response"]["body"].clone(),
            });
        }
    }
    assert!(exchanges.len() >= 20, "{}", exchanges.len());
    exchanges
}

fn client(answer: Answer) -> CommunicationIdentityClient {
    let options = CommunicationIdentityClientOptions {
        client_options: FakeService::new([answer]).client_options(),
        ..Default::default()
    };
    let connection_string = "endpoint=https://contoso.communication.azure.com/;accesskey=a2V5";
    CommunicationIdentityClient::with_connection_string(connection_string, Some(options)).unwrap()
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
        let got = operation.call(&client(respond(status, &[], bytes))).await.unwrap();
        assert_eq!(got, body, "{file} {operation:?}");
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
        let answer = respond(status, &[], serde_json::to_vec(&body).unwrap());
        let error = operation.call(&client(answer)).await.unwrap_err();
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
