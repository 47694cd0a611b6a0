//! Entra tokens and access keys: the scopes of tokens, and the requests that carry them.

use crate::{
    header,
    support::{
        credentials::{FixedCredential, HangingCredential},
        fake_service::{FakeService, created},
        fixtures::ENDPOINT,
    },
};
use azure_communication_identity::{
    AzureKeyCredential, CommunicationIdentityClient, CommunicationIdentityClientOptions, creation_outcome_unknown,
};
use azure_core::{Error, cloud::CloudConfiguration, error::ErrorKind, http::StatusCode};
use std::sync::Arc;

fn options(service: &Arc<FakeService>) -> CommunicationIdentityClientOptions {
    CommunicationIdentityClientOptions {
        client_options: service.client_options(),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_scope_is_the_official_one_unless_set() {
    let credential = Arc::new(FixedCredential::new("entra-token"));
    let service = FakeService::new([created(), created()]);
    let other_cloud = CommunicationIdentityClientOptions {
        entra_scope: "https://communication.azure.us//.default".to_owned(),
        ..options(&service)
    };
    for options in [options(&service), other_cloud] {
        let client = CommunicationIdentityClient::new(ENDPOINT, credential.clone(), Some(options)).unwrap();
        client.create_user(None).await.unwrap();
    }
    assert_eq!(
        credential.scopes(),
        [
            "https://communication.azure.com//.default",
            "https://communication.azure.us//.default"
        ]
    );
    for request in service.requests() {
        assert_eq!(header(&request, "authorization").as_deref(), Some("Bearer entra-token"));
        assert_eq!(header(&request, "x-ms-content-sha256"), None);
    }
}

#[test]
fn an_entra_token_never_goes_over_plain_http() {
    for endpoint in [
        "http://127.0.0.1:8080",
        "http://localhost",
        "http://contoso.communication.azure.com",
    ] {
        let credential = Arc::new(FixedCredential::new("entra-token"));
        let error = CommunicationIdentityClient::new(endpoint, credential, None).unwrap_err();
        assert!(error.to_string().contains("must use https"), "{error}");
    }
}

#[tokio::test]
async fn a_credentials_failure_is_of_kind_credential() {
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
        let credential = Arc::new(FixedCredential::failing(kind.clone()));
        let service = FakeService::new([]);
        let client = CommunicationIdentityClient::new(ENDPOINT, credential, Some(options(&service))).unwrap();
        let error = client.create_user(None).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Credential);
        assert_eq!(error.to_string(), "no user has signed in");
        assert_eq!(*error.downcast_ref::<Error>().unwrap().kind(), kind);
        assert!(!creation_outcome_unknown(&error));
    }
}

#[test]
fn another_cloud_needs_its_own_scope() {
    let options = |entra_scope: Option<&str>| {
        let mut options = CommunicationIdentityClientOptions::default();
        options.client_options.cloud = Some(Arc::new(CloudConfiguration::AzureGovernment));
        if let Some(scope) = entra_scope {
            options.entra_scope = scope.to_owned();
        }
        Some(options)
    };
    let new = |options| {
        let credential = Arc::new(FixedCredential::new("entra-token"));
        CommunicationIdentityClient::new(ENDPOINT, credential, options)
    };
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

#[tokio::test(start_paused = true)]
async fn a_hanging_credential_creates_no_user() {
    let service = FakeService::new([]);
    let client =
        CommunicationIdentityClient::new(ENDPOINT, Arc::new(HangingCredential), Some(options(&service))).unwrap();
    let error = client.create_user(None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Io);
    assert!(!creation_outcome_unknown(&error), "{error}");
}
