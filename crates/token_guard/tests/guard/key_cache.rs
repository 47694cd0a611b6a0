//! Fetches of keys: their number, their times, and outages.

use crate::{
    forge::Key,
    server::{DISCOVERY, Server},
    setup::{AUDIENCE, NOW, Setup, short, with},
};
use futures::{FutureExt, future::join_all};
use serde_json::{Value, json};
use std::{error::Error, thread, time::Duration};
use token_guard::{GuardError, TokenGuard, testing::ManualClock};
use tokio::runtime::{Builder, Runtime};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A runtime that runs only within `block_on`.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime that runs on its own thread, for the issuer.
fn serving_runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

fn retry_after(error: &GuardError) -> u64 {
    match error {
        GuardError::KeysUnavailable(unavailable) => unavailable.retry_after().as_secs(),
        other => panic!("{other:?}"),
    }
}

/// A guard that waits for a fetch as soon as its keys have expired.
fn without_stale_keys(setup: &Setup) -> TokenGuard {
    setup.builder().stale_keys_for(Duration::ZERO).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_tokens_share_one_fetch() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    let token = setup.token();
    let outcomes = join_all((0..50).map(|_| guard.verify(&token))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(setup.issuer.key_requests(), 1);
}

#[tokio::test]
async fn rotated_key_fetched_at_once() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    let old = setup.token();
    assert_eq!(short(&guard.verify(&old).await), "200");
    setup.issuer.rotate().unwrap();
    assert_eq!(short(&guard.verify(&setup.token()).await), "200");
    assert_eq!(short(&guard.verify(&old).await), "401 invalid_token UnknownKey");
    assert_eq!(setup.issuer.key_requests(), 2);
}

