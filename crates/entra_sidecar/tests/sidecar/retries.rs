//! Retries, and the outcome of calls that are sent once.

use crate::{
    fake_service::{AttemptResponse, failure},
    retry_policy::AtOnce,
    setup::{Setup, any_caller, client, echoing, response, scripted, scripted_options},
};
use azure_core::{
    Bytes, Error,
    error::ErrorKind,
    http::{AsyncRawResponse, Method, Request, RetryOptions, headers::Headers},
};
use entra_sidecar::{
    DownstreamRequest, InboundToken, SidecarClient, SidecarError, models::SidecarClientCallDownstreamApiOptions,
};
use fake_entra_sidecar::{AllowOverrides, DownstreamApi, FakeSidecar, Fault};
use futures::stream;
use std::sync::Arc;
use tokio::runtime::Builder;

#[tokio::test]
async fn reads_are_retried() {
    let setup = Setup::new().await;
    setup.sidecar.inject([Fault::before(503), Fault::before(503)]);
    setup
        .client
        .authorization_header("Graph", &setup.caller, None)
        .await
        .unwrap();
    setup.sidecar.inject([Fault::before(500), Fault::before(504)]);
    setup.client.validate(&setup.caller, None).await.unwrap();
    assert_eq!(setup.sidecar.requests().len(), 6);
}

