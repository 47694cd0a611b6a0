//! Injected faults, as a client sees them.

use crate::{
    client::{Client, Response, VERSION, builder, http, start},
    signer::{self, ToSign},
    wire::{address, raw_request},
};
use acs_identity_emulator::{Emulator, EmulatorError, Fault, Operation, TokenStatus};
use serde_json::{Value, json};
use std::{
    error::Error,
    io::{self, ErrorKind},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{self, Instant},
};

fn inject(emulator: &Emulator, fault: Fault) {
    emulator.inject(fault).unwrap();
}

fn hits(emulator: &Emulator) -> Vec<(u64, Option<u64>)> {
    let faults = emulator.faults();
    faults.iter().map(|fault| (fault.hits, fault.remaining)).collect()
}

/// Creates an identity, and returns the status.
async fn create(client: &Client) -> u16 {
    client.send("POST", &format!("/identities{VERSION}"), "").await.status
}

async fn creation(client: &Client) -> reqwest::Result<reqwest::Response> {
    client.signed("POST", &format!("/identities{VERSION}"), "").send().await
}

/// Sends a creation over a new connection.
async fn send_creation(emulator: &Emulator) -> TcpStream {
    let target = format!("/identities{VERSION}");
    let to_sign = ToSign {
        method: "POST",
        target: &target,
        host: address(emulator.endpoint()),
        date: &signer::now(),
        body: br#"{"createTokenWithScopes":["chat"]}"#,
    };
    let request = raw_request(&to_sign, &target, to_sign.host, "x-ms-date", &emulator.access_key());
    let mut stream = TcpStream::connect(to_sign.host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The bytes that were read until a connection ended, and the error at its end.
async fn raw_creation(emulator: &Emulator) -> (String, io::Result<usize>) {
    let mut stream = send_creation(emulator).await;
    let mut response = Vec::new();
    let ended = stream.read_to_end(&mut response).await;
    (String::from_utf8(response).unwrap(), ended)
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
    error.source().and_then(io_kind).or(io)
}

async fn control(client: &Client, path: &str) -> Response {
    Response::of(client.unsigned("GET", &format!("/_emulator/{path}"), "")).await
}

#[tokio::test]
async fn status_applies_before_anything_else() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    inject(&emulator, Fault::status(503).times(2));
    for _ in 0..2 {
        let response = client.send("POST", &format!("/identities{VERSION}"), "").await;
        let message = "This error was injected by the emulator: status=503,times=2.";
        response.assert_error(503, "ServiceUnavailable", message, None);
        assert!(response.header("ms-cv").is_some());
        assert_eq!(response.header("retry-after"), None);
    }
    assert_eq!(emulator.identity_count(), 0);
    assert_eq!(create(&client).await, 201);
    assert_eq!(hits(&emulator), [(2, Some(0))]);

    // Like a gateway, it does not authenticate.
    inject(&emulator, Fault::status(500));
    assert_eq!(Response::of(client.unsigned("GET", "/nothing", "")).await.status, 500);
}

#[tokio::test]
async fn injected_429_looks_like_a_rate_limit() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    inject(&emulator, Fault::status(429).retry_after(Duration::from_millis(6500)));
    let response = client.send("POST", &format!("/identities{VERSION}"), "").await;
    assert_eq!((response.status, response.header("retry-after")), (429, Some("7")));
    assert_eq!(response.text("/error/code"), "TooManyRequests");
}

#[tokio::test]
async fn share_is_spread_evenly() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    inject(&emulator, Fault::status(502).share(0.05));
    let mut hit = Vec::new();
    for number in 1..=100 {
        match create(&client).await {
            502 => hit.push(number),
            status => assert_eq!(status, 201),
        }
    }
    assert_eq!(hit, [20, 40, 60, 80, 100]);
    assert_eq!(hits(&emulator), [(5, None)]);
    assert_eq!(emulator.identity_count(), 95);
}

#[tokio::test]
async fn fault_can_apply_to_one_operation() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    inject(
        &emulator,
        Fault::status(503).operation(Operation::RevokeTokens).times(1),
    );
    let id = client.create().await;
    client.issue_chat(&id).await;
    assert_eq!(hits(&emulator), [(0, Some(1))]);
    assert_eq!(client.revoke(&id).await.status, 503);
    assert_eq!(client.revoke(&id).await.status, 204);
}

