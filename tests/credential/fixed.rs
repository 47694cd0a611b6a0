//! Credentials with one token.

use crate::token;
use azure_communication_identity::{CommunicationAccessToken, CommunicationTokenCredential};
use azure_core::{
    credentials::TokenCredential,
    error::ErrorKind,
    time::{Duration, OffsetDateTime},
};
use std::sync::Arc;

// Encoded with Python's base64.urlsafe_b64encode. The payload, {"skypeid":"acs:?>?>~~ÿÿ","exp":2051222400}, holds both
// characters that standard base64 does not have.
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJza3lwZWlkIjoiYWNzOj8-Pz5-fsO_w78iLCJleHAiOjIwNTEyMjI0MDB9.c2ln";

#[tokio::test]
async fn the_expiry_is_read_from_the_token() {
    assert!(JWT.contains('-') && JWT.contains('_'));
    let token = CommunicationTokenCredential::new(JWT)
        .unwrap()
        .get_token()
        .await
        .unwrap();
    assert_eq!(token.token.secret(), JWT);
    // 2035-01-01T00:00:00Z
    assert_eq!(token.expires_on.unix_timestamp(), 2_051_222_400);
    assert_eq!(token, CommunicationAccessToken::from_jwt(JWT).unwrap());
}

#[test]
fn a_token_without_an_expiry_is_refused_and_not_shown() {
    for (payload, reason) in [
        // {"sub":"SECRET"}
        ("eyJzdWIiOiJTRUNSRVQifQ", "claims are not those"),
        // {"exp":null}
        ("eyJleHAiOm51bGx9", "claims are not those"),
        // {"exp":"SECRET"}
        ("eyJleHAiOiJTRUNSRVQifQ", "claims are not those"),
        // {"exp":1e300}
        ("eyJleHAiOjFlMzAwfQ", "claims are not those"),
        // {"exp":9223372036854775807}
        ("eyJleHAiOjkyMjMzNzIwMzY4NTQ3NzU4MDd9", "claims are not those"),
        ("SECRET!", "not base64url"),
    ] {
        let jwt = format!("SECRET.{payload}.SECRET");
        let error = CommunicationTokenCredential::new(jwt).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::DataConversion);
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    }
    let error = CommunicationTokenCredential::new("an opaque token").unwrap_err();
    assert!(error.to_string().contains("three parts"), "{error}");
}

#[tokio::test]
async fn an_opaque_token_keeps_its_expiry() {
    let opaque = token("opaque", 3600);
    let credential = CommunicationTokenCredential::from_access_token(opaque.clone()).unwrap();
    assert_eq!(credential.get_token().await.unwrap(), opaque);
    assert_eq!(credential.clone().get_token().await.unwrap(), opaque);

    let error = CommunicationTokenCredential::from_access_token(token("", 3600)).unwrap_err();
    assert_eq!(error.to_string(), "the token is empty");
}

#[tokio::test]
async fn an_expired_token_is_returned_unchanged() {
    let expired = token("expired", -3600);
    let credential = CommunicationTokenCredential::from_access_token(expired.clone()).unwrap();
    assert_eq!(credential.get_token().await.unwrap(), expired);
}

#[tokio::test]
async fn a_credential_ignores_the_scopes() {
    let expires_on = OffsetDateTime::now_utc() + Duration::HOUR;
    let token = CommunicationAccessToken::new("opaque", expires_on);
    let credential: Arc<dyn TokenCredential> =
        Arc::new(CommunicationTokenCredential::from_access_token(token).unwrap());
    for scopes in [&[][..], &["https://communication.azure.com//.default"]] {
        let token = credential.get_token(scopes, None).await.unwrap();
        assert_eq!((token.token.secret(), token.expires_on), ("opaque", expires_on));
    }
    assert_eq!(
        format!("{credential:?} {credential:#?}"),
        "CommunicationTokenCredential CommunicationTokenCredential"
    );
}

#[test]
fn a_credential_and_its_futures_cross_threads() {
    fn send_and_sync(_: &(impl Send + Sync + Clone + 'static)) {}
    fn send(_: &impl Send) {}

    let credential = CommunicationTokenCredential::with_refresher(|| async { Ok(token("new", 60)) }, None).unwrap();
    send_and_sync(&credential);
    send(&credential.get_token());
}
