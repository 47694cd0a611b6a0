//! No secret is in any output: errors, `Debug`, log lines at every level, spans.

use crate::setup::{Nobody, Setup, USER};
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
use std::{
    fmt::Write as _,
    io,
    sync::{Arc, Mutex},
};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter, util::SubscriberInitExt as _};

/// Keeps what is logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const SCOPE: &str = "https://storage.azure.com/.default";

/// Options for a client whose spans are kept, and those spans.
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
async fn nothing_secret_is_shown_or_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = subscriber.set_default();

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
    let nobody = Nobody::new();
    let gone = SidecarClient::new(&nobody.url(), Some(traced)).unwrap();
    let error = gone
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
    let parts = [&issued, setup.caller.token().secret(), stranger.token().secret()].map(|token| {
        // The header is the same for all, and no secret.
        token.split('.').nth(1).unwrap().to_owned()
    });
    for part in &parts {
        for fragment in [&part[..16], &part[part.len() - 16..]] {
            assert!(!shown.contains(fragment), "{fragment} in {shown}");
        }
    }
    for text in ["OF-A-PERSON", "OF-A-SESSION"] {
        assert!(!shown.contains(text), "{shown}");
    }
}