#[tokio::test]
async fn fault_waits_for_the_whole_request() {
    let emulator = start().await;
    for (fault, response, ended) in [
        (Fault::status(503), "HTTP/1.1 503 ", None),
        (Fault::html_body(), "HTTP/1.1 502 ", None),
        (Fault::reset_before_commit(), "", Some(ErrorKind::ConnectionReset)),
    ] {
        inject(&emulator, fault.times(1));
        let mut stream = TcpStream::connect(address(emulator.endpoint())).await.unwrap();
        let head =
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut interim = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        stream.read_exact(&mut interim).await.unwrap();
        assert!(interim.starts_with(b"HTTP/1.1 100 "));
        stream.write_all(b"{}").await.unwrap();
        let mut rest = Vec::new();
        let result = stream.read_to_end(&mut rest).await;
        assert!(str::from_utf8(&rest).unwrap().starts_with(response));
        assert_eq!(result.err().map(|error| error.kind()), ended);
    }
}

#[tokio::test]
async fn reset_before_commit_changes_nothing() {
    let emulator = start().await;
    inject(&emulator, Fault::reset_before_commit());
    let (response, ended) = raw_creation(&emulator).await;
    assert_eq!(
        (response.as_str(), ended.unwrap_err().kind()),
        ("", ErrorKind::ConnectionReset)
    );

    let error = creation(&Client::over_https(&emulator)).await.unwrap_err();
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
    assert_eq!(emulator.identity_count(), 0);
    assert_eq!(hits(&emulator), [(2, None)]);
}

#[tokio::test]
async fn reset_after_commit_withholds_the_response() {
    let emulator = start().await;
    inject(&emulator, Fault::reset_after_commit().times(2));
    let (response, ended) = raw_creation(&emulator).await;
    assert_eq!(
        (response.as_str(), ended.unwrap_err().kind()),
        ("", ErrorKind::ConnectionReset)
    );
    assert_eq!(emulator.identity_count(), 1);

    let https = Client::over_https(&emulator);
    let error = creation(&https).await.unwrap_err();
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
    assert_eq!(emulator.identity_count(), 2);
    // The connection that was kept alive is gone, and the next request takes another one.
    assert_eq!(create(&https).await, 201);
}

/// Like the status of a gateway that did not get the response in time.
#[tokio::test]
async fn status_after_commit_withholds_the_response() {
    let emulator = start().await;
    let wait = Duration::from_secs(3);
    for (fault, title, retry_after) in [
        (Fault::status(503), "503 Service Unavailable", None),
        (Fault::status(504).retry_after(wait), "504 Gateway Timeout", Some("3")),
        ("status=599,after-commit".parse().unwrap(), "599", None),
    ] {
        for client in [Client::over_http(&emulator), Client::over_https(&emulator)] {
            let before = emulator.identity_count();
            inject(&emulator, fault.clone().after_commit().times(1));
            let response = creation(&client).await.unwrap();
            assert_page(response, title, retry_after).await;
            assert_eq!(emulator.identity_count(), before + 1, "{title}");
        }
    }

    // Every operation runs, not only a creation.
    let client = Client::over_http(&emulator);
    let [first, second, ..] = &emulator.identities()[..] else {
        panic!("not two identities")
    };
    let token = client.issue_chat(first).await;
    inject(&emulator, Fault::status(500).code("Busy").after_commit());
    assert_eq!(client.revoke(first).await.status, 500);
    assert_eq!(emulator.token_status(&token), TokenStatus::Revoked);
    assert_eq!(client.delete(second).await.status, 500);
    assert!(!emulator.identities().contains(second));
}

#[tokio::test]
async fn code_gives_after_commit_the_services_form() {
    let emulator = start().await;
    inject(
        &emulator,
        "status=503,code=Busy,after-commit,retry-after=2".parse().unwrap(),
    );
    let client = Client::over_http(&emulator);
    let response = client.send("POST", &format!("/identities{VERSION}"), "").await;
    let message = "This error was injected by the emulator: status=503,code=Busy,retry-after=2,after-commit.";
    response.assert_error(503, "Busy", message, None);
    assert_eq!(response.header("retry-after"), Some("2"));
    assert!(response.header("ms-cv").is_some());
    assert_eq!(emulator.identity_count(), 1);
}

