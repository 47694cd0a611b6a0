//! The texts and the contents of errors.

use crate::{
    client, client_with, header,
    support::{
        fake_service::{FakeService, failure, respond},
        fixtures::{API_VERSION, ENDPOINT, SCOPES, USER, user},
    },
};
use azure_communication_identity::{CommunicationError, CommunicationErrorCode};
use azure_core::{
    error::ErrorKind,
    http::{ClientOptions, RetryOptions, StatusCode},
};

#[tokio::test(start_paused = true)]
async fn a_transport_failure_names_the_request_and_the_cause() {
    for kind in [ErrorKind::Connection, ErrorKind::Io] {
        let failures = (0..3).map(|_| failure(kind.clone(), "certificate has expired"));
        let service = FakeService::new(failures);
        let error = client(&service).delete_user(&user(), None).await.unwrap_err();
        assert_eq!(*error.kind(), kind);
        assert_eq!(
            error.to_string(),
            "DELETE request to contoso.communication.azure.com failed: failed to execute request: \
             certificate has expired"
        );
        assert_eq!(service.requests().len(), 3);
    }
}

/// reqwest puts the URL, with the id of the user, into the texts of its errors.
#[tokio::test(start_paused = true)]
async fn a_transport_failure_shows_no_url() {
    let url = format!("{ENDPOINT}identities/{USER}?api-version={API_VERSION}");
    for text in [
        format!("error sending request for url ({url})"),
        format!("GET {url} failed"),
    ] {
        let failures = (0..3).map(|_| failure(ErrorKind::Io, text.clone().leak()));
        let service = FakeService::new(failures);
        let error = client(&service).delete_user(&user(), None).await.unwrap_err();
        assert!(!error.to_string().contains(USER), "{error}");
    }
}

#[tokio::test]
async fn a_transport_failure_names_its_cause_without_retries_too() {
    let service = FakeService::new([failure(ErrorKind::Connection, "connection refused")]);
    let options = ClientOptions {
        retry: RetryOptions::none(),
        ..service.client_options()
    };
    let error = client_with(options, false).create_user(None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Connection);
    assert!(
        error
            .to_string()
            .ends_with("failed to execute request: connection refused"),
        "{error}"
    );
}

#[tokio::test]
async fn a_service_error_is_read_whole_despite_escapes() {
    let service = FakeService::new([respond(
        StatusCode::BadRequest,
        &[("ms-cv", "abc.0"), ("content-type", "application/json")],
        r#"{"error":{"code":"ValidationError","message":"\"é\" is\nnot \u00e9.","target":"Scopes"}}"#,
    )]);
    let error = client(&service).get_token(&user(), &SCOPES, None).await.unwrap_err();

    let ErrorKind::HttpResponse {
        status,
        error_code,
        raw_response,
    } = error.kind()
    else {
        panic!("{error:?}");
    };
    assert_eq!(*status, StatusCode::BadRequest);
    assert_eq!(error_code.as_deref(), Some("ValidationError"));
    assert!(raw_response.is_some());

    let found = CommunicationError::from_error(&error).unwrap();
    assert_eq!(found.error_code(), Some(CommunicationErrorCode::ValidationError));
    assert_eq!(found.message.as_deref(), Some("\"é\" is\nnot é."));
    assert_eq!(found.target.as_deref(), Some("Scopes"));
    let id = header(&service.requests()[0], "x-ms-client-request-id");
    assert_eq!(found.client_request_id, id);
    assert_eq!(
        error.to_string(),
        format!(
            "400 Bad Request: ValidationError: \"é\" is not é (target: Scopes) [x-ms-client-request-id: {}] \
             [MS-CV: abc.0]",
            id.unwrap()
        )
    );
    let wrapped = error.with_context("while signing in");
    assert!(CommunicationError::from_error(&wrapped).is_some());
}

#[tokio::test]
async fn a_gateways_response_keeps_status_and_excerpt() {
    for (body, shown) in [
        ("", "404 Not Found"),
        (
            "<html><h1>No such site</h1></html>",
            "404 Not Found: the body is not an error of the service, it begins: <html><h1>No such site</h1></html>",
        ),
    ] {
        let service = FakeService::new([respond(StatusCode::NotFound, &[], body)]);
        let error = client(&service).revoke_tokens(&user(), None).await.unwrap_err();
        assert_eq!(error.http_status(), Some(StatusCode::NotFound));
        assert!(error.to_string().starts_with(shown), "{error}");
    }
}

#[tokio::test]
async fn a_code_in_a_header_is_read() {
    let service = FakeService::new([respond(
        StatusCode::Conflict,
        &[("x-ms-error-code", "SomethingNew")],
        "",
    )]);
    let error = client(&service).delete_user(&user(), None).await.unwrap_err();
    let found = CommunicationError::from_error(&error).unwrap();
    let code = CommunicationErrorCode::UnknownValue("SomethingNew".to_owned());
    assert_eq!(found.error_code(), Some(code));
    assert_eq!(found.remedy, None);
}

/// Returns the text of a refusal.
async fn refused(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> String {
    let answers = (0..3).map(|_| respond(StatusCode::from(status), headers, body));
    let service = FakeService::new(answers);
    let error = client(&service).get_token(&user(), &SCOPES, None).await.unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::from(status)));
    error.to_string()
}

const DENIED: &str = r#"{"error":{"code":"Denied","message":"Denied by the resource provider."}}"#;

#[tokio::test]
async fn a_refused_signature_names_key_endpoint_and_clock() {
    for status in [401, 403] {
        let text = refused(status, &[], DENIED).await;
        for part in ["Denied by the resource provider", "access key", "endpoint", "clock"] {
            assert!(text.contains(part), "{text}");
        }
    }
    // The date of the response shows that the clock is wrong.
    let text = refused(401, &[("date", "Wed, 13 Apr 2022 18:09:12 GMT")], DENIED).await;
    assert!(text.contains("ahead of the service's, and 5m is the most"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn other_refusals_have_their_remedies() {
    for (status, headers, body, remedy) in [
        (
            401,
            &[][..],
            r#"{"error":{"code":"Denied","message":"Request 'x-ms-content-sha256' differs from generated content hash."}}"#,
            "changed after it was signed",
        ),
        (
            401,
            &[],
            r#"{"error":{"code":"IdentityNotOwned","message":"Provided identity doesn't belong to the resource."}}"#,
            "another resource created it, or it has been deleted",
        ),
        (
            401,
            &[],
            r#"{"error":{"code":"InvalidAccessToken","message":"Provided access token is not valid."}}"#,
            "it needs the scopes Teams.ManageCalls and Teams.ManageChats",
        ),
        (
            400,
            &[("api-supported-versions", "2022-10-01, 2023-10-01")],
            r#"{"error":{"code":"UnsupportedApiVersion","message":"…"}}"#,
            "Set api_version in CommunicationIdentityClientOptions to a supported version: 2022-10-01, 2023-10-01",
        ),
        (429, &[("retry-after", "7")], "", "wait 7s, and send fewer"),
        (
            429,
            &[("x-ms-retry-after-ms", "1500")],
            "",
            "wait 1s500ms, and send fewer",
        ),
        (429, &[], "", "Too many requests: send fewer"),
        (302, &[], "", "check the endpoint"),
        (206, &[], "{}", "does not document this status"),
    ] {
        let text = refused(status, headers, body).await;
        assert!(text.contains(remedy), "{text}");
        assert!(!text.contains("not an error of the service"), "{text}");
    }
}
