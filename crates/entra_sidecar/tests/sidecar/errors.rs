//! The kinds of failures.

use crate::{
    fake_service::failure,
    setup::{ClosedPort, Setup, USER, any_caller, echoing, options, response, scripted},
};
use azure_core::{Error, error::ErrorKind};
use entra_sidecar::{
    DownstreamRequest, InboundToken, SidecarClient, SidecarClientOptions, SidecarError, SidecarErrorKind, SidecarHealth,
};
use fake_entra_sidecar::{DownstreamApi, Fault, unsigned_token};
use serde_json::json;
use std::time::Duration;

fn kind(error: &Error) -> SidecarErrorKind {
    sidecar_error(error).kind()
}

fn sidecar_error(error: &Error) -> &SidecarError {
    SidecarError::from_error(error).unwrap()
}

fn refusing(detail: &'static str) -> DownstreamApi {
    DownstreamApi::new(["User.Read"]).tokens(move |_| Err(detail.to_owned()))
}

#[tokio::test]
async fn the_two_kinds_of_401_are_distinguished() {
    let setup = Setup::of(
        echoing()
            .api(
                "Consent",
                refusing("AADSTS65001: The user adelev@contoso.com has not consented"),
            )
            .api("Secret", refusing("AADSTS7000215: Invalid client secret provided."))
            .api("App", refusing("AADSTS65001: consent of an admin").request_app_token()),
    )
    .await;
    let stranger = InboundToken::bearer(unsigned_token(&json!({ "oid": USER }))).unwrap();
    let (client, caller) = (&setup.client, &setup.caller);

    let rejected = client.authorization_header("Graph", &stranger, None).await.unwrap_err();
    assert_eq!(kind(&rejected), SidecarErrorKind::CallerTokenRejected);
    assert!(sidecar_error(&rejected).problem().is_none());
    assert_eq!(rejected.http_status().map(u16::from), Some(401));
    for error in [
        client.validate(&stranger, None).await.map(drop).unwrap_err(),
        client
            .call_downstream_api("Graph", &stranger, DownstreamRequest::get("me"), None)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(kind(&error), SidecarErrorKind::CallerTokenRejected);
    }

    let consent = client.authorization_header("Consent", caller, None).await.unwrap_err();
    assert_eq!(kind(&consent), SidecarErrorKind::InteractionRequired);
    let problem = sidecar_error(&consent).problem().unwrap();
    assert_eq!(
        (problem.title.as_deref(), problem.status),
        (Some("Unauthorized"), Some(401))
    );
    assert!(problem.detail.as_deref().unwrap().contains("adelev@contoso.com"));
    let shown = format!("{consent} {consent:?}");
    assert!(!shown.contains("adelev") && !shown.contains("AADSTS"), "{shown}");

    let secret = client.authorization_header("Secret", caller, None).await.unwrap_err();
    assert_eq!(kind(&secret), SidecarErrorKind::AcquisitionFailed);
    // An application has no user to ask.
    let app = client.authorization_header_as_app("App", None).await.unwrap_err();
    assert_eq!(kind(&app), SidecarErrorKind::AcquisitionFailed);
    // An API without RequestAppToken needs a caller.
    let without_caller = client.authorization_header_as_app("Graph", None).await.unwrap_err();
    assert_eq!(kind(&without_caller), SidecarErrorKind::AcquisitionFailed);
}

#[tokio::test]
async fn unknown_apis_are_bad_requests() {
    let setup = Setup::of(echoing().api("Empty", DownstreamApi::new(Vec::<String>::new()))).await;
    let (client, caller) = (&setup.client, &setup.caller);
    let get = || DownstreamRequest::get("me");
    for error in [
        client
            .authorization_header("NotConfigured", caller, None)
            .await
            .map(drop)
            .unwrap_err(),
        client
            .authorization_header_as_app("NotConfigured", None)
            .await
            .map(drop)
            .unwrap_err(),
        client
            .call_downstream_api("NotConfigured", caller, get(), None)
            .await
            .map(drop)
            .unwrap_err(),
        client
            .call_downstream_api("Empty", caller, get(), None)
            .await
            .map(drop)
            .unwrap_err(),
        client
            .call_downstream_api_as_app("NotConfigured", get(), None)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(kind(&error), SidecarErrorKind::BadRequest);
        let detail = sidecar_error(&error).problem().unwrap().detail.as_deref().unwrap();
        assert!(detail.contains("No scopes found"), "{detail}");
        assert!(error.to_string().contains("DownstreamApis"), "{error}");
    }
}

