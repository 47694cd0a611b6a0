//! The errors of policies in the client's options.

use crate::{
    fake_service::FakeService,
    setup::{any_caller, client, response, scripted_options},
};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        Context, Request,
        policies::{Policy, PolicyResult},
    },
};
use entra_sidecar::{DownstreamRequest, SidecarError, SidecarErrorKind, web::HandlerError};
use std::{fmt, sync::Arc};

/// Fails before the request, or after the response.
#[derive(Debug)]
struct FailingPolicy {
    after_response: bool,
}

#[derive(Debug)]
struct Refusal;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused by a policy of my own")
    }
}

impl std::error::Error for Refusal {}

#[async_trait::async_trait]
impl Policy for FailingPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if self.after_response {
            let (policy, next) = next.split_first().unwrap();
            policy.send(ctx, request, next).await?;
        }
        Err(Error::new(ErrorKind::Credential, Refusal))
    }
}

/// Sends a mail through a policy that fails once per call, or once per attempt.
async fn send_mail(after_response: bool, per_call: bool) -> (Arc<FakeService>, Error) {
    let succeeding = r#"{"statusCode":202,"headers":{},"content":null}"#;
    let (transport, mut options) = scripted_options([response(200, succeeding)]);
    let policy = Arc::new(FailingPolicy { after_response });
    if per_call {
        options.client_options.per_call_policies.push(policy);
    } else {
        options.client_options.per_try_policies.push(policy);
    }
    let request = DownstreamRequest::post("me/sendMail");
    let client = client(options);
    let result = client.call_downstream_api("Graph", &any_caller(), request, None).await;
    (transport, result.unwrap_err())
}

#[tokio::test]
async fn a_failing_policy_says_whether_anything_was_sent() {
    for (after_response, per_call) in [(false, false), (false, true), (true, false), (true, true)] {
        let (transport, error) = send_mail(after_response, per_call).await;
        assert_eq!(transport.requests().len(), usize::from(after_response));
        let failure = SidecarError::from_error(&error).unwrap();
        assert_eq!(failure.kind(), SidecarErrorKind::PolicyFailed);
        assert_eq!(failure.may_have_been_executed(), after_response, "{failure}");
    }
}

#[tokio::test]
async fn the_error_of_a_policy_keeps_its_kind_text_and_source() {
    let (_, error) = send_mail(false, false).await;
    assert_eq!(*error.kind(), ErrorKind::Credential);
    assert_eq!(error.to_string(), "refused by a policy of my own");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause.filter(|error| !error.is::<Refusal>()) {
        cause = error.source();
    }
    assert!(cause.is_some(), "{error:?}");

    let error = HandlerError::from(error);
    assert_eq!((error.status(), error.code()), (500, "internal_error"));
}

/// Adds context to every failure.
#[derive(Debug)]
struct ContextPolicy;

#[async_trait::async_trait]
impl Policy for ContextPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let (policy, next) = next.split_first().unwrap();
        let result = policy.send(ctx, request, next).await;
        result.map_err(|error| error.with_context("in the shop"))
    }
}

#[tokio::test]
async fn the_context_of_a_policy_stays_around_the_failure() {
    let (_, mut options) = scripted_options([response(503, "")]);
    options.client_options.per_call_policies.push(Arc::new(ContextPolicy));
    let request = DownstreamRequest::post("me/sendMail");
    let client = client(options);
    let result = client.call_downstream_api("Graph", &any_caller(), request, None).await;
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "in the shop");
    let failure = SidecarError::from_error(&error).unwrap();
    assert_eq!(failure.kind(), SidecarErrorKind::Unavailable);
    assert!(failure.may_have_been_executed());
}
