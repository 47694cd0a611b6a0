//! Access keys that a client puts in the wrong place are redacted.

#[cfg(feature = "cli")]
use crate::process::Process;
use crate::{
    client::{Client, Response, VERSION, builder, http},
    redaction::assert_hides,
    signer::{KEY, ToSign, now},
};
#[cfg(feature = "cli")]
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use reqwest::RequestBuilder;

/// Requests with `key` in their path, date, host, trace or method. None of them is authenticated.
fn misplaced(client: &Client, key: &str) -> Vec<RequestBuilder> {
    let encoded = key.replace('+', "%2B").replace('/', "%2F").replace('=', "%3d");
    let request = |method, path: &str, host, date: &str| {
        let to_sign = ToSign {
            method,
            target: &format!("{path}{VERSION}"),
            host,
            date,
            body: b"",
        };
        client.signed_as(&to_sign).header("host", host)
    };
    let (host, date) = (client.host(), now());
    let paths = [
        format!("/;accesskey={key}/identities"),
        format!("/{encoded}/identities"),
        format!("/identities/{encoded}"),
        format!("/identities/{}", encoded.replace('%', "%25")),
        format!("/identities/{}/:issueAccessToken", key.trim_end_matches('=')),
        // The path is cut after 300 characters.
        format!("/{}{key}", "a".repeat(280)),
    ];
    let mut requests: Vec<_> = paths.iter().map(|path| request("GET", path, host, &date)).collect();
    let is_in_method = |c: char| c.is_ascii_alphanumeric() || c == '+';
    let method = key.split(|c| !is_in_method(c)).next().unwrap();
    if method.len() == key.trim_end_matches('=').len() {
        requests.push(request(method, "/identities", host, &date));
    }
    requests.extend([
        request("GET", "/identities", host, key),
        request("GET", "/identities", host, &format!("{}{key}", "a".repeat(80))),
        request("GET", "/identities", key, &date),
        request("GET", "/identities", &format!("{key};accesskey={key}"), &date),
        request("GET", "/identities", host, &date).header("traceparent", format!("{}{key}", "a".repeat(280))),
    ]);
    requests
}

/// Sends all requests, and returns the responses and the lists of the control surface.
async fn send_misplaced(client: &Client, control: &str, keys: [&str; 2]) -> String {
    let stranger = Client {
        access_key: "b3RoZXI=".to_owned(),
        ..client.clone()
    };
    let mut shown = String::new();
    for key in keys {
        for request in misplaced(&stranger, key) {
            let response = Response::of(request).await;
            assert_eq!(response.status, 401, "{}", response.body);
            shown += &response.body.to_string();
        }
    }
    for list in ["requests", "refusals"] {
        let list = Response::of(http().get(format!("{control}{list}"))).await;
        shown += &list.body.to_string();
    }
    shown
}

#[tokio::test]
async fn keys_are_redacted_in_responses_and_lists() {
    let emulator = builder().access_key(KEY).explain(true).start().await.unwrap();
    let client = Client::over_http(&emulator);
    let secondary = emulator.secondary_access_key();
    let shown = send_misplaced(&client, &emulator.control_endpoint(), [KEY, &secondary]).await;
    assert!(shown.contains("/;accesskey=[hidden]/identities"), "{shown}");
    assert!(shown.contains(r#""identity":"[hidden]""#), "{shown}");
    assert!(shown.contains(r#""method":"[hidden]""#), "{shown}");
    assert!(shown.contains(";[hidden];accesskey=[hidden];47DEQ"), "{shown}");
    assert_hides(&shown, &[KEY.to_owned(), secondary]);
}

#[tokio::test]
async fn keys_are_redacted_as_api_version() {
    let emulator = builder().access_key(KEY).start().await.unwrap();
    let client = Client::over_http(&emulator);
    let secondary = emulator.secondary_access_key();
    for key in [KEY, &secondary] {
        let refused = client
            .send("POST", &format!("/identities?api-version=a;accesskey={key}"), "")
            .await;
        let message = refused.text("/error/message");
        assert_eq!(refused.text("/error/code"), "UnsupportedApiVersion");
        assert!(message.ends_with("'a;accesskey=[hidden]'."), "{message}");
    }
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn keys_are_redacted_in_the_log() {
    for arguments in [&["--access-key", KEY][..], &["--access-key", KEY, "--explain"]] {
        let process = Process::start(arguments).await;
        let (client, control) = (process.client(), process.text("controlEndpoint").to_owned());
        let keys = Response::of(http().get(format!("{control}access-keys"))).await;
        let secondary = keys.text("/secondary/accessKey");
        let shown = send_misplaced(&client, &control, [KEY, &secondary]).await;
        assert_hides(&shown, &[KEY.to_owned(), secondary.clone()]);
        for key in [KEY, &secondary] {
            Response::of(http().get(format!("{control};accesskey={key}"))).await;
            let target = format!("/identities/{}/:issueAccessToken{VERSION}", key.replace('/', "%2F"));
            let text = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
            Response::of(client.signed("POST", &target, "{}").headers(text)).await;
        }
        let log = process.into_log().await;
        assert!(
            log.contains(r#"path="/;accesskey=[hidden]/identities" status=401"#),
            "{log}"
        );
        assert!(
            log.contains(r#"path="/_emulator/;accesskey=[hidden]" status=404"#),
            "{log}"
        );
        assert!(log.contains("Content-Type"), "{log}");
        assert_hides(&log, &[KEY.to_owned(), secondary]);
    }
}
