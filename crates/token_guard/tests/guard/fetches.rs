//! What an issuer may answer, and what it may not.

use crate::{
    served::Served,
    setup::{AUDIENCE, NOW, Setup, short},
};
use axum::{body::Body, response::Response};
use futures::stream;
use serde_json::{Value, json};
use std::{convert::Infallible, error::Error, time::Duration};
use token_guard::{TokenGuard, TokenGuardBuilder, testing::ManualClock};
use tokio::net::TcpListener;

fn builder(issuer: &str) -> TokenGuardBuilder {
    TokenGuard::builder(issuer, [AUDIENCE]).clock(ManualClock::at(NOW).clock())
}

async fn reason(guard: &TokenGuard) -> String {
    guard.load_keys().await.unwrap_err().source().unwrap().to_string()
}

type Answer = Box<dyn Fn() -> Response + Send + Sync>;

const DISCOVERY: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn a_discovery_document_has_to_be_the_issuers_own_and_name_a_secure_address() {
    let served = Served::start().await;
    let own = served.url("");
    let keys = served.url("/jwks");
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
            "neither https",
        ),
        (
            json!({"issuer": own, "jwks_uri": "http://contoso.com/jwks"}),
            "neither https",
        ),
        (
            json!({"issuer": own, "jwks_uri": "file:///etc/jwks.json"}),
            "neither https",
        ),
        (json!({"issuer": own, "jwks_uri": "/jwks"}), "neither https"),
        (
            json!({"issuer": own, "jwks_uri": "https://user:pass@contoso.com/jwks"}),
            "neither https",
        ),
    ] {
        served.json(DISCOVERY, &document);
        let reason = reason(&builder(&own).build().unwrap()).await;
        assert!(reason.contains(expected), "{document}: {reason}");
    }
    assert!(!served.requests().contains(&"/jwks".to_owned()));
}

#[tokio::test]
async fn an_issuer_with_a_slash_at_its_end_is_found() {
    let setup = Setup::new().await;
    let served = Served::start().await;
    let issuer = served.url("/tenant/");
    served.json(
        "/tenant/.well-known/openid-configuration",
        &json!({"issuer": issuer, "jwks_uri": served.url("/jwks")}),
    );
    served.json("/jwks", &json!({"keys": [setup.issuer.public_key()]}));
    let token = setup.issuer.token(json!({"iss": issuer, "aud": AUDIENCE})).unwrap();
    assert_eq!(short(&builder(&issuer).build().unwrap().verify(&token).await), "200");
}

#[tokio::test]
async fn keys_have_to_be_a_short_answer_of_200_without_redirect() {
    let setup = Setup::new().await;
    let served = Served::start().await;
    let keys = json!({"keys": [setup.issuer.public_key()]});
    served.json("/elsewhere", &keys);
    let elsewhere = served.url("/elsewhere");
    let padded = |length: usize| {
        let json = keys.to_string();
        format!("{json}{}", " ".repeat(length - json.len()))
    };
    let status = |status: u16, body: String| http::Response::builder().status(status).body(Body::from(body)).unwrap();
    let cases: Vec<(&str, Answer, &str)> = vec![
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
    for (path, answer, expected) in cases {
        served.answer(path, answer);
        let guard = builder(setup.issuer.url()).keys_at(&served.url(path)).build().unwrap();
        if expected.is_empty() {
            guard.load_keys().await.unwrap();
        } else {
            let reason = reason(&guard).await;
            assert!(
                reason.starts_with(&served.url(path)) && reason.contains(expected),
                "{path}: {reason}"
            );
        }
    }
    assert!(!served.requests().contains(&"/elsewhere".to_owned()));
}

#[tokio::test]
async fn a_client_that_follows_redirects_brings_no_keys() {
    let setup = Setup::new().await;
    let served = Served::start().await;
    served.json("/elsewhere", &json!({"keys": [setup.issuer.public_key()]}));
    let elsewhere = served.url("/elsewhere");
    served.answer("/jwks", move || {
        http::Response::builder()
            .status(302)
            .header("location", &elsewhere)
            .body(Body::empty())
            .unwrap()
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let guard = builder(setup.issuer.url())
        .keys_at(&served.url("/jwks"))
        .http_client(client)
        .build()
        .unwrap();
    let reason = reason(&guard).await;
    assert!(reason.contains("redirected"), "{reason}");
}

#[tokio::test]
async fn the_query_of_an_address_is_in_no_error() {
    let served = Served::start().await;
    let keys_at = served.url("/jwks?code=s3cr3t");
    let guard = builder(&served.url("")).keys_at(&keys_at).build().unwrap();
    let error = guard.load_keys().await.unwrap_err();
    let reason = error.source().unwrap();
    assert_eq!(
        reason.to_string(),
        format!("{} answered 404 Not Found", served.url("/jwks"))
    );
    let shown = format!("{error:?} {reason:?} {guard:?}");
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_not_waited_for() {
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
async fn an_answer_that_stalls_is_not_waited_for() {
    let served = Served::start().await;
    served.answer("/jwks", || {
        let first = stream::iter([Ok::<_, Infallible>("{".to_owned())]);
        Response::new(Body::from_stream(futures::StreamExt::chain(first, stream::pending())))
    });
    let timeout = Duration::from_millis(20);
    let guard = builder(&served.url(""))
        .keys_at(&served.url("/jwks"))
        .fetch_timeout(timeout)
        .build()
        .unwrap();
    let reason = reason(&guard).await;
    assert!(reason.contains("did not answer in time"), "{reason}");
}

#[tokio::test]
async fn only_keys_of_the_configured_algorithms_are_used() {
    let setup = Setup::new().await;
    let rsa: Value = crate::forge::Key::rsa().jwk("rsa");
    setup.issuer.serve_keys(&[setup.issuer.public_key(), rsa]);
    let token = setup.token();
    for (algorithm, expected) in [
        (token_guard::Algorithm::Es384, "200"),
        (token_guard::Algorithm::Rs256, "401 invalid_token UnknownKey"),
        (token_guard::Algorithm::EdDsa, "503 auth.keys_unavailable"),
    ] {
        let guard = setup.builder().algorithms([algorithm]).build().unwrap();
        assert_eq!(short(&guard.verify(&token).await), expected, "{algorithm:?}");
    }
}
