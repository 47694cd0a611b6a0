//! What an error says, and what it keeps.

use crate::{
    client, client_with,
    fake_service::{FakeService, failure, respond, status},
    header, user,
};
use azure_communication_identity::{CommunicationError, CommunicationErrorCode, CommunicationTokenScope};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        ClientOptions, Context, Request, RetryOptions, StatusCode,
        policies::{Policy, PolicyResult},
    },
};
use std::{fmt, sync::Arc};

#[tokio::test(start_paused = true)]
async fn a_transport_failure_says_which_request_failed_and_why() {
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

#[tokio::test]
async fn a_transport_failure_says_so_without_retries_too() {
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

#[derive(Debug)]
struct RefusingPolicy;

#[derive(Debug)]
struct Refusal;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused by a policy of my own")
    }
}

impl std::error::Error for Refusal {}

#[async_trait::async_trait]
impl Policy for RefusingPolicy {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        Err(Error::new(ErrorKind::Credential, Refusal).with_context("in my policy"))
    }
}

#[tokio::test]
async fn an_error_of_a_policy_keeps_its_text_its_kind_and_its_source() {
    let service = FakeService::new([]);
    let mut per_call = service.client_options();
    per_call.per_call_policies.push(Arc::new(RefusingPolicy));
    let mut per_try = service.client_options();
    per_try.per_try_policies.push(Arc::new(RefusingPolicy));

    for options in [per_call, per_try] {
        let error = client_with(options, false).create_user(None).await.unwrap_err();
        assert_eq!(error.to_string(), "in my policy");
        assert_eq!(*error.kind(), ErrorKind::Credential);
        let inner = error.downcast_ref::<Error>().unwrap();
        assert!(inner.downcast_ref::<Refusal>().is_some());
    }
}

#[tokio::test]
async fn a_service_error_is_found_whole_also_when_its_message_holds_escapes() {
    let service = FakeService::new([respond(
        StatusCode::BadRequest,
        &[("ms-cv", "abc.0"), ("content-type", "application/json")],
        r#"{"error":{"code":"ValidationError","message":"\"é\" is\nnot \u00e9.","target":"Scopes"}}"#,
    )]);
    let error = client(&service)
        .get_token(&user(), &[CommunicationTokenScope::Chat], None)
        .await
        .unwrap_err();

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
    assert_eq!(found.error_code(), CommunicationErrorCode::ValidationError);
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
async fn a_gateways_body_keeps_its_status_and_shows_its_beginning() {
    for (body, shown) in [
        ("", "404 Not Found"),
        (
            "<html><h1>No such site</h1></html>",
            "404 Not Found: the body is not the service's own, it begins: <html><h1>No such site</h1></html>",
        ),
    ] {
        let service = FakeService::new([respond(StatusCode::NotFound, &[], body)]);
        let error = client(&service).revoke_tokens(&user(), None).await.unwrap_err();
        assert_eq!(error.http_status(), Some(StatusCode::NotFound));
        assert!(error.to_string().starts_with(shown), "{error}");
    }
}

async fn refused(headers: &[(&'static str, &'static str)], body: &'static str) -> String {
    let service = FakeService::new([respond(StatusCode::Unauthorized, headers, body)]);
    let error = client(&service).create_user(None).await.unwrap_err();
    error.to_string()
}

#[tokio::test]
async fn a_401_says_what_to_check() {
    const DENIED: &str = r#"{"error":{"code":"Denied","message":"Denied by the resource provider."}}"#;
    let text = refused(&[], DENIED).await;
    for part in ["Denied by the resource provider", "access key", "endpoint", "clock"] {
        assert!(text.contains(part), "{text}");
    }

    // The answer's date convicts the clock.
    let text = refused(&[("date", "Wed, 13 Apr 2022 18:09:12 GMT")], DENIED).await;
    assert!(text.contains("minutes ahead of the service's"), "{text}");

    let text = refused(
        &[],
        r#"{"error":{"code":"Denied","message":"Request 'x-ms-content-sha256' differs from generated content hash."}}"#,
    )
    .await;
    assert!(text.contains("changed after it was signed"), "{text}");

    let text = refused(
        &[],
        r#"{"error":{"code":"IdentityNotOwned","message":"Provided identity doesn't belong to the resource."}}"#,
    )
    .await;
    assert!(text.contains("has been deleted"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn other_refusals_say_what_to_change() {
    let service = FakeService::new([respond(
        StatusCode::BadRequest,
        &[("api-supported-versions", "2022-10-01, 2023-10-01")],
        r#"{"error":{"code":"UnsupportedApiVersion","message":"…"}}"#,
    )]);
    let error = client(&service).create_user(None).await.unwrap_err().to_string();
    assert!(error.contains("Set api_version"), "{error}");
    assert!(error.contains("2022-10-01, 2023-10-01"), "{error}");

    let busy = || respond(StatusCode::TooManyRequests, &[("retry-after", "7")], "");
    let service = FakeService::new([busy(), busy(), busy()]);
    let error = client(&service).create_user(None).await.unwrap_err().to_string();
    assert!(error.contains("Retry-After: 7"), "{error}");
    assert!(error.contains("service-limits"), "{error}");

    let service = FakeService::new([status(StatusCode::Found)]);
    let error = client(&service).create_user(None).await.unwrap_err().to_string();
    assert!(error.contains("check the endpoint"), "{error}");
}