#[tokio::test]
async fn html_page_has_any_status() {
    let emulator = start().await;
    for (fault, title, retry_after) in [
        (Fault::html_body(), "502 Bad Gateway", None),
        (
            Fault::html_body().with_status(503).retry_after(Duration::from_secs(3)),
            "503 Service Unavailable",
            Some("3"),
        ),
        (Fault::html_body().with_status(599), "599", None),
    ] {
        inject(&emulator, fault.times(1));
        let response = creation(&Client::over_https(&emulator)).await.unwrap();
        assert_page(response, title, retry_after).await;
    }
    assert_eq!(emulator.identity_count(), 0);
}

async fn assert_page(response: reqwest::Response, title: &str, retry_after: Option<&str>) {
    assert_eq!(response.status().as_str(), &title[..3]);
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(header("retry-after"), retry_after, "{title}");
    assert_eq!(header("ms-cv"), None);
    let text = response.text().await.unwrap();
    assert!(text.contains(&format!("<title>{title}</title>")), "{text}");
}

#[tokio::test]
async fn status_after_commit_replaces_a_refusal() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    inject(&emulator, Fault::status(503).code("Busy").after_commit());
    let unsigned = Response::of(client.unsigned("POST", &format!("/identities{VERSION}"), "")).await;
    assert_eq!(unsigned.status, 503);
    let unsupported = client.send("POST", "/identities?api-version=1.0", "").await;
    assert_eq!(unsupported.status, 503);
    assert_eq!(client.send("POST", "/nothing", "").await.status, 503);
    assert_eq!(emulator.identity_count(), 0);

    let list = control(&client, "requests").await.body;
    let explanation = |request: usize| list["requests"][request]["explanation"].as_str().unwrap();
    assert!(explanation(0).starts_with("the operation's response was not sent: 404 NotFound: path: no operation"));
    assert_eq!(
        explanation(1),
        "the operation's response was not sent: 400 UnsupportedApiVersion"
    );
    assert!(explanation(2).starts_with("the operation's response was not sent: 401 Denied: "));
}

#[tokio::test]
async fn error_has_the_code_of_the_fault() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    inject(&emulator, Fault::status(409).code("Such A \\ Code"));
    let response = client.send("POST", &format!("/identities{VERSION}"), "").await;
    let message = r"This error was injected by the emulator: status=409,code=Such A \ Code.";
    response.assert_error(409, r"Such A \ Code", message, None);
    let list = control(&client, "requests").await.body;
    assert_eq!(list["requests"][0]["code"], r"Such A \ Code");
}

#[tokio::test]
async fn truncated_body_is_shorter_than_its_length() {
    let emulator = start().await;
    inject(&emulator, Fault::truncated_body());
    let (response, _) = raw_creation(&emulator).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 Created\r\n"), "{head}");
    let (_, length) = head.split_once("\r\ncontent-length: ").unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    assert!(length > 0);
    assert_eq!(body.len(), length / 2);
    assert!(body.starts_with(r#"{"identity":{"id":"8:acs:"#), "{body}");

    let response = creation(&Client::over_https(&emulator)).await.unwrap();
    assert_eq!(response.status(), 201);
    response.text().await.unwrap_err();
    assert_eq!(emulator.identity_count(), 2);

    // An error is sent in chunks, without a length.
    let client = Client::over_http(&emulator);
    let refused = client.unsigned("POST", "/identities", "").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let length = refused.content_length();
    assert!(length.is_some_and(|length| length > 0), "{length:?}");
    refused.text().await.unwrap_err();
}

#[tokio::test]
async fn empty_body_is_not_truncated() {
    let emulator = start().await;
    let id = Client::over_http(&emulator).create().await;
    inject(&emulator, Fault::truncated_body());
    let target = format!("/identities/{id}/:revokeAccessTokens{VERSION}");
    let to_sign = ToSign {
        method: "POST",
        target: &target,
        host: address(emulator.endpoint()),
        date: &signer::now(),
        body: b"",
    };
    let request = raw_request(&to_sign, &target, to_sign.host, "x-ms-date", &emulator.access_key());
    let request = request.replace("Connection: close\r\n", "");
    // The connection is kept alive.
    let mut stream = TcpStream::connect(to_sign.host).await.unwrap();
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut response).await.unwrap(), 0);
        }
        let response = String::from_utf8(response).unwrap();
        assert!(
            response.starts_with("HTTP/1.1 204 ") && !response.contains("content-length"),
            "{response}"
        );
    }
    assert_eq!(hits(&emulator), [(2, None)]);
}

