//! Spans for operations and their tries, through OpenTelemetry.
//!
//! ```sh
//! cargo run --example opentelemetry
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{CommunicationIdentityClient, CommunicationTokenScope};
use azure_core_opentelemetry::OpenTelemetryTracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::{process::ExitCode, sync::Arc, time::Duration};
use support::{Outcome, Usage, emulator_options};

const USAGE: Usage = Usage {
    command: "opentelemetry",
    uses_azure: false,
    about: "Shows the spans of some operations. Uses the emulator.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    println!("Using an emulator in this process.\n");
    let emulator = acs_identity_emulator::Emulator::builder().start().await?;

    // A service would export to a collector; this keeps the spans to print them.
    let exporter = InMemorySpanExporter::default();
    let provider = Arc::new(
        SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build(),
    );
    let mut options = emulator_options(&emulator)?;
    options.client_options.instrumentation.tracer_provider = Some(OpenTelemetryTracerProvider::new(provider.clone()));
    let client = CommunicationIdentityClient::with_connection_string(&emulator.connection_string(), Some(options))?;

    let user = client.create_user(None).await?.into_model()?;
    client.get_token(&user, &[CommunicationTokenScope::Chat], None).await?;
    client.delete_user(&user, None).await?;
    // The user is gone, so this fails, and its span says so.
    client.revoke_tokens(&user, None).await.err();

    provider.force_flush()?;
    let spans = exporter.get_finished_spans()?;
    for operation in spans.iter().filter(|span| !is_child(span, &spans)) {
        print(operation, "");
        for span in spans
            .iter()
            .filter(|span| span.parent_span_id == operation.span_context.span_id())
        {
            print(span, "  ");
        }
    }
    Ok(())
}

fn is_child(span: &SpanData, spans: &[SpanData]) -> bool {
    spans
        .iter()
        .any(|other| other.span_context.span_id() == span.parent_span_id)
}

fn print(span: &SpanData, indent: &str) {
    let duration: Duration = span.end_time.duration_since(span.start_time).unwrap_or_default();
    println!("{indent}{} ({duration:.1?})", span.name);
    for attribute in &span.attributes {
        println!("{indent}    {} = {}", attribute.key, attribute.value);
    }
}
