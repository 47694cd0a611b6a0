//! A credential that gets a user's tokens from the service.

use crate::fake_service::{FakeService, USER, respond};
use azure_communication_identity::{
    CommunicationError, CommunicationErrorCode, CommunicationIdentityClient, CommunicationIdentityClientOptions,
    CommunicationTokenCredential, CommunicationTokenScope,
};
use azure_core::http::{Body, StatusCode};
use std::sync::Arc;

fn credential(
    service: &Arc<FakeService>,
    scopes: &[CommunicationTokenScope],
) -> azure_core::Result<CommunicationTokenCredential> {
    let options = CommunicationIdentityClientOptions {
        client_options: service.client_options(),
        ..Default::default()
    };
    let connection_string = "endpoint=https://contoso.communication.azure.com/;accesskey=a2V5";
    let client = CommunicationIdentityClient::with_connection_string(connection_string, Some(options)).unwrap();
    CommunicationTokenCredential::for_user(client, USER.parse().unwrap(), scopes, None)
}

#[tokio::test]
async fn the_service_is_asked_for_a_token_with_the_scopes_and_asked_once() {
    let answer = r#"{"token":"issued","expiresOn":"9999-12-31T00:00:00Z"}"#;
    let service = FakeService::new([respond(StatusCode::Ok, &[], answer)]);
    let scopes = [CommunicationTokenScope::Chat, CommunicationTokenScope::Voip];
    let credential = credential(&service, &scopes).unwrap();
    for _ in 0..3 {
        assert_eq!(credential.get_token().await.unwrap().token.secret(), "issued");
    }
    let [request] = &service.requests()[..] else {
        panic!("not one request")
    };
    assert!(
        request.url().path().ends_with("/:issueAccessToken"),
        "{}",
        request.url()
    );
    let Body::Bytes(body) = request.body() else {
        panic!("a streaming body")
    };
    assert_eq!(body, r#"{"scopes":["chat","voip"]}"#);
}

#[tokio::test]
async fn what_the_service_answers_is_found_in_the_error() {
    let body = r#"{"error":{"code":"IdentityNotOwned","message":"Provided identity doesn't belong to the resource."}}"#;
    let service = FakeService::new([respond(StatusCode::Unauthorized, &[], body)]);
    let credential = credential(&service, &[CommunicationTokenScope::Chat]).unwrap();
    let error = credential.get_token().await.unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::Unauthorized));
    let found = CommunicationError::from_error(&error).unwrap();
    assert_eq!(found.error_code(), Some(CommunicationErrorCode::IdentityNotOwned));
    assert_eq!(error.to_string(), found.to_string());
}

#[test]
fn no_scopes_are_refused_at_once() {
    let error = credential(&FakeService::new([]), &[]).unwrap_err();
    assert!(error.to_string().contains("scopes is empty"), "{error}");
}