#[tokio::test]
async fn html_page_has_no_service_headers() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    inject(&emulator, Fault::html_body());
    let response = creation(&client).await.unwrap();
    assert_eq!(response.status(), 502);
    let names: Vec<_> = response.headers().keys().map(ToString::to_string).collect();
    assert_eq!(names, ["content-type", "content-length", "date"]);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let page = response.text().await.unwrap();
    assert!(page.starts_with("<html>") && page.contains("502 Bad Gateway"), "{page}");
    assert_eq!(emulator.identity_count(), 0);
}

/// The paused clock advances only when everything waits for a timer.
#[tokio::test]
async fn latency_precedes_the_operation_and_adds_up() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    inject(&emulator, Fault::latency(Duration::from_secs(300)));
    inject(&emulator, Fault::status(503).times(1));
    inject(&emulator, Fault::latency(Duration::from_secs(60)).times(1));
    for (status, seconds) in [(503, 360), (201, 300)] {
        time::pause();
        let start = Instant::now();
        assert_eq!(create(&client).await, status);
        let elapsed = start.elapsed();
        time::resume();
        assert_eq!(elapsed.as_secs(), seconds);
    }
    assert_eq!(hits(&emulator), [(2, None), (1, Some(0)), (1, Some(0))]);
}

#[tokio::test]
async fn builder_faults_apply_until_removed() {
    let emulator = builder()
        .fault(Fault::status(500))
        .fault("reset-after-commit".parse().unwrap())
        .start()
        .await
        .unwrap();
    let client = Client::over_http(&emulator);
    assert_eq!(create(&client).await, 500);
    let [first, second] = emulator.faults().try_into().unwrap();
    assert_eq!((first.fault, first.hits, second.hits), (Fault::status(500), 1, 0));
    assert!(emulator.remove_fault(first.id));
    assert!(!emulator.remove_fault(first.id));
    creation(&client).await.unwrap_err();
    emulator.clear_faults();
    assert_eq!(emulator.faults(), []);
    assert_eq!(create(&client).await, 201);
    assert_eq!(emulator.identity_count(), 2);
}

#[tokio::test]
async fn invalid_fault_is_refused() {
    let second = Duration::from_secs(1);
    let emulator = start().await;
    for (fault, remedy) in [
        (
            Fault::status(399),
            "399 is no status of a failure: give one from 400 to 599",
        ),
        (
            Fault::status(600),
            "600 is no status of a failure: give one from 400 to 599",
        ),
        (
            Fault::latency(Duration::ZERO),
            "a latency takes 1 to 600000 milliseconds",
        ),
        (Fault::latency(601 * second), "a latency takes 1 to 600000 milliseconds"),
        (
            Fault::latency(Duration::MAX),
            "a latency takes 1 to 600000 milliseconds",
        ),
        (
            Fault::truncated_body().retry_after(second),
            "leave it out, or inject one of these",
        ),
        (
            Fault::reset_before_commit().after_commit(),
            "leave it out, or inject a status",
        ),
        (
            Fault::latency(second).with_status(503),
            "leave it out, or inject a second fault",
        ),
        (Fault::html_body().code("A"), "leave it out, or inject a status"),
        (Fault::html_body().with_status(302), "302 is no status of a failure"),
        (
            Fault::status(503).code(""),
            "a code has 1 to 100 printable ASCII characters",
        ),
        (
            Fault::html_body().times(0),
            "give a number from 1 on, or none for every request",
        ),
        (Fault::html_body().share(1.5), "a share is a number from 0 to 1"),
        (Fault::html_body().share(f64::NAN), "a share is a number from 0 to 1"),
    ] {
        let error = emulator.inject(fault.clone()).unwrap_err().to_string();
        assert!(error.contains(remedy), "{error}");
        let error = builder().fault(fault).start().await.unwrap_err();
        assert!(matches!(error, EmulatorError::Fault(_)) && error.to_string().contains(remedy));
    }
    assert_eq!(emulator.faults(), []);
}

