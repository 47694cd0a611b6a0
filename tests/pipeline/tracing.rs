//! Spans, through the bridge from azure_core to OpenTelemetry.

use crate::support::{
    fake_service::{FakeService, busy, created},
    fixtures::{API_VERSION, CONNECTION_STRING, ENDPOINT, USER},
};
use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use azure_core::http::InstrumentationOptions;
use azure_core_opentelemetry::OpenTelemetryTracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::sync::Arc;

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| attribute.value.as_str().into_owned())
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_a_span_with_one_per_attempt() {
    let exporter = InMemorySpanExporter::default();
    let provider = Arc::new(
        SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build(),
    );
    let service = FakeService::new([busy(), created()]);
    let mut options = CommunicationIdentityClientOptions {
        client_options: service.client_options(),
        ..Default::default()
    };
    options.client_options.instrumentation = InstrumentationOptions {
        tracer_provider: Some(OpenTelemetryTracerProvider::new(provider.clone())),
    };
    let client = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap();
    let user = client.create_user(None).await.unwrap().into_model().unwrap();
    assert_eq!(user.as_str(), USER);

    provider.force_flush().unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(names, ["POST", "POST", "CommunicationIdentity.createUser"]);
    let operation = &spans[2];
    for (span, status) in spans.iter().zip(["503", "201"]) {
        assert_eq!(span.parent_span_id, operation.span_context.span_id());
        assert_eq!(attribute(span, "http.response.status_code").as_deref(), Some(status));
        let url = format!("{ENDPOINT}identities?api-version={API_VERSION}");
        assert_eq!(attribute(span, "url.full"), Some(url));
    }
    for span in &spans {
        assert_eq!(
            attribute(span, "az.namespace").as_deref(),
            Some("Microsoft.Communication")
        );
        assert_eq!(span.instrumentation_scope.name(), "azure_communication_identity");
    }
}