#[tokio::test]
async fn validation_returns_claims_or_a_missing_scope() {
    let setup = Setup::of(echoing().require_scope("access_as_user")).await;
    let validated = setup.client.validate(&setup.caller, None).await.unwrap();
    assert_eq!(
        (validated.protocol.as_str(), validated.object_id()),
        ("Bearer", Some(USER))
    );
    assert_eq!(validated.token, *setup.caller.token());
    assert_eq!(validated.scopes().collect::<Vec<_>>(), ["access_as_user"]);

    let setup = Setup::of(echoing().require_scope("another")).await;
    let error = setup.client.validate(&setup.caller, None).await.unwrap_err();
    assert_eq!(kind(&error), SidecarErrorKind::MissingScope);

    // Without a body, the sidecar refuses callers on other machines.
    setup.sidecar.inject([Fault::not_local()]);
    let error = setup.client.validate(&setup.caller, None).await.unwrap_err();
    assert_eq!(kind(&error), SidecarErrorKind::Forbidden);
}

#[tokio::test]
async fn the_error_for_another_host_name_explains_it() {
    let sidecar = echoing().start().await.unwrap();
    let address = sidecar.url().replace("http://", "").parse().unwrap();
    let http_client = reqwest::Client::builder()
        .no_proxy()
        .resolve("sidecar.contoso.com", address)
        .build()
        .unwrap();
    let transport = azure_core::http::Transport::new(std::sync::Arc::new(http_client));
    let options = SidecarClientOptions {
        allow_any_host: true,
        ..crate::setup::with_transport(transport)
    };
    let base_url = format!("http://sidecar.contoso.com:{}", address.port());
    let client = SidecarClient::new(&base_url, Some(options)).unwrap();
    let error = client.authorization_header_as_app("Graph", None).await.unwrap_err();
    assert_eq!(kind(&error), SidecarErrorKind::BadRequest);
    assert!(error.to_string().contains("use localhost"), "{error}");
}

#[tokio::test]
async fn each_status_has_its_kind() {
    for (status, body, expected) in [
        (401, "<html>", SidecarErrorKind::Protocol),
        (403, "", SidecarErrorKind::Forbidden),
        (404, "", SidecarErrorKind::Protocol),
        (405, "", SidecarErrorKind::WrongMethod),
        (302, "", SidecarErrorKind::Protocol),
        (
            500,
            r#"{"title":"t","detail":"An unexpected error occurred."}"#,
            SidecarErrorKind::SidecarFailed,
        ),
        (429, "", SidecarErrorKind::Unavailable),
        (502, "<html>", SidecarErrorKind::Unavailable),
        (503, "", SidecarErrorKind::Unavailable),
        (504, "", SidecarErrorKind::Unavailable),
        (418, "", SidecarErrorKind::Protocol),
        // The sidecar refuses a token with a challenge.
        (401, "", SidecarErrorKind::Protocol),
        (413, "", SidecarErrorKind::BadRequest),
        (414, "", SidecarErrorKind::BadRequest),
        (431, "", SidecarErrorKind::BadRequest),
        (200, "<html>", SidecarErrorKind::Protocol),
        (200, "{}", SidecarErrorKind::Protocol),
        (204, "", SidecarErrorKind::Protocol),
    ] {
        let (_, client) = scripted((0..3).map(|_| response(status, body)));
        let error = client
            .authorization_header("Graph", &any_caller(), None)
            .await
            .unwrap_err();
        assert_eq!(kind(&error), expected, "{status} {body}: {error}");
        assert!(!sidecar_error(&error).may_have_been_executed());
        if status != 200 && status != 204 {
            assert_eq!(sidecar_error(&error).status().map(u16::from), Some(status));
        }
    }
    // On a route without a caller's token, a 401 does not refuse one.
    let (_, client) = scripted([response(401, "")]);
    let error = client.authorization_header_as_app("Graph", None).await.unwrap_err();
    assert_eq!(kind(&error), SidecarErrorKind::Protocol);
}

