//! A request of Call Automation, which this library has no operation for, signed with the access key of a resource.
//!
//! ```sh
//! cargo run --example call_automation
//! ```
//!
//! A local server stands in for the calling service. It verifies signatures as Azure does, so that the sample shows one that
//! is accepted, and one that is refused because the body was changed after it was signed.

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use acs_identity_emulator::signature::{AccessKey, SignedRequest, Tolerance, verify};
use azure_communication_identity::{ConnectionString, access_key_policy};
use azure_core::{
    http::{
        ClientOptions, Context, Method, Pipeline, RawResponse, Request, RetryOptions, Transport,
        policies::{Policy, PolicyResult},
    },
    json::to_json,
    time::OffsetDateTime,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use std::{process::ExitCode, sync::Arc};
use support::{Outcome, Usage};
use tokio::net::TcpListener;

const KEY: &str = "bG9jYWwtY2FsbGluZy1zZXJ2aWNlLXRlc3Qta2V5LTMy";

/// The version of the Call Automation API that this request is for.
const API_VERSION: &str = "2025-05-15";

const USAGE: Usage = Usage {
    command: "call_automation",
    uses_azure: false,
    about: "Signs a request of Call Automation. Uses a server in this process.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    let endpoint = start_calling_service().await?;
    println!("A server at {endpoint} verifies signatures as Azure does.\n");
    let resource = ConnectionString::parse(&format!("endpoint={endpoint};accesskey={KEY}"))?;

    let response = call_phone(&resource, None).await?;
    println!("As signed:           {}", describe(&response)?);

    // Policies that change the request belong in front of the one that signs it.
    let response = call_phone(&resource, Some(Arc::new(ChangesBody))).await?;
    println!("Changed afterwards:  {}", describe(&response)?);
    Ok(())
}

/// Asks the calling service to call a phone number.
async fn call_phone(
    resource: &ConnectionString,
    behind_signature: Option<Arc<dyn Policy>>,
) -> azure_core::Result<RawResponse> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct CreateCall {
        targets: Vec<serde_json::Value>,
        callback_uri: String,
    }

    let http_client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(azure_core_error)?;
    let options = ClientOptions {
        transport: Some(Transport::new(Arc::new(http_client))),
        retry: RetryOptions::none(),
        ..Default::default()
    };
    // Signs each attempt. One policy for all requests of a resource: they share the correction of the clock.
    let mut per_try = vec![access_key_policy(resource.credential().clone())];
    per_try.extend(behind_signature);
    let pipeline = Pipeline::new(Some("my_app"), Some("1.0.0"), options, Vec::new(), per_try, None);

    let mut url = resource.endpoint().clone();
    url.set_path("/calling/callConnections");
    url.query_pairs_mut().append_pair("api-version", API_VERSION);
    let mut request = Request::new(url, Method::Post);
    request.insert_header("content-type", "application/json");
    request.set_body(to_json(&CreateCall {
        targets: vec![serde_json::json!({ "kind": "phoneNumber", "phoneNumber": { "value": "+14255550123" } })],
        callback_uri: "https://contoso.com/callbacks".to_owned(),
    })?);
    // The status is the caller's to look at here.
    let options = azure_core::http::PipelineSendOptions {
        skip_checks: true,
        ..Default::default()
    };
    pipeline.send(&Context::new(), &mut request, Some(options)).await
}

fn azure_core_error(error: reqwest::Error) -> azure_core::Error {
    azure_core::Error::new(azure_core::error::ErrorKind::Other, error)
}

fn describe(response: &RawResponse) -> Outcome<String> {
    let body = std::str::from_utf8(response.body())?;
    Ok(format!("{}, {body}", response.status()))
}

/// Changes a body that has been signed.
#[derive(Debug)]
struct ChangesBody;

#[async_trait::async_trait]
impl Policy for ChangesBody {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.set_body("{}");
        match next.split_first() {
            Some((policy, next)) => policy.send(ctx, request, next).await,
            None => Err(azure_core::Error::with_message(
                azure_core::error::ErrorKind::Other,
                "the pipeline has no transport",
            )),
        }
    }
}

/// Starts the server, and returns its endpoint.
async fn start_calling_service() -> Outcome<String> {
    let key: AccessKey = KEY.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let endpoint = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let key = key.clone();
            let service = service_fn(move |request| answer(key.clone(), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(endpoint)
}

async fn answer(
    key: AccessKey,
    request: hyper::Request<Incoming>,
) -> Result<Response<Full<hyper::body::Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let signed = SignedRequest {
        method: head.method.as_str(),
        target: head.uri.path_and_query().map_or("/", |target| target.as_str()),
        host: header("host"),
        x_ms_date: header("x-ms-date"),
        date: None,
        content_sha256: header("x-ms-content-sha256"),
        authorization: header("authorization"),
        body: &body,
    };
    let (status, body) = match verify(&signed, &key, OffsetDateTime::now_utc(), Tolerance::Strict) {
        Ok(()) => (StatusCode::CREATED, r#"{"callConnectionId":"1234"}"#.to_owned()),
        Err(error) => (StatusCode::UNAUTHORIZED, error.to_string()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    Ok(response)
}