#[tokio::test]
async fn rotated_key_fetched_for_token_without_kid() {
    let (setup, server) = (Setup::new().await, Server::start().await);
    let (old, new, forged) = (Key::p256(), Key::p256(), Key::p256());
    let serve = |key: &Key| {
        let key = with(&key.jwk("key"), &json!({"kid": null}));
        server.json("/jwks", &json!({ "keys": [key] }));
    };
    let token = |key: &Key| {
        let claims = json!({"iss": setup.issuer.url(), "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300});
        key.token(&json!({"alg": "ES256", "typ": "at+jwt"}), &claims)
    };
    let guard = setup.builder().keys_at(&server.url("/jwks")).build().unwrap();
    let signature = "401 invalid_token Signature";
    serve(&old);
    assert_eq!(short(&guard.verify(&token(&old)).await), "200");
    serve(&new);
    for (advance, key, expected, requests) in [
        (0, &old, "200", 1),
        (0, &new, "200", 2),
        (0, &old, signature, 2),
        (29, &forged, signature, 2),
        (1, &forged, signature, 3),
        (0, &forged, signature, 3),
        (0, &new, "200", 3),
    ] {
        setup.time.advance(advance * SECOND);
        assert_eq!(
            short(&guard.verify(&token(key)).await),
            expected,
            "after {requests} requests"
        );
        assert_eq!(server.requests().len(), requests);
    }
    // The issuer may have the key.
    server.json("/jwks", &json!([]));
    setup.time.advance(30 * SECOND);
    assert_eq!(short(&guard.verify(&token(&forged)).await), "503 auth.keys_unavailable");
    assert_eq!(short(&guard.verify(&token(&new)).await), "200");
}

#[tokio::test]
async fn rotated_certificate_fetched_for_token_with_x5t() {
    let (setup, server) = (Setup::new().await, Server::start().await);
    let keys = [Key::p256(), Key::p256()];
    let serve = |key: &Key, members: &Value| server.json("/jwks", &json!({"keys": [with(&key.jwk("key"), members)]}));
    let token = |key: &Key, thumbprint: &str| {
        let claims = json!({"iss": setup.issuer.url(), "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300});
        key.token(&json!({"alg": "ES256", "typ": "at+jwt", "x5t": thumbprint}), &claims)
    };
    // The thumbprint in the key is its x5t, its kid, or missing.
    for [first, second] in [
        [json!({"x5t": "A"}), json!({"x5t": "B"})],
        [json!({"kid": "A"}), json!({"kid": "B"})],
        [json!({"kid": null}), json!({"kid": null})],
    ] {
        let requests = server.requests().len();
        let guard = setup.builder().keys_at(&server.url("/jwks")).build().unwrap();
        serve(&keys[0], &first);
        assert_eq!(short(&guard.verify(&token(&keys[0], "A")).await), "200", "{first}");
        serve(&keys[1], &second);
        assert_eq!(short(&guard.verify(&token(&keys[0], "A")).await), "200", "{first}");
        assert_eq!(short(&guard.verify(&token(&keys[1], "B")).await), "200", "{second}");
        assert_eq!(server.requests().len(), requests + 2, "{second}");
    }
}

#[tokio::test]
async fn unknown_keys_fetch_once_in_30_seconds() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    assert_eq!(short(&guard.verify(&setup.token()).await), "200");
    for (advance, requests) in [(0, 2), (1, 2), (28, 2), (1, 3), (29, 3), (1, 4)] {
        setup.time.advance(advance * SECOND);
        let tokens: Vec<_> = (0..20)
            .map(|n| setup.with_unknown_key(&format!("unknown {n}")))
            .collect();
        for outcome in join_all(tokens.iter().map(|token| guard.verify(token))).await {
            assert_eq!(short(&outcome), "401 invalid_token UnknownKey");
        }
        assert_eq!(setup.issuer.key_requests(), requests);
    }
    assert_eq!(short(&guard.verify(&setup.token()).await), "200");
}

#[tokio::test]
async fn first_unknown_key_fetches_once() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    let token = setup.with_unknown_key("unknown");
    assert_eq!(short(&guard.verify(&token).await), "401 invalid_token UnknownKey");
    assert_eq!(setup.issuer.key_requests(), 1);
    // Tokens that are refused for another reason fetch no keys.
    let other = setup.guard();
    let header = json!({"alg": "ES384", "typ": "at+jwt", "kid": "unknown"});
    let foreign = setup
        .issuer
        .sign(&header, &json!({"iss": "https://fabrikam.com"}))
        .unwrap();
    for token in ["", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", &foreign] {
        assert!(other.verify(token).await.is_err());
    }
    for guard in [&guard, &other] {
        setup.time.advance(MINUTE);
        assert_eq!(short(&guard.verify(&foreign).await), "401 invalid_token Issuer");
    }
    assert_eq!(setup.issuer.key_requests(), 1);
}

#[tokio::test]
async fn keys_expire_by_their_cache_control() {
    for (cache_control, lifetime) in [("max-age=600", 600), ("no-store", 300), ("max-age=31536000", 86_400)] {
        let setup = Setup::new().await;
        setup.issuer.set_cache_control(cache_control);
        let guard = without_stale_keys(&setup);
        let token = setup.token();
        for (advance, requests) in [(0, 1), (lifetime - 1, 1), (1, 2), (lifetime - 1, 2), (1, 3)] {
            setup.time.advance(advance * SECOND);
            assert_eq!(short(&guard.verify(&token).await), "200");
            guard.load_keys().await.unwrap();
            assert_eq!(setup.issuer.key_requests(), requests, "{cache_control} {advance}");
        }
    }
}

#[tokio::test]
async fn lifetime_bounds_apply() {
    let setup = Setup::new().await;
    setup.issuer.set_cache_control("max-age=0");
    let builder = setup.builder().key_lifetime(SECOND..=HOUR);
    let guard = builder.stale_keys_for(Duration::ZERO).build().unwrap();
    let token = setup.token();
    for (advance, requests) in [(0, 1), (0, 1), (1, 2)] {
        setup.time.advance(advance * SECOND);
        assert_eq!(short(&guard.verify(&token).await), "200");
        guard.load_keys().await.unwrap();
        assert_eq!(setup.issuer.key_requests(), requests);
    }
}

#[tokio::test]
async fn clock_set_back_extends_no_lifetime() {
    let setup = Setup::new().await;
    setup.issuer.set_cache_control("max-age=600");
    let guard = without_stale_keys(&setup);
    let token = setup.token();
    assert_eq!(short(&guard.verify(&token).await), "200");
    setup.time.set_back(DAY);
    for (advance, requests) in [(0, 1), (599, 1), (1, 2)] {
        setup.time.advance(advance * SECOND);
        guard.load_keys().await.unwrap();
        assert_eq!(setup.issuer.key_requests(), requests);
    }
}

#[tokio::test]
async fn clock_set_back_during_outage_and_flood() {
    let setup = Setup::new().await;
    setup.issuer.set_cache_control("max-age=600");
    let guard = setup.guard();
    let token = {
        let times = json!({"aud": AUDIENCE, "iat": NOW - 86_400, "exp": NOW + 86_400});
        setup.issuer.token(times).unwrap()
    };
    assert_eq!(short(&guard.verify(&token).await), "200");
    for requests in [2, 2] {
        let flood = setup.with_unknown_key("unknown");
        assert_eq!(short(&guard.verify(&flood).await), "401 invalid_token UnknownKey");
        assert_eq!(setup.issuer.key_requests(), requests);
        setup.time.set_back(SECOND);
    }
    setup.issuer.set_available(false);
    setup.time.advance(HOUR);
    guard.load_keys().await.unwrap();
    setup.time.set_back(2 * HOUR);
    guard.load_keys().await.unwrap();
    assert_eq!(short(&guard.verify(&token).await), "200");
}

#[tokio::test]
async fn stale_keys_used_while_issuer_is_silent() {
    let setup = Setup::new().await;
    let server = Server::start_paused().await;
    let builder = setup.with_keys_at(&server).fetch_timeout(200 * MILLISECOND);
    let guard = builder.build().unwrap();
    let token = setup.token();
    server.release(1);
    assert_eq!(short(&guard.verify(&token).await), "200");

    setup.time.advance(HOUR);
    for _ in 0..3 {
        assert_eq!(short(&guard.verify(&token).now_or_never().unwrap()), "200");
    }
    let unknown = setup.with_unknown_key("maybe new");
    assert_eq!(short(&guard.verify(&unknown).await), "503 auth.keys_unavailable");
    assert_eq!(server.requests(), ["/jwks", "/jwks"]);
    setup.time.advance(DAY);
    assert_eq!(short(&guard.verify(&token).await), "503 auth.keys_unavailable");
}

#[tokio::test]
async fn load_keys_waits_for_no_refresh() {
    let setup = Setup::new().await;
    let server = Server::start_paused().await;
    let guard = setup.with_keys_at(&server).build().unwrap();
    // Without keys it waits, as a program that starts needs some.
    assert!(guard.load_keys().now_or_never().is_none());
    server.release(1);
    guard.load_keys().await.unwrap();

    // The issuer is silent. The keys have expired, but are usable for a day.
    setup.time.advance(HOUR);
    for _ in 0..3 {
        guard.load_keys().now_or_never().expect("waits for a refresh").unwrap();
    }
    server.requested(2).await;
    setup.time.advance(DAY);
    assert!(guard.load_keys().now_or_never().is_none());
}

#[tokio::test]
async fn joined_fetch_is_no_fetch_for_an_unknown_key() {
    let setup = Setup::new().await;
    let server = Server::start_paused().await;
    let guard = setup.with_keys_at(&server).build().unwrap();
    server.release(1);
    guard.load_keys().await.unwrap();
    setup.time.advance(HOUR);
    assert_eq!(short(&guard.verify(&setup.token()).now_or_never().unwrap()), "200");
    server.requested(2).await;

    // The clock is set back, so the keys are fresh again while their refresh is in flight.
    setup.time.set_back(HOUR);
    let (first, second) = (setup.with_unknown_key("first"), setup.with_unknown_key("second"));
    let mut joining = Box::pin(guard.verify(&first));
    assert!((&mut joining).now_or_never().is_none());
    server.release(1);
    assert_eq!(short(&joining.await), "401 invalid_token UnknownKey");
    assert_eq!(server.requests().len(), 2);
    server.release(1);
    assert_eq!(short(&guard.verify(&second).await), "401 invalid_token UnknownKey");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn fetch_on_stalled_runtime_given_up() {
    let serving = serving_runtime();
    let (setup, server) = serving.block_on(async { (Setup::new().await, Server::start_paused().await) });
    let builder = setup.with_keys_at(&server).fetch_timeout(200 * MILLISECOND);
    let guard = builder.build().unwrap();
    let token = setup.token();

    let first = runtime();
    first.block_on(async {
        let (guard, token) = (guard.clone(), token.clone());
        tokio::spawn(async move { guard.verify(&token).await });
        server.requested(1).await;
    });
    // The first runtime no longer runs.
    let second = runtime();
    let error = second.block_on(guard.verify(&token)).unwrap_err();
    assert_eq!(error.status(), 503);
    assert!(error.source().unwrap().to_string().contains("is blocked"), "{error:?}");
    setup.time.advance(5 * SECOND);
    server.release(3);
    assert_eq!(short(&second.block_on(guard.verify(&token))), "200");

    // The outcome of the first fetch is out of date, and defers no other fetch.
    setup.time.advance(HOUR);
    first.block_on(async {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    });
    second.block_on(async {
        guard.load_keys().await.unwrap();
        server.requested(3).await;
    });
}

#[test]
fn fetch_on_ended_runtime_repeated() {
    let serving = serving_runtime();
    let setup = serving.block_on(Setup::new());
    let guard = setup.guard();
    let token = setup.token();
    runtime().block_on(guard.load_keys()).unwrap();
    setup.time.advance(HOUR);
    let outcome = runtime().block_on(async { guard.verify(&token).now_or_never().unwrap() });
    assert_eq!(short(&outcome), "200");
    assert_eq!(setup.issuer.key_requests(), 1);
    runtime().block_on(async {
        guard.load_keys().await.unwrap();
        while setup.issuer.key_requests() < 2 {
            tokio::task::yield_now().await;
        }
    });
}

#[tokio::test]
async fn key_at_new_address_found_at_once() {
    let setup = Setup::new().await;
    let server = Server::start().await;
    let url = server.url("");
    server.json(DISCOVERY, &json!({"issuer": url, "jwks_uri": server.url("/a")}));
    server.json("/a", &json!({"keys": [setup.issuer.public_key()]}));
    let builder = TokenGuard::builder(&url, [AUDIENCE]).clock(setup.time.clock());
    let guard = builder.build().unwrap();
    let token = || setup.issuer.token(json!({"iss": url, "aud": AUDIENCE})).unwrap();
    assert_eq!(short(&guard.verify(&token()).await), "200");

    // The old keys are still served at the old address.
    setup.issuer.rotate().unwrap();
    server.json(DISCOVERY, &json!({"issuer": url, "jwks_uri": server.url("/b")}));
    server.json("/b", &json!({"keys": [setup.issuer.public_key()]}));
    assert_eq!(short(&guard.verify(&token()).await), "200");
    assert_eq!(server.requests(), [DISCOVERY, "/a", DISCOVERY, "/b"]);
}

#[tokio::test]
async fn outage_uses_stale_keys_then_503() {
    let setup = Setup::new().await;
    setup.issuer.set_cache_control("max-age=3600");
    let guard = setup.guard();
    let token = setup.token();
    assert_eq!(short(&guard.verify(&token).await), "200");

    setup.issuer.set_available(false);
    setup.time.advance(HOUR);
    assert_eq!(short(&guard.verify(&token).await), "200");
    assert_eq!(
        short(&guard.verify(&setup.with_unknown_key("maybe new")).await),
        "503 auth.keys_unavailable"
    );

    setup.time.advance(86_399 * SECOND);
    assert_eq!(short(&guard.verify(&token).await), "200");
    setup.time.advance(SECOND);
    for token in [&token, &setup.with_unknown_key("maybe new")] {
        let error = guard.verify(token).await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (503, "auth.keys_unavailable"));
        assert!(
            error
                .source()
                .unwrap()
                .to_string()
                .ends_with("answered 503 Service Unavailable"),
            "{error:?}"
        );
    }

    setup.issuer.set_available(true);
    setup.time.advance(5 * SECOND);
    assert_eq!(short(&guard.verify(&token).await), "200");
    assert_eq!(
        short(&guard.verify(&setup.with_unknown_key("not new")).await),
        "401 invalid_token UnknownKey"
    );
}

#[tokio::test]
async fn stale_keys_used_for_configured_time() {
    for (stale_for, expected) in [
        (0, "503 auth.keys_unavailable"),
        (60, "200"),
        (59, "503 auth.keys_unavailable"),
    ] {
        let setup = Setup::new().await;
        setup.issuer.set_cache_control("max-age=600");
        let guard = setup.builder().stale_keys_for(stale_for * SECOND).build().unwrap();
        let token = setup.token();
        assert_eq!(short(&guard.verify(&token).await), "200");
        setup.issuer.set_available(false);
        setup.time.advance(659 * SECOND);
        assert_eq!(short(&guard.verify(&token).await), expected, "{stale_for}");
    }
}

#[tokio::test]
async fn failing_issuer_asked_every_5_seconds() {
    let setup = Setup::new().await;
    setup.issuer.set_available(false);
    let guard = setup
        .builder()
        .keys_at(&format!("{}/jwks", setup.issuer.url()))
        .build()
        .unwrap();
    let token = setup.token();
    for (advance, requests, seconds) in [(0, 1, 5), (0, 1, 5), (4, 1, 1), (1, 2, 5), (5, 3, 5)] {
        setup.time.advance(advance * SECOND);
        let error = guard.verify(&token).await.unwrap_err();
        assert_eq!(retry_after(&error), seconds);
        assert_eq!(setup.issuer.key_requests(), requests);
    }
    setup.issuer.set_available(true);
    assert_eq!(short(&guard.verify(&token).await), "503 auth.keys_unavailable");
    setup.time.advance(5 * SECOND);
    assert_eq!(short(&guard.verify(&token).await), "200");
}

#[tokio::test]
async fn unknown_key_during_outage_is_503() {
    let setup = Setup::new().await;
    let keys_at = format!("{}/jwks", setup.issuer.url());
    let guard = setup.builder().keys_at(&keys_at).build().unwrap();
    let token = setup.token();
    assert_eq!(short(&guard.verify(&token).await), "200");
    setup.issuer.set_available(false);
    let unknown = setup.with_unknown_key("maybe new");
    for (advance, requests, seconds) in [(0, 2, 30), (1, 2, 29), (28, 2, 1), (1, 3, 30)] {
        setup.time.advance(advance * SECOND);
        let error = guard.verify(&unknown).await.unwrap_err();
        assert_eq!(retry_after(&error), seconds);
        assert_eq!(setup.issuer.key_requests(), requests);
        assert_eq!(short(&guard.verify(&token).await), "200");
    }
    setup.issuer.set_available(true);
    setup.time.advance(30 * SECOND);
    assert_eq!(short(&guard.verify(&unknown).await), "401 invalid_token UnknownKey");
}

#[tokio::test]
async fn unknown_key_interval_starts_at_its_fetch() {
    let setup = Setup::new().await;
    let server = Server::start_paused().await;
    let guard = setup.with_keys_at(&server).build().unwrap();
    server.release(1);
    guard.load_keys().await.unwrap();

    server.json("/jwks", &json!("none"));
    let unknown = setup.with_unknown_key("maybe new");
    let slow = tokio::spawn({
        let (guard, unknown) = (guard.clone(), unknown.clone());
        async move { guard.verify(&unknown).await }
    });
    server.requested(2).await;
    setup.time.advance(2 * SECOND);
    server.release(1);
    assert_eq!(retry_after(&slow.await.unwrap().unwrap_err()), 28);
    setup.time.advance(SECOND);
    assert_eq!(retry_after(&guard.verify(&unknown).await.unwrap_err()), 27);
}

#[tokio::test]
async fn key_set_without_keys_replaces_nothing() {
    let setup = Setup::new().await;
    setup.issuer.set_cache_control("max-age=600");
    let guard = setup.guard();
    let token = setup.token();
    assert_eq!(short(&guard.verify(&token).await), "200");
    setup.issuer.serve_keys(&[]);
    setup.time.advance(600 * SECOND);
    assert_eq!(short(&guard.verify(&token).await), "200");
    guard.load_keys().await.unwrap();
    let public_key = setup.issuer.public_key();
    setup
        .issuer
        .serve_keys(&[json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"})]);
    setup.time.advance(600 * SECOND);
    assert_eq!(short(&guard.verify(&token).await), "200");
    guard.load_keys().await.unwrap();
    setup.issuer.serve_keys(&[public_key]);
    setup.time.advance(DAY);
    assert_eq!(short(&guard.verify(&token).await), "200");
}

#[tokio::test]
async fn fetch_outlives_the_cancelled_request() {
    let setup = Setup::new().await;
    let server = Server::start_paused().await;
    let guard = setup.with_keys_at(&server).build().unwrap();
    let token = setup.token();
    let cancelled = tokio::spawn({
        let (guard, token) = (guard.clone(), token.clone());
        async move { guard.verify(&token).await }
    });
    server.requested(1).await;
    cancelled.abort();
    assert!(cancelled.await.unwrap_err().is_cancelled());
    server.release(1);
    assert_eq!(short(&guard.verify(&token).await), "200");
    assert_eq!(server.requests(), ["/jwks"]);
}

#[tokio::test]
async fn discovery_repeated_after_failure_or_day() {
    let setup = Setup::new().await;
    let server = Server::start().await;
    let token = {
        let claims = json!({"iss": server.url(""), "aud": AUDIENCE, "exp": NOW + 10 * 86_400});
        setup.issuer.token(claims).unwrap()
    };
    let keys = json!({"keys": [setup.issuer.public_key()]});
    server.json(
        DISCOVERY,
        &json!({"issuer": server.url(""), "jwks_uri": server.url("/a")}),
    );
    server.json("/a", &keys);
    let guard = TokenGuard::builder(&server.url(""), [AUDIENCE])
        .clock(setup.time.clock())
        .stale_keys_for(Duration::ZERO)
        .build()
        .unwrap();
    assert_eq!(short(&guard.verify(&token).await), "200");
    setup.time.advance(HOUR);
    guard.load_keys().await.unwrap();
    assert_eq!(server.requests(), [DISCOVERY, "/a", "/a"]);
    // The keys move.
    server.respond("/a", || http::Response::builder().status(410).body("".into()).unwrap());
    server.json(
        DISCOVERY,
        &json!({"issuer": server.url(""), "jwks_uri": server.url("/b")}),
    );
    server.json("/b", &keys);
    setup.time.advance(HOUR);
    guard.load_keys().await.unwrap_err();
    setup.time.advance(5 * SECOND);
    guard.load_keys().await.unwrap();
    assert_eq!(server.requests()[3..], ["/a", DISCOVERY, "/b"]);
    setup.time.advance(DAY);
    guard.load_keys().await.unwrap();
    assert_eq!(short(&guard.verify(&token).await), "200");
    assert_eq!(server.requests()[6..], [DISCOVERY, "/b"]);
}

#[test]
fn guard_outlives_its_first_runtime() {
    let serving = serving_runtime();
    let (setup, server) = serving.block_on(async { (Setup::new().await, Server::start_paused().await) });
    let guard = setup.with_keys_at(&server).build().unwrap();
    let token = setup.token();

    let first = runtime();
    first.block_on(async {
        let guard = guard.clone();
        let token = token.clone();
        tokio::spawn(async move { guard.verify(&token).await });
        server.requested(1).await;
    });
    // The in-flight fetch ends with its runtime.
    thread::spawn(move || drop(first)).join().unwrap();
    server.release(2);
    let second = runtime();
    assert_eq!(short(&second.block_on(guard.verify(&token))), "200");
}

#[test]
fn no_runtime_is_an_error() {
    let guard = TokenGuard::builder("https://contoso.logto.app/oidc", [AUDIENCE])
        .clock(ManualClock::at(NOW).clock())
        .build()
        .unwrap();
    let error = guard.load_keys().now_or_never().unwrap().unwrap_err();
    assert!(
        error.source().unwrap().to_string().contains("tokio runtime"),
        "{error:?}"
    );
}

#[tokio::test]
async fn keys_loaded_before_the_first_token() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    guard.load_keys().await.unwrap();
    guard.load_keys().await.unwrap();
    assert_eq!(short(&guard.verify(&setup.token()).await), "200");
    assert_eq!(setup.issuer.key_requests(), 1);
}