#[tokio::test]
async fn calls_are_retried_by_their_verb() {
    for (method, idempotent) in [
        (Method::Get, true),
        (Method::Head, true),
        (Method::Put, true),
        (Method::Delete, true),
        (Method::Post, false),
        (Method::Patch, false),
    ] {
        for (fault, executions) in [(Fault::before(503), 0), (Fault::after(504), 1), (Fault::after(500), 1)] {
            let setup = Setup::new().await;
            setup.sidecar.inject([fault]);
            let request = DownstreamRequest::new(method, "x");
            let result = setup
                .client
                .call_downstream_api("Graph", &setup.caller, request, None)
                .await;
            assert_eq!(result.is_ok(), idempotent, "{method}");
            assert_eq!(setup.sidecar.requests().len(), if idempotent { 2 } else { 1 });
            let executions = if idempotent { executions + 1 } else { executions };
            assert_eq!(setup.sidecar.api_requests().len(), executions);
            if let Err(error) = result {
                let error = SidecarError::from_error(&error).unwrap();
                assert!(error.may_have_been_executed(), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn configured_requests_are_sent_once() {
    let setup = Setup::new().await;
    setup.sidecar.inject([Fault::after(503)]);
    let request = DownstreamRequest::as_configured();
    assert!(
        setup
            .client
            .call_downstream_api("Graph", &setup.caller, request, None)
            .await
            .is_err()
    );
    assert_eq!(setup.sidecar.api_requests().len(), 1);
}

#[tokio::test]
async fn calls_as_the_application_are_sent_once() {
    let setup = Setup::of(FakeSidecar::builder().api("Mail", mail())).await;
    setup.sidecar.inject([Fault::after(504)]);
    let error = setup
        .client
        .call_downstream_api_as_app("Mail", DownstreamRequest::get("users"), None)
        .await
        .unwrap_err();
    assert_eq!(setup.sidecar.api_requests().len(), 1, "a mail is not sent twice");
    assert!(SidecarError::from_error(&error).unwrap().may_have_been_executed());
}

#[tokio::test]
async fn allowed_overrides_retry_calls_as_the_application() {
    for (method, idempotent) in [(Method::Get, true), (Method::Post, false)] {
        let builder = FakeSidecar::builder().api("Mail", mail());
        let setup = Setup::of(builder.allow_overrides(AllowOverrides::everywhere())).await;
        setup.sidecar.inject([Fault::after(504)]);
        let options = SidecarClientCallDownstreamApiOptions {
            overrides_are_allowed: true,
            ..Default::default()
        };
        let request = DownstreamRequest::new(method, "users");
        let result = setup
            .client
            .call_downstream_api_as_app("Mail", request, Some(options))
            .await;
        assert_eq!(result.is_ok(), idempotent, "{method}");
        assert_eq!(setup.sidecar.api_requests().len(), if idempotent { 2 } else { 1 });
    }
}

fn mail() -> DownstreamApi {
    DownstreamApi::new(["a/.default"])
        .request_app_token()
        .request("POST", "users/1/sendMail")
}

async fn send_mail(client: &SidecarClient) -> Error {
    let request = DownstreamRequest::post("me/sendMail");
    let result = client.call_downstream_api("Graph", &any_caller(), request, None).await;
    result.unwrap_err()
}

#[tokio::test]
async fn broken_connections_are_retried_by_the_same_rule() {
    for (kind, executed) in [(ErrorKind::Io, true), (ErrorKind::Connection, false)] {
        let (_, client) = scripted([failure(kind.clone(), "reset")]);
        let error = send_mail(&client).await;
        assert_eq!(error.kind(), &kind);
        assert!(
            error.to_string().contains("failed to execute request: reset"),
            "{error}"
        );
        assert_eq!(
            SidecarError::from_error(&error).unwrap().may_have_been_executed(),
            executed
        );

        let succeeding = response(200, r#"{"statusCode":200,"headers":{},"content":null}"#);
        let (transport, client) = scripted([failure(kind, "reset"), succeeding]);
        let request = DownstreamRequest::get("me");
        client
            .call_downstream_api("Graph", &any_caller(), request, None)
            .await
            .unwrap();
        assert_eq!(transport.requests().len(), 2);
    }
}

/// A response whose body breaks off after its first byte.
fn broken_off(status: u16, kind: ErrorKind) -> AttemptResponse {
    Box::new(move |_: &Request| {
        let body = [
            Ok(Bytes::from_static(b"{")),
            Err(Error::with_message(kind, "connection reset")),
        ];
        let body = Box::pin(stream::iter(body));
        Ok(AsyncRawResponse::new(status.into(), Headers::new(), body))
    })
}

#[tokio::test]
async fn the_outcome_of_a_call_sent_once_is_known() {
    for (response, executed) in [
        (response(301, ""), false),
        (response(303, ""), true),
        (response(307, ""), false),
        (response(400, ""), false),
        (response(401, ""), false),
        (response(403, ""), false),
        (response(404, ""), false),
        (response(408, ""), true),
        (response(413, ""), false),
        (response(429, ""), false),
        (response(500, ""), true),
        (response(502, "<html>"), true),
        (response(503, ""), true),
        (response(504, ""), true),
        (response(200, "<html>"), true),
        (response(200, "{}"), true),
        (response(204, ""), true),
        (broken_off(200, ErrorKind::Io), true),
        (broken_off(200, ErrorKind::Connection), true),
        (broken_off(403, ErrorKind::Io), false),
        (broken_off(429, ErrorKind::Connection), false),
        (broken_off(503, ErrorKind::Io), true),
        (failure(ErrorKind::Other, "a transport of your own"), true),
    ] {
        let (transport, client) = scripted([response]);
        let error = send_mail(&client).await;
        assert_eq!(transport.requests().len(), 1);
        let failure = SidecarError::from_error(&error).unwrap();
        assert_eq!(failure.may_have_been_executed(), executed, "{failure}");
        assert_eq!(failure.to_string().contains("not sent again"), executed, "{failure}");
    }
}

#[tokio::test]
async fn the_status_of_a_failure_survives_its_body() {
    for status in [403, 503] {
        let (_, client) = scripted((0..3).map(|_| broken_off(status, ErrorKind::Io)));
        let error = client.authorization_header_as_app("Graph", None).await.unwrap_err();
        assert_eq!(error.http_status().map(u16::from), Some(status));
    }
}

#[tokio::test]
async fn a_retry_policy_of_your_own_sends_nothing_twice() {
    for (kind, status) in [(None, 503), (None, 429), (Some(ErrorKind::Connection), 0)] {
        let response = kind.map_or_else(|| response(status, ""), |kind| failure(kind, "refused"));
        let (transport, mut options) = scripted_options([response]);
        options.client_options.retry = RetryOptions::custom(Arc::new(AtOnce::new(5)));
        send_mail(&client(options)).await;
        assert_eq!(transport.requests().len(), 1);
    }
}

#[test]
fn each_runtime_has_its_own_connections() {
    let server = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let sidecar = server.block_on(echoing().start()).unwrap();
    let caller = InboundToken::bearer(sidecar.caller_token(crate::setup::USER)).unwrap();
    let client = SidecarClient::new(&sidecar.url(), None).unwrap();
    // The first runtime stays, but is not driven any more.
    let runtimes = [(); 2].map(|()| Builder::new_current_thread().enable_all().build().unwrap());
    for runtime in &runtimes {
        let request = DownstreamRequest::post("x");
        let call = client.call_downstream_api("Graph", &caller, request, None);
        runtime.block_on(call).unwrap();
    }
}