#[tokio::test]
async fn faults_spare_the_control_surface() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    inject(&emulator, Fault::reset_before_commit());
    for path in ["resource", "keys", "requests"] {
        assert_eq!(control(&client, path).await.status, 200, "{path}");
    }
    assert_eq!(control(&client, "nothing").await.status, 404);
    assert_eq!(hits(&emulator), [(0, None)]);
}

#[tokio::test]
async fn request_list_names_the_faults() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    inject(&emulator, Fault::status(429).times(1));
    assert_eq!(create(&client).await, 429);
    inject(&emulator, Fault::reset_before_commit().times(1));
    creation(&client).await.unwrap_err();
    inject(&emulator, Fault::latency(Duration::from_millis(1)).times(1));
    inject(&emulator, Fault::reset_after_commit().times(1));
    client
        .signed("DELETE", &format!("/identities/{id}{VERSION}"), "")
        .send()
        .await
        .unwrap_err();

    inject(&emulator, Fault::status(503).code("Busy").after_commit().times(1));
    assert_eq!(create(&client).await, 503);
    inject(&emulator, Fault::status(502).after_commit().times(1));
    assert_eq!(creation(&client).await.unwrap().status(), 502);

    let list = control(&client, "requests").await.body;
    let summaries: Vec<_> = list["requests"].as_array().unwrap().iter().map(summary).collect();
    let expected = [
        json!(["createIdentity", 502, null, "status=502,after-commit,times=1"]),
        json!([
            "createIdentity",
            503,
            "Busy",
            "status=503,code=Busy,after-commit,times=1"
        ]),
        json!([
            "deleteIdentity",
            204,
            null,
            "latency=1ms,times=1; reset-after-commit,times=1"
        ]),
        json!(["createIdentity", null, null, "reset-before-commit,times=1"]),
        json!(["createIdentity", 429, "TooManyRequests", "status=429,times=1"]),
        json!(["createIdentity", 201, null, null]),
    ];
    assert_eq!(summaries, expected);
    for (request, member, is_there) in [
        (0, "code", false),
        (3, "status", false),
        (4, "explanation", false),
        (5, "fault", false),
    ] {
        assert_eq!(list["requests"][request].get(member).is_some(), is_there);
    }
    for (request, created) in emulator.identities().iter().rev().enumerate() {
        assert_eq!(list["requests"][request]["identity"], created.as_str());
        assert_eq!(
            list["requests"][request]["explanation"],
            "the operation's response was not sent: 201"
        );
    }
}

fn summary(request: &Value) -> Value {
    let members = ["operation", "status", "code", "fault"];
    members.iter().map(|member| request[member].clone()).collect()
}

/// Latencies are for clients that do not wait for a late response.
#[tokio::test]
async fn abandoned_request_is_listed_without_a_status() {
    let emulator = start().await;
    inject(&emulator, Fault::latency(Duration::from_secs(600)));
    let stream = send_creation(&emulator).await;
    let until = async |is_so: &dyn Fn(&Value) -> bool| {
        let url = format!("{}requests", emulator.control_endpoint());
        loop {
            let list = Response::of(http().get(&url)).await.body;
            if hits(&emulator) == [(1, None)] && is_so(&list["requests"]) {
                return list["requests"][0].clone();
            }
        }
    };
    // It is not listed as long as the client waits.
    until(&|requests| requests == &json!([])).await;
    drop(stream);
    let given_up = time::timeout(Duration::from_secs(60), until(&|requests| requests != &json!([])));
    let given_up = given_up.await.unwrap();
    assert_eq!(given_up.get("status"), None);
    assert_eq!(given_up["operation"], "createIdentity");
    assert_eq!(given_up["fault"], "latency=600000ms");
    assert_eq!(given_up["explanation"], "the connection was closed before the response");
    assert_eq!(emulator.identity_count(), 0);
}
