//! Requests of pages in a browser to the service.

use crate::{
    client::{Client, PREVIEW, Response, VERSION, builder, http, start},
    wire::exchange,
};
use acs_identity_emulator::{Emulator, Fault};
use serde_json::Value;

const ORIGIN: &str = "http://localhost:3000";

/// A preflight as a browser sends it, as raw bytes, so that no client changes its headers.
async fn preflight(endpoint: &str, target: &str, origin: &str) -> String {
    let request = format!(
        "OPTIONS {target} HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
         Access-Control-Request-Headers: authorization,content-type,x-ms-useragent\r\nConnection: close\r\n\r\n"
    );
    exchange(endpoint, &request).await.to_ascii_lowercase()
}

async fn requests(emulator: &Emulator) -> Vec<Value> {
    let list = Response::of(http().get(format!("{}requests", emulator.control_endpoint()))).await;
    list.body["requests"].as_array().unwrap().clone()
}

#[tokio::test]
async fn preflight_is_answered_before_authentication() {
    let emulator = builder().rate_limits(true).start().await.unwrap();
    for target in [
        format!("/access/entra/:exchangeAccessToken{PREVIEW}"),
        format!("/access/teamsExtension/:exchangeAccessToken{VERSION}"),
        format!("/identities{VERSION}"),
        "/identities/8%3Aacs%3Aa_b/%3AissueAccessToken".to_owned(),
    ] {
        for origin in [ORIGIN, "https://app.example", "capacitor://localhost", "null"] {
            let response = preflight(emulator.endpoint(), &target, origin).await;
            assert!(response.starts_with("http/1.1 204 "), "{target}: {response}");
            for header in [
                format!("access-control-allow-origin: {origin}"),
                "access-control-allow-headers: authorization,content-type,x-ms-useragent".to_owned(),
                "access-control-allow-methods: get, post, put, delete".to_owned(),
                "access-control-max-age: 600".to_owned(),
                "vary: origin".to_owned(),
            ] {
                assert!(response.contains(&format!("\r\n{header}\r\n")), "{header}: {response}");
            }
            // The access key and tokens are sent by the page's code, never by the browser on its own.
            assert!(!response.contains("allow-credentials"), "{response}");
        }
    }
    let listed = requests(&emulator).await;
    assert_eq!(
        (&listed[0]["method"], &listed[0]["status"]),
        (&"OPTIONS".into(), &204.into())
    );
    assert!(listed[0]["operation"].is_null(), "{listed:?}");
}

#[tokio::test]
async fn responses_mirror_the_origin() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let target = format!("/identities{VERSION}");
    for (request, status) in [
        (client.signed("POST", &target, ""), 201),
        (client.unsigned("POST", &target, ""), 401),
        (client.signed("POST", "/identities", ""), 400),
        (client.signed("POST", &format!("/nothing{VERSION}"), ""), 404),
    ] {
        let same = request.try_clone().unwrap();
        let response = Response::of(request.header("origin", ORIGIN)).await;
        assert_eq!(response.status, status);
        assert_eq!(response.header("access-control-allow-origin"), Some(ORIGIN), "{status}");
        assert_eq!(response.header("access-control-expose-headers"), Some("*"), "{status}");
        assert_eq!(response.header("vary"), Some("origin"), "{status}");

        let response = Response::of(same).await;
        assert_eq!(response.status, status);
        assert_eq!(response.header("access-control-allow-origin"), None, "{status}");
    }
}

#[tokio::test]
async fn injected_error_can_be_read_by_the_page() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for (fault, origin) in [
        (Fault::status(503), Some(ORIGIN)),
        (Fault::status(503).code("Busy").after_commit(), Some(ORIGIN)),
        // A gateway does not know of the service's pages.
        (Fault::html_body(), None),
        (Fault::status(503).after_commit(), None),
    ] {
        emulator.inject(fault.times(1)).unwrap();
        // A preflight does not use the fault up.
        let target = format!("/identities{VERSION}");
        let allowed = preflight(emulator.endpoint(), &target, ORIGIN).await;
        assert!(allowed.starts_with("http/1.1 204 "), "{allowed}");
        let request = client.signed("POST", &target, "").header("origin", ORIGIN);
        let response = request.send().await.unwrap();
        assert!(response.status().is_server_error());
        let allowed = response.headers().get("access-control-allow-origin");
        assert_eq!(allowed.map(|value| value.to_str().unwrap()), origin);
        assert_eq!(emulator.faults()[0].hits, 1);
        emulator.clear_faults();
    }
}

#[tokio::test]
async fn control_surface_allows_no_origin() {
    let emulator = start().await;
    for path in ["", "resource", "access-keys", "health", "entra/tokens", "nothing"] {
        let response = preflight(emulator.endpoint(), &format!("/_emulator/{path}"), ORIGIN).await;
        assert!(!response.contains("access-control-"), "{path}: {response}");
        assert!(!response.starts_with("http/1.1 2"), "{path}: {response}");
        let get = format!(
            "GET /_emulator/{path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nConnection: close\r\n\r\n"
        );
        let response = exchange(emulator.endpoint(), &get).await.to_ascii_lowercase();
        assert!(!response.contains("access-control-"), "{path}: {response}");
    }
}

#[tokio::test]
async fn options_that_is_no_preflight_is_a_request() {
    let emulator = start().await;
    for headers in ["", "Origin: a\r\n", "Access-Control-Request-Method: POST\r\n"] {
        let request = format!("OPTIONS /identities HTTP/1.1\r\nHost: a\r\n{headers}Connection: close\r\n\r\n");
        let response = exchange(emulator.endpoint(), &request).await;
        assert!(response.starts_with("HTTP/1.1 401 "), "{headers}: {response}");
    }
}
