//! What a client asks a token credential for, and where it sends the token.

use crate::fake_service::{FakeService, created};
use azure_communication_identity::{
    AzureKeyCredential, CommunicationIdentityClient, CommunicationIdentityClientOptions, creation_outcome_unknown,
};
use azure_core::{
    Error, Result,
    cloud::CloudConfiguration,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::StatusCode,
    time::{Duration, OffsetDateTime},
};
use std::sync::{Arc, Mutex};

/// Gives a token, or an error of some kind, and keeps what it was asked for.
#[derive(Debug, Default)]
struct FakeCredential {
    fails_with: Option<ErrorKind>,
    scopes: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl TokenCredential for FakeCredential {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        self.scopes.lock().unwrap().push(scopes.join(" "));
        if let Some(kind) = self.fails_with.clone() {
            return Err(Error::with_message(kind, "nobody has signed in"));
        }
        Ok(AccessToken::new(
            "entra-token",
            OffsetDateTime::now_utc() + Duration::HOUR,
        ))
    }
}

fn options(service: &Arc<FakeService>) -> CommunicationIdentityClientOptions {
    CommunicationIdentityClientOptions {
        client_options: service.client_options(),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_scope_is_the_official_clients_own_or_the_one_that_is_set() {
    let credential = Arc::new(FakeCredential::default());
    let service = FakeService::new([created(), created()]);
    let other_cloud = CommunicationIdentityClientOptions {
        entra_scope: "https://communication.azure.us//.default".to_owned(),
        ..options(&service)
    };
    for options in [options(&service), other_cloud] {
        let client = CommunicationIdentityClient::new("https://contoso", credential.clone(), Some(options)).unwrap();
        client.create_user(None).await.unwrap();
    }
    assert_eq!(
        *credential.scopes.lock().unwrap(),
        [
            "https://communication.azure.com//.default",
            "https://communication.azure.us//.default"
        ]
    );
    for request in service.requests() {
        assert_eq!(
            crate::header(&request, "authorization").as_deref(),
            Some("Bearer entra-token")
        );
        assert_eq!(crate::header(&request, "x-ms-content-sha256"), None);
    }
}

#[test]
fn an_entra_token_never_goes_over_plain_http() {
    for endpoint in [
        "http://127.0.0.1:8080",
        "http://localhost",
        "http://contoso.communication.azure.com",
    ] {
        let credential = Arc::new(FakeCredential::default());
        let error = CommunicationIdentityClient::new(endpoint, credential, None).unwrap_err();
        assert!(error.to_string().contains("must use https"), "{error}");
    }
}

#[tokio::test]
async fn a_credentials_failure_is_neither_the_services_nor_the_connections() {
    let of_the_authority = ErrorKind::HttpResponse {
        status: StatusCode::BadRequest,
        error_code: None,
        raw_response: None,
    };
    for kind in [
        ErrorKind::Credential,
        ErrorKind::Io,
        ErrorKind::Connection,
        of_the_authority,
    ] {
        let credential = FakeCredential {
            fails_with: Some(kind.clone()),
            ..Default::default()
        };
        let service = FakeService::new([]);
        let client =
            CommunicationIdentityClient::new("https://contoso", Arc::new(credential), Some(options(&service))).unwrap();
        let error = client.create_user(None).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Credential);
        assert_eq!(error.to_string(), "nobody has signed in");
        assert_eq!(*error.downcast_ref::<Error>().unwrap().kind(), kind);
        assert!(!creation_outcome_unknown(&error));
    }
}

#[test]
fn the_public_clouds_scope_is_not_asked_for_in_another_cloud() {
    let options = |entra_scope: Option<&str>| {
        let mut options = CommunicationIdentityClientOptions::default();
        options.client_options.cloud = Some(Arc::new(CloudConfiguration::AzureGovernment));
        if let Some(scope) = entra_scope {
            options.entra_scope = scope.to_owned();
        }
        Some(options)
    };
    let new =
        |options| CommunicationIdentityClient::new("https://contoso", Arc::new(FakeCredential::default()), options);
    let error = new(options(None)).unwrap_err();
    assert!(error.to_string().contains("set entra_scope"), "{error}");
    new(options(Some("https://communication.azure.us//.default"))).unwrap();
}

#[test]
fn white_space_around_a_key_is_ignored() {
    let key = AzureKeyCredential::new(" a2V5\n").unwrap();
    key.update("\ta2V5 ").unwrap();
    assert!(AzureKeyCredential::new("a2 V5").is_err());
}
