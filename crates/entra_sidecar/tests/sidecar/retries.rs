//! What is sent again, and what is not.

use crate::{
    script::{Script, answer, failure},
    setup::Setup,
};
use azure_core::{error::ErrorKind, http::Method};
use entra_sidecar::{DownstreamRequest, InboundToken, SidecarError, models::SidecarClientCallDownstreamApiOptions};
use fake_entra_sidecar::{AllowOverrides, DownstreamApi, FakeSidecar, Fault};

#[tokio::test]
async fn what_only_reads_is_retried() {
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
async fn a_call_is_retried_if_its_verb_is_idempotent_and_else_sent_once() {
    for (method, idempotent) in [
        (Method::Get, true),
        (Method::Head, true),
        (Method::Put, true),
        (Method::Delete, true),
        (Method::Post, false),
        (Method::Patch, false),
    ] {
        for (fault, calls) in [(Fault::before(503), 0), (Fault::after(504), 1), (Fault::after(500), 1)] {
            let setup = Setup::new().await;
            setup.sidecar.inject([fault]);
            let request = DownstreamRequest::new(method, "x");
            let result = setup
                .client
                .call_downstream_api("Graph", &setup.caller, request, None)
                .await;
            assert_eq!(result.is_ok(), idempotent, "{method}");
            assert_eq!(setup.sidecar.requests().len(), if idempotent { 2 } else { 1 });
            assert_eq!(
                setup.sidecar.api_requests().len(),
                if idempotent { calls + 1 } else { calls }
            );
            if let Err(error) = result {
                let error = SidecarError::from_error(&error).unwrap();
                assert!(error.may_have_been_executed(), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_configured_is_sent_once_because_its_verb_is_not_known() {
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
async fn a_call_as_the_application_is_sent_once_unless_its_verb_is_known_to_count() {
    let mail = || {
        DownstreamApi::new(["a/.default"])
            .request_app_token()
            .request("POST", "users/1/sendMail")
    };
    let setup = Setup::of(FakeSidecar::builder().api("Mail", mail())).await;
    setup.sidecar.inject([Fault::after(504)]);
    let error = setup
        .client
        .call_downstream_api_as_app("Mail", DownstreamRequest::get("users"), None)
        .await
        .unwrap_err();
    assert_eq!(setup.sidecar.api_requests().len(), 1, "a mail is not sent twice");
    assert!(SidecarError::from_error(&error).unwrap().may_have_been_executed());

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

#[tokio::test]
async fn a_broken_connection_is_retried_by_the_same_rule() {
    let caller = InboundToken::bearer("t").unwrap();
    for (kind, executed) in [(ErrorKind::Io, true), (ErrorKind::Connection, false)] {
        let script = Script::new([failure(kind.clone(), "reset")]);
        let request = DownstreamRequest::post("me/sendMail");
        let error = script
            .client()
            .call_downstream_api("Graph", &caller, request, None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), &kind);
        assert!(
            error.to_string().contains("failed to execute request: reset"),
            "{error}"
        );
        assert_eq!(
            SidecarError::from_error(&error).unwrap().may_have_been_executed(),
            executed
        );

        let answered = answer(200, r#"{"statusCode":200,"headers":{},"content":null}"#);
        let script = Script::new([failure(kind, "reset"), answered]);
        let request = DownstreamRequest::get("me");
        script
            .client()
            .call_downstream_api("Graph", &caller, request, None)
            .await
            .unwrap();
        assert_eq!(script.requests().len(), 2);
    }
}

#[tokio::test]
async fn whether_a_refused_request_was_executed_is_known() {
    let caller = InboundToken::bearer("t").unwrap();
    for (status, body, executed) in [
        (400, "", false),
        (401, "", false),
        (403, "", false),
        (429, "", false),
        (408, "", true),
        (500, "", true),
        (200, "<html>", true),
    ] {
        let script = Script::new([answer(status, body)]);
        let request = DownstreamRequest::post("me/sendMail");
        let error = script
            .client()
            .call_downstream_api("Graph", &caller, request, None)
            .await
            .unwrap_err();
        let error = SidecarError::from_error(&error).unwrap();
        assert_eq!(error.may_have_been_executed(), executed, "{status}");
    }
}
