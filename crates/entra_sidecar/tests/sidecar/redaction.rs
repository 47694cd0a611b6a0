//! Secrets in outputs: errors, `Debug`, log lines at every level, spans.

use crate::{
    log::Log,
    secrets::fragments,
    setup::{ClosedPort, Setup, USER},
};
use azure_core::{Uuid, credentials::TokenCredential as _};
use azure_core_opentelemetry::OpenTelemetryTracerProvider;
use entra_sidecar::{
    Agent, DownstreamRequest, InboundToken, SidecarClient, SidecarClientOptions, SidecarCredential,
    SidecarOnBehalfOfCredential, SidecarScope, TokenOverrides, models::SidecarClientAuthorizationHeaderOptions,
    web::HandlerError,
};
use fake_entra_sidecar::{ApiResponse, DownstreamApi, FakeSidecar, unsigned_token};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::json;
use std::{fmt::Write as _, sync::Arc};
use tracing_subscriber::util::SubscriberInitExt as _;

const SCOPE: &str = "https://storage.azure.com/.default";

/// Returns options for a traced client, and a function that returns its spans.
fn traced() -> (SidecarClientOptions, impl Fn() -> Vec<SpanData>) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let provider = Arc::new(provider.build());
    let mut options = crate::setup::options();
    options.client_options.instrumentation.tracer_provider = Some(OpenTelemetryTracerProvider::new(provider.clone()));
    let spans = move || {
        provider.force_flush().unwrap();
        exporter.get_finished_spans().unwrap()
    };
    (options, spans)
}

#[tokio::test]
async fn secrets_are_neither_shown_nor_logged() {
    let log = Log::default();
    let _guard = log.subscriber().set_default();

    let issued = unsigned_token(&json!({ "aud": "https://storage.azure.com", "exp": 4_102_444_800_i64, "oid": USER }));
    let token = issued.clone();
    let storage = DownstreamApi::new([SCOPE])
        .tokens(move |_| Ok(token.clone()))
        .respond(|_| ApiResponse::text(200, "text/plain", "CONTENT-OF-A-PERSON"));
    let refused = DownstreamApi::new(["a"]).tokens(|_| Err("AADSTS65001: DETAIL-OF-A-PERSON".to_owned()));
    let mut setup = Setup::of(FakeSidecar::builder().api("Storage", storage).api("Refused", refused)).await;
    let (traced, spans) = traced();
    setup.client = SidecarClient::new(&setup.sidecar.url(), Some(traced.clone())).unwrap();
    let mut shown = String::new();

    let scope = [SidecarScope::new(SCOPE, "Storage")];
    let app = SidecarCredential::new(setup.client.clone(), scope.clone(), None).unwrap();
    let access_token = app.get_token(&[SCOPE], None).await.unwrap();
    let behalf = SidecarOnBehalfOfCredential::new(setup.client.clone(), setup.caller.clone(), scope, None).unwrap();
    behalf.get_token(&[SCOPE], None).await.unwrap();
    let agent = Agent::UserByName {
        agent_id: Uuid::parse_str(USER).unwrap(),
        username: "NAME-OF-A-PERSON".to_owned(),
    };
    let options = SidecarClientAuthorizationHeaderOptions {
        agent: Some(agent),
        overrides: TokenOverrides {
            long_running_web_api_session_key: Some("KEY-OF-A-SESSION".into()),
            ..Default::default()
        },
        ..Default::default()
    };
    write!(
        shown,
        "{options:?} {app:?} {behalf:?} {access_token:?} {:?} {:?}",
        setup.client, setup.caller
    )
    .unwrap();
    let header = setup
        .client
        .authorization_header("Storage", &setup.caller, Some(options.clone()))
        .await
        .unwrap();
    // Transports show the URL of a failed request.
    let port = ClosedPort::new();
    let unreachable = SidecarClient::new(&port.url(), Some(traced)).unwrap();
    let error = unreachable
        .authorization_header("Storage", &setup.caller, Some(options))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("GET request to 127.0.0.1:"), "{error}");
    assert!(!error.to_string().contains("/AuthorizationHeader"), "{error}");
    write!(shown, "{error} {error:?}").unwrap();
    let validated = setup.client.validate(&setup.caller, None).await.unwrap();
    let request = DownstreamRequest::post("x").text("text/plain", "BODY-OF-A-PERSON");
    write!(shown, "{request:?}").unwrap();
    let response = setup
        .client
        .call_downstream_api("Storage", &setup.caller, request, None)
        .await
        .unwrap();
    let unreadable = response.json::<u8>().unwrap_err();
    write!(
        shown,
        "{header:?} {validated:?} {response:?} {unreadable} {unreadable:?}"
    )
    .unwrap();

    let stranger = InboundToken::bearer(unsigned_token(&json!({ "oid": "STRANGER" }))).unwrap();
    for (api, caller) in [
        ("Storage", &stranger),
        ("Refused", &setup.caller),
        ("Unknown", &setup.caller),
    ] {
        let error = setup.client.authorization_header(api, caller, None).await.unwrap_err();
        write!(shown, "{error} {error:?}").unwrap();
        let error = HandlerError::from(error);
        write!(shown, "{error} {error:?} {} {:?}", error.body(), error.headers()).unwrap();
    }

    let log = log.text();
    assert!(log.contains("/AuthorizationHeader/Storage"), "the log is there: {log}");
    shown.push_str(&log);
    let spans = spans();
    let is_there = |name: &str| spans.iter().any(|span| span.name == name);
    assert!(is_there("EntraSidecar.downstreamApi") && is_there("GET"), "{spans:?}");
    write!(shown, "{spans:?}").unwrap();
    for token in [&issued, setup.caller.token().secret(), stranger.token().secret()] {
        // The signature is the same for all.
        let (unsigned, _signature) = token.rsplit_once('.').unwrap();
        for fragment in fragments(unsigned) {
            assert!(!shown.contains(fragment), "{fragment} in {shown}");
        }
    }
    for text in ["OF-A-PERSON", "OF-A-SESSION"] {
        assert!(!shown.contains(text), "{shown}");
    }
}
