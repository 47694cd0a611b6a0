//! Responses of an issuer that bring keys, and those that do not.

use crate::{
    forge::Key,
    server::{DISCOVERY, Server},
    setup::{AUDIENCE, NOW, Setup, short},
};
use axum::{body::Body, response::Response};
use futures::stream;
use serde_json::json;
use std::{convert::Infallible, error::Error, time::Duration};
use token_guard::{Algorithm, TokenGuard, TokenGuardBuilder, testing::ManualClock};
use tokio::net::TcpListener;

fn builder(issuer: &str) -> TokenGuardBuilder {
    TokenGuard::builder(issuer, [AUDIENCE]).clock(ManualClock::at(NOW).clock())
}

type Respond = Box<dyn Fn() -> Response + Send + Sync>;

async fn reason(guard: &TokenGuard) -> String {
    guard.load_keys().await.unwrap_err().source().unwrap().to_string()
}

#[tokio::test]
async fn discovery_needs_its_issuer_and_secure_keys() {
    let server = Server::start().await;
    let own = server.url("");
    let keys = server.url("/jwks");
    for (document, expected) in [
        (json!({"issuer": format!("{own}/"), "jwks_uri": keys}), "another issuer"),
        (
            json!({"issuer": "https://fabrikam.com", "jwks_uri": keys}),
            "another issuer",
        ),
        (json!({"jwks_uri": keys}), "did not return a discovery document"),
        (json!({"issuer": own}), "did not return a discovery document"),
        (
            json!({"issuer": [own], "jwks_uri": keys}),
            "did not return a discovery document",
        ),
        (json!("document"), "did not return a discovery document"),
        (json!([own, keys]), "did not return a discovery document"),
        (
            json!({"issuer": own, "jwks_uri": "http://10.0.0.1/jwks"}),
            "that the guard must not ask",
        ),
        (
            json!({"issuer": own, "jwks_uri": "http://contoso.com/jwks"}),
            "that the guard must not ask",
        ),
        (
            json!({"issuer": own, "jwks_uri": "file:///etc/jwks.json"}),
            "that the guard must not ask",
        ),
        (
            json!({"issuer": own, "jwks_uri": "/jwks"}),
            "that the guard must not ask",
        ),
        (
            json!({"issuer": own, "jwks_uri": "https://user:pass@contoso.com/jwks"}),
            "that the guard must not ask",
        ),
    ] {
        server.json(DISCOVERY, &document);
        let reason = reason(&builder(&own).build().unwrap()).await;
        assert!(reason.contains(expected), "{document}: {reason}");
    }
    assert!(!server.requests().contains(&"/jwks".to_owned()));
}

#[tokio::test]
async fn issuer_with_final_slash_is_discovered() {
    let setup = Setup::new().await;
    let server = Server::start().await;
    let issuer = server.url("/tenant/");
    server.json(
        "/tenant/.well-known/openid-configuration",
        &json!({"issuer": issuer, "jwks_uri": server.url("/jwks")}),
    );
    server.json("/jwks", &json!({"keys": [setup.issuer.public_key()]}));
    let token = setup.issuer.token(json!({"iss": issuer, "aud": AUDIENCE})).unwrap();
    assert_eq!(short(&builder(&issuer).build().unwrap().verify(&token).await), "200");
}

