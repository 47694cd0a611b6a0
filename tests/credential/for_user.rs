//! Credentials that get a user's tokens from the service.

use crate::support::{
    fake_service::{FakeService, respond},
    fixtures::{CONNECTION_STRING, SCOPES, user},
};
use azure_communication_identity::{
    CommunicationError, CommunicationErrorCode, CommunicationIdentityClient, CommunicationIdentityClientOptions,
    CommunicationTokenCredential, CommunicationTokenCredentialOptions, CommunicationTokenScope,
};
use azure_core::{
    Bytes,
    http::{Body, StatusCode},
    time::Duration,
};
use std::sync::Arc;

fn credential(
    service: &Arc<FakeService>,
    scopes: &[CommunicationTokenScope],
    token_options: Option<CommunicationTokenCredentialOptions>,
) -> azure_core::Result<CommunicationTokenCredential> {
    let options = CommunicationIdentityClientOptions {
        client_options: service.client_options(),
        ..Default::default()
    };
    let client = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap();
    CommunicationTokenCredential::for_user(client, user(), scopes, token_options)
}

const ISSUED: &str = r#"{"token":"issued","expiresOn":"9999-12-31T00:00:00Z"}"#;

#[tokio::test]
async fn one_request_with_the_scopes_is_sent() {
    let service = FakeService::new([respond(StatusCode::Ok, &[], ISSUED)]);
    let scopes = [CommunicationTokenScope::Chat, CommunicationTokenScope::Voip];
    let credential = credential(&service, &scopes, None).unwrap();
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
async fn a_refusal_is_found_in_the_error() {
    let body = r#"{"error":{"code":"IdentityNotOwned","message":"Provided identity doesn't belong to the resource."}}"#;
    let service = FakeService::new([respond(StatusCode::Unauthorized, &[], body)]);
    let credential = credential(&service, &SCOPES, None).unwrap();
    let error = credential.get_token().await.unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::Unauthorized));
    let found = CommunicationError::from_error(&error).unwrap();
    assert_eq!(found.error_code(), Some(CommunicationErrorCode::IdentityNotOwned));
    assert_eq!(error.to_string(), found.to_string());
}

#[test]
fn empty_scopes_are_refused_at_once() {
    let error = credential(&FakeService::new([]), &[], None).unwrap_err();
    assert!(error.to_string().contains("scopes is empty"), "{error}");
}

fn lifetime(token_expires_in: Duration) -> CommunicationTokenCredentialOptions {
    CommunicationTokenCredentialOptions {
        token_expires_in: Some(token_expires_in),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_lifetime_is_in_the_request() {
    let service = FakeService::new([respond(StatusCode::Ok, &[], ISSUED)]);
    let scopes = [CommunicationTokenScope::Voip];
    let credential = credential(&service, &scopes, Some(lifetime(Duration::hours(1)))).unwrap();
    credential.get_token().await.unwrap();
    let body = Bytes::from(service.requests()[0].body());
    assert_eq!(body, r#"{"scopes":["voip"],"expiresInMinutes":60}"#);
}

#[test]
fn an_impossible_lifetime_is_refused_at_once() {
    let scopes = [CommunicationTokenScope::Voip];
    let result = credential(&FakeService::new([]), &scopes, Some(lifetime(Duration::minutes(59))));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("60 to 1440 minutes"), "{error}");

    let refresher = || async { unreachable!("it is not called") };
    let result = CommunicationTokenCredential::with_refresher(refresher, Some(lifetime(Duration::HOUR)));
    let error = result.unwrap_err().to_string();
    assert!(
        error.contains("token_expires_in is for the tokens of for_user"),
        "{error}"
    );
}

/// The machine's clock is ten minutes behind the service's, so an expired token looks valid by it.
#[tokio::test]
async fn expiry_is_judged_by_the_services_clock() {
    use azure_core::time::{OffsetDateTime, to_rfc3339, to_rfc7231};

    let now = OffsetDateTime::now_utc();
    let service_date = to_rfc7231(&(now + Duration::minutes(10)));
    let denied = r#"{"error":{"code":"Denied","message":"Denied by the resource provider."}}"#;
    let token = |name, expires_on| {
        let expires_on = to_rfc3339(&expires_on);
        respond(
            StatusCode::Ok,
            &[],
            format!(r#"{{"token":"{name}","expiresOn":"{expires_on}"}}"#),
        )
    };
    let service = FakeService::new([
        respond(StatusCode::Unauthorized, &[("date", service_date.as_str())], denied),
        // Expired five minutes ago, by the service's clock.
        token("expired", now + Duration::minutes(5)),
    ]);
    let credential = credential(&service, &[CommunicationTokenScope::Voip], None).unwrap();
    let error = credential.get_token().await.unwrap_err();
    assert!(error.to_string().contains("already expired"), "{error}");
}
