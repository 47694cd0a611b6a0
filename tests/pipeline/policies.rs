//! Errors that pass policies of the caller.

use crate::{
    client_with,
    support::fake_service::{AttemptResponse, FakeService, failure, status},
};
use azure_communication_identity::{CommunicationError, creation_outcome_unknown};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        Context, Request, StatusCode,
        policies::{Policy, PolicyResult},
    },
};
use std::{fmt, sync::Arc};

/// Refuses every request.
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
async fn an_error_of_a_policy_keeps_its_text_kind_and_source() {
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

/// Adds context to every failure.
#[derive(Debug)]
struct ContextPolicy;

#[async_trait::async_trait]
impl Policy for ContextPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let (policy, next) = next.split_first().unwrap();
        let result = policy.send(ctx, request, next).await;
        result.map_err(|error| error.with_context("while signing up").with_context("in the shop"))
    }
}

/// Creates a user through a policy that adds context to failures.
async fn create_in_context(responses: impl IntoIterator<Item = AttemptResponse>) -> Error {
    let service = FakeService::new(responses);
    let mut options = service.client_options();
    options.per_call_policies.push(Arc::new(ContextPolicy));
    let error = client_with(options, false).create_user(None).await.unwrap_err();

    assert_eq!(error.to_string(), "in the shop");
    let inner = error.downcast_ref::<Error>().unwrap();
    assert_eq!(inner.to_string(), "while signing up");
    error
}

#[tokio::test(start_paused = true)]
async fn the_context_of_a_policy_keeps_the_failure() {
    let error = create_in_context([status(StatusCode::InternalServerError)]).await;
    assert_eq!(error.http_status(), Some(StatusCode::InternalServerError));
    assert!(CommunicationError::from_error(&error).is_some());
    assert!(creation_outcome_unknown(&error));

    let error = create_in_context([failure(ErrorKind::Io, "connection reset by peer")]).await;
    assert_eq!(*error.kind(), ErrorKind::Io);
    assert!(creation_outcome_unknown(&error));

    let refusals = (0..3).map(|_| failure(ErrorKind::Connection, "connection refused"));
    let error = create_in_context(refusals).await;
    assert_eq!(*error.kind(), ErrorKind::Connection);
    assert!(!creation_outcome_unknown(&error));
    let mut source = std::error::Error::source(&error);
    let mut texts = Vec::new();
    while let Some(error) = source {
        texts.push(error.to_string());
        source = error.source();
    }
    assert_eq!(
        texts.last().map(String::as_str),
        Some("connection refused"),
        "{texts:?}"
    );
}