#[tokio::test]
async fn keys_need_a_short_200_without_redirect() {
    let setup = Setup::new().await;
    let server = Server::start().await;
    let keys = json!({"keys": [setup.issuer.public_key()]});
    server.json("/elsewhere", &keys);
    let elsewhere = server.url("/elsewhere");
    let padded = |length: usize| {
        let json = keys.to_string();
        format!("{json}{}", " ".repeat(length - json.len()))
    };
    let status = |status: u16, body: String| http::Response::builder().status(status).body(Body::from(body)).unwrap();
    let cases: Vec<(&str, Respond, &str)> = vec![
        (
            "/longest",
            Box::new({
                let body = padded(64 * 1024);
                move || status(200, body.clone())
            }),
            "",
        ),
        (
            "/too_long",
            Box::new({
                let body = padded(64 * 1024 + 1);
                move || status(200, body.clone())
            }),
            "more than 65536 bytes",
        ),
        (
            "/endless",
            Box::new(|| {
                Response::new(Body::from_stream(stream::repeat_with(|| {
                    Ok::<_, Infallible>([b' '; 1024].to_vec())
                })))
            }),
            "more than 65536 bytes",
        ),
        (
            "/redirect",
            Box::new(move || {
                let redirect = http::Response::builder().status(302).header("location", &elsewhere);
                redirect.body(Body::empty()).unwrap()
            }),
            "answered 302 Found",
        ),
        (
            "/created",
            Box::new({
                let keys = keys.to_string();
                move || status(201, keys.clone())
            }),
            "answered 201",
        ),
        ("/missing", Box::new(move || status(404, String::new())), "answered 404"),
        ("/html", Box::new(move || status(200, "<html>".to_owned())), "no keys"),
        (
            "/empty",
            Box::new(move || status(200, r#"{"keys":[]}"#.to_owned())),
            "no keys",
        ),
        (
            "/array",
            Box::new({
                let keys = keys["keys"].to_string();
                move || status(200, keys.clone())
            }),
            "no keys",
        ),
        (
            "/array_of_array",
            Box::new({
                let keys = json!([keys["keys"]]).to_string();
                move || status(200, keys.clone())
            }),
            "no keys",
        ),
    ];
    for (path, respond, expected) in cases {
        server.respond(path, respond);
        let guard = builder(setup.issuer.url()).keys_at(&server.url(path)).build().unwrap();
        if expected.is_empty() {
            guard.load_keys().await.unwrap();
        } else {
            let reason = reason(&guard).await;
            assert!(
                reason.starts_with(&server.url(path)) && reason.contains(expected),
                "{path}: {reason}"
            );
        }
    }
    assert!(!server.requests().contains(&"/elsewhere".to_owned()));
}

#[tokio::test]
async fn redirect_followed_by_the_client_refused() {
    let setup = Setup::new().await;
    let server = Server::start().await;
    server.json("/elsewhere", &json!({"keys": [setup.issuer.public_key()]}));
    let elsewhere = server.url("/elsewhere");
    server.respond("/jwks", move || {
        http::Response::builder()
            .status(302)
            .header("location", &elsewhere)
            .body(Body::empty())
            .unwrap()
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let guard = builder(setup.issuer.url())
        .keys_at(&server.url("/jwks"))
        .http_client(client)
        .build()
        .unwrap();
    let reason = reason(&guard).await;
    assert!(reason.contains("redirected"), "{reason}");
}

#[tokio::test]
async fn query_of_a_url_is_in_no_error() {
    let server = Server::start().await;
    let keys_at = server.url("/jwks?code=s3cr3t");
    let guard = builder(&server.url("")).keys_at(&keys_at).build().unwrap();
    let error = guard.load_keys().await.unwrap_err();
    let reason = error.source().unwrap();
    assert_eq!(
        reason.to_string(),
        format!("{} answered 404 Not Found", server.url("/jwks"))
    );
    let shown = format!("{error:?} {reason:?} {guard:?}");
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[tokio::test]
async fn silent_issuer_times_out() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let guard = builder(&url).fetch_timeout(Duration::from_millis(20)).build().unwrap();
    let reason_for_silence = reason(&guard).await;
    assert!(
        reason_for_silence.contains("did not answer in time"),
        "{reason_for_silence}"
    );
    drop(listener);
    let reason = reason(&builder(&url).build().unwrap()).await;
    assert!(reason.contains("cannot be connected to"), "{reason}");
}

#[tokio::test]
async fn stalled_response_times_out() {
    let server = Server::start().await;
    server.respond("/jwks", || {
        let first = stream::iter([Ok::<_, Infallible>("{".to_owned())]);
        Response::new(Body::from_stream(futures::StreamExt::chain(first, stream::pending())))
    });
    let timeout = Duration::from_millis(20);
    let guard = builder(&server.url(""))
        .keys_at(&server.url("/jwks"))
        .fetch_timeout(timeout)
        .build()
        .unwrap();
    let reason = reason(&guard).await;
    assert!(reason.contains("did not answer in time"), "{reason}");
}

#[tokio::test]
async fn only_configured_algorithms_used() {
    let setup = Setup::new().await;
    let rsa = Key::rsa().jwk("rsa");
    setup.issuer.serve_keys(&[setup.issuer.public_key(), rsa]);
    let token = setup.token();
    for (algorithm, expected) in [
        (Algorithm::Es384, "200"),
        (Algorithm::Rs256, "401 invalid_token UnknownKey"),
        (Algorithm::EdDsa, "503 auth.keys_unavailable"),
    ] {
        let guard = setup.builder().algorithms([algorithm]).build().unwrap();
        assert_eq!(short(&guard.verify(&token).await), expected, "{algorithm:?}");
    }
}

#[tokio::test]
async fn keys_fetched_over_plain_http_if_allowed() {
    // The issuer is public. From here, it is reached by a name of the network, which is resolved to the server.
    let setup = Setup::new().await;
    let server = Server::start().await;
    let url = server.url("").replace("127.0.0.1", "keycloak.contoso.com");
    let address = server.url("").replace("http://", "").parse().unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .resolve("keycloak.contoso.com", address)
        .build()
        .unwrap();
    server.json("/jwks", &json!({"keys": [setup.issuer.public_key()]}));
    let guard = || {
        let builder = builder(setup.issuer.url()).metadata_at(&format!("{url}{DISCOVERY}"));
        let builder = builder.allow_forgeable_keys_over_http();
        builder.http_client(client.clone()).build().unwrap()
    };
    for (issuer, keys, expected) in [
        (setup.issuer.url(), format!("{url}/jwks"), None),
        (&url, format!("{url}/jwks"), Some("another issuer")),
        // A document from elsewhere must not direct requests to this machine.
        (
            setup.issuer.url(),
            server.url("/jwks"),
            Some("that the guard must not ask"),
        ),
    ] {
        server.json(DISCOVERY, &json!({"issuer": issuer, "jwks_uri": keys}));
        let guard = guard();
        match expected {
            None => assert_eq!(short(&guard.verify(&setup.token()).await), "200"),
            Some(expected) => assert!(reason(&guard).await.contains(expected), "{keys}"),
        }
    }
    let direct = builder(setup.issuer.url())
        .keys_at(&format!("{url}/jwks"))
        .allow_forgeable_keys_over_http();
    let direct = direct.http_client(client.clone()).build().unwrap();
    assert_eq!(short(&direct.verify(&setup.token()).await), "200");
}