#[tokio::test]
async fn an_unreachable_sidecar_is_unavailable() {
    let (_, client) = scripted((0..3).map(|_| failure(ErrorKind::Connection, "connection refused")));
    let refused = client
        .authorization_header("Graph", &any_caller(), None)
        .await
        .unwrap_err();
    assert_eq!(
        (kind(&refused), refused.kind()),
        (SidecarErrorKind::Unavailable, &ErrorKind::Connection)
    );
    assert!(refused.to_string().contains("connection refused"), "{refused}");
    let port = ClosedPort::new();
    let client = SidecarClient::new(&port.url(), Some(options())).unwrap();
    let error = client.health(None).await.unwrap_err();
    assert_eq!(kind(&error), SidecarErrorKind::Unavailable);
}

#[tokio::test]
async fn a_silent_sidecar_is_given_up_after_the_timeout() {
    let sidecar = echoing().start().await.unwrap();
    let caller = InboundToken::bearer(sidecar.caller_token(USER)).unwrap();
    let options = SidecarClientOptions {
        timeout: Some(azure_core::time::Duration::milliseconds(50)),
        ..options()
    };
    let client = SidecarClient::new(&sidecar.url(), Some(options)).unwrap();
    sidecar.inject([Fault::silence(), Fault::silence()]);
    let error = client.authorization_header("Graph", &caller, None).await.unwrap_err();
    assert_eq!(
        (kind(&error), error.kind()),
        (SidecarErrorKind::Unavailable, &ErrorKind::Io)
    );
    assert!(error.to_string().contains("given up after 50ms"), "{error}");
    assert!(!sidecar_error(&error).may_have_been_executed());
    let request = DownstreamRequest::post("me/sendMail");
    let error = client
        .call_downstream_api("Graph", &caller, request, None)
        .await
        .unwrap_err();
    assert!(sidecar_error(&error).may_have_been_executed(), "{error}");
    assert!(error.to_string().contains("not sent again"), "{error}");
}

#[tokio::test]
async fn responses_longer_than_the_limit_are_refused() {
    let setup = Setup::new().await;
    for (max_response_len, succeeds) in [(100_000, true), (1_000, false)] {
        let options = SidecarClientOptions {
            max_response_len,
            ..options()
        };
        let client = SidecarClient::new(&setup.sidecar.url(), Some(options)).unwrap();
        let request = DownstreamRequest::put("x").text("text/plain", "x".repeat(2_000));
        let result = client.call_downstream_api("Graph", &setup.caller, request, None).await;
        assert_eq!(result.is_ok(), succeeds);
        if let Err(error) = result {
            assert_eq!(kind(&error), SidecarErrorKind::Protocol);
            assert!(error.to_string().contains("longer than 1000 bytes"), "{error}");
        }
    }
}

#[tokio::test]
async fn health_is_checked_once() {
    let setup = Setup::new().await;
    assert_eq!(setup.client.health(None).await.unwrap(), SidecarHealth::Healthy);
    setup.sidecar.set_healthy(false);
    assert_eq!(setup.client.health(None).await.unwrap(), SidecarHealth::Unhealthy);
    assert_eq!(setup.sidecar.requests().len(), 2);

    for (status, body, expected) in [
        (200, "Degraded", Ok(SidecarHealth::Degraded)),
        (200, "<html>", Err(SidecarErrorKind::Protocol)),
        (503, "<html>", Err(SidecarErrorKind::Unavailable)),
        (404, "", Err(SidecarErrorKind::Protocol)),
    ] {
        let (_, client) = scripted([response(status, body)]);
        let result = client.health(None).await;
        assert_eq!(result.map_err(|error| kind(&error)), expected, "{status} {body}");
    }
}

#[tokio::test]
async fn a_long_wait_is_returned_and_not_waited() {
    let setup = Setup::new().await;
    setup
        .sidecar
        .inject([Fault::before(503).retry_after(Duration::from_secs(7200))]);
    let error = setup
        .client
        .authorization_header("Graph", &setup.caller, None)
        .await
        .unwrap_err();
    let wait = sidecar_error(&error).retry_after();
    assert_eq!(wait, Some(azure_core::time::Duration::hours(2)));
    assert_eq!(
        setup.sidecar.requests().len(),
        1,
        "the client does not wait for two hours"
    );
}
