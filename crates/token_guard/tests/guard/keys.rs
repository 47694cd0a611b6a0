//! When keys are fetched, and what holds while they cannot be.

use crate::{
    served::Served,
    setup::{AUDIENCE, NOW, Setup, short},
};
use futures::{FutureExt, future::join_all};
use serde_json::json;
use std::{error::Error, thread, time::Duration};
use token_guard::{GuardError, TokenGuard, testing::ManualClock};
use tokio::runtime::Builder;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn retry_after(error: &GuardError) -> u64 {
    match error {
        GuardError::KeysUnavailable(unavailable) => unavailable.retry_after().as_secs(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_need_the_keys_wait_for_one_fetch() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    let token = setup.token();
    let outcomes = join_all((0..50).map(|_| guard.verify(&token))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(setup.issuer.key_requests(), 1);
}

#[tokio::test]
async fn a_new_key_is_fetched_at_once_and_the_old_one_forgotten() {
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
async fn tokens_with_unknown_keys_fetch_once_in_30_seconds() {
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
async fn a_first_token_with_an_unknown_key_fetches_once() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    let token = setup.with_unknown_key("unknown");
    assert_eq!(short(&guard.verify(&token).await), "401 invalid_token UnknownKey");
    assert_eq!(setup.issuer.key_requests(), 1);
    // Nor do tokens that are refused for something else fetch any.
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
async fn keys_live_as_long_as_their_cache_control_says() {
    for (cache_control, lifetime) in [("max-age=600", 600), ("no-store", 300), ("max-age=31536000", 86_400)] {
        let setup = Setup::new().await;
        setup.issuer.set_cache_control(cache_control);
        let guard = setup.guard();
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
async fn the_bounds_of_a_lifetime_can_be_set() {
    let setup = Setup::new().await;
    setup.issuer.set_cache_control("max-age=0");
    let guard = setup.builder().key_lifetime(SECOND..=HOUR).build().unwrap();
    let token = setup.token();
    for (advance, requests) in [(0, 1), (0, 1), (1, 2)] {
        setup.time.advance(advance * SECOND);
        assert_eq!(short(&guard.verify(&token).await), "200");
        guard.load_keys().await.unwrap();
        assert_eq!(setup.issuer.key_requests(), requests);
    }
}

#[tokio::test]
async fn from_a_clock_that_was_set_back_keys_live_as_long_as_from_a_fetch() {
    let setup = Setup::new().await;
    setup.issuer.set_cache_control("max-age=600");
    let guard = setup.guard();
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
async fn a_clock_that_was_set_back_opens_no_gap_in_an_outage_nor_in_a_flood() {
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
async fn keys_that_are_due_are_used_while_an_issuer_does_not_answer() {
    let setup = Setup::new().await;
    let served = Served::start_held().await;
    served.json("/jwks", &json!({"keys": [setup.issuer.public_key()]}));
    let builder = setup.builder().keys_at(&served.url("/jwks"));
    let guard = builder.fetch_timeout(200 * MILLISECOND).build().unwrap();
    let token = setup.token();
    served.release(1);
    assert_eq!(short(&guard.verify(&token).await), "200");

    setup.time.advance(HOUR);
    for _ in 0..3 {
        assert_eq!(short(&guard.verify(&token).now_or_never().unwrap()), "200");
    }
    let unknown = setup.with_unknown_key("maybe new");
    assert_eq!(short(&guard.verify(&unknown).await), "503 auth.keys_unavailable");
    assert_eq!(served.requests(), ["/jwks", "/jwks"]);
    setup.time.advance(DAY);
    assert_eq!(short(&guard.verify(&token).await), "503 auth.keys_unavailable");
}

#[test]
fn a_fetch_on_a_runtime_that_stands_still_is_given_up() {
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let serving = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (setup, served) = serving.block_on(async { (Setup::new().await, Served::start_held().await) });
    served.json("/jwks", &json!({"keys": [setup.issuer.public_key()]}));
    let guard = setup
        .builder()
        .keys_at(&served.url("/jwks"))
        .fetch_timeout(200 * MILLISECOND)
        .build()
        .unwrap();
    let token = setup.token();

    let first = runtime();
    first.block_on(async {
        let (guard, token) = (guard.clone(), token.clone());
        tokio::spawn(async move { guard.verify(&token).await });
        while served.requests().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    // Nobody runs the first runtime any more.
    let second = runtime();
    let error = second.block_on(guard.verify(&token)).unwrap_err();
    assert_eq!(error.status(), 503);
    assert!(
        error.source().unwrap().to_string().contains("stands still"),
        "{error:?}"
    );
    setup.time.advance(5 * SECOND);
    served.release(3);
    assert_eq!(short(&second.block_on(guard.verify(&token))), "200");

    // What comes of it when the first runtime runs again is out of date, and no reason to leave the issuer alone.
    setup.time.advance(HOUR);
    first.block_on(async {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    });
    second.block_on(guard.load_keys()).unwrap();
    assert_eq!(served.requests().len(), 3);
}

#[test]
fn a_fetch_in_the_background_on_a_runtime_that_ended_is_made_up_for() {
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let serving = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let setup = serving.block_on(Setup::new());
    let guard = setup.guard();
    let token = setup.token();
    runtime().block_on(guard.load_keys()).unwrap();
    setup.time.advance(HOUR);
    let outcome = runtime().block_on(async { guard.verify(&token).now_or_never().unwrap() });
    assert_eq!(short(&outcome), "200");
    assert_eq!(setup.issuer.key_requests(), 1);
    runtime().block_on(guard.load_keys()).unwrap();
    assert_eq!(setup.issuer.key_requests(), 2);
}

#[tokio::test]
async fn a_key_at_another_address_is_found_at_once() {
    let setup = Setup::new().await;
    let served = Served::start().await;
    let url = served.url("");
    let discovery = "/.well-known/openid-configuration";
    served.json(discovery, &json!({"issuer": url, "jwks_uri": served.url("/a")}));
    served.json("/a", &json!({"keys": [setup.issuer.public_key()]}));
    let builder = TokenGuard::builder(&url, [AUDIENCE]).clock(setup.time.clock());
    let guard = builder.build().unwrap();
    let token = || setup.issuer.token(json!({"iss": url, "aud": AUDIENCE})).unwrap();
    assert_eq!(short(&guard.verify(&token()).await), "200");

    // The old keys are still served where they were.
    setup.issuer.rotate().unwrap();
    served.json(discovery, &json!({"issuer": url, "jwks_uri": served.url("/b")}));
    served.json("/b", &json!({"keys": [setup.issuer.public_key()]}));
    assert_eq!(short(&guard.verify(&token()).await), "200");
    assert_eq!(served.requests(), [discovery, "/a", discovery, "/b"]);
}

#[tokio::test]
async fn an_outage_is_bridged_by_stale_keys_then_503_and_never_401() {
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
async fn how_long_stale_keys_are_used_can_be_set() {
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
async fn an_issuer_that_fails_is_left_alone_for_5_seconds() {
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
async fn a_key_that_cannot_be_looked_for_is_503() {
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
async fn the_wait_for_an_unknown_key_counts_from_when_it_was_looked_for() {
    let setup = Setup::new().await;
    let served = Served::start_held().await;
    served.json("/jwks", &json!({"keys": [setup.issuer.public_key()]}));
    let guard = setup.builder().keys_at(&served.url("/jwks")).build().unwrap();
    served.release(1);
    guard.load_keys().await.unwrap();

    served.json("/jwks", &json!("none"));
    let unknown = setup.with_unknown_key("maybe new");
    let slow = tokio::spawn({
        let (guard, unknown) = (guard.clone(), unknown.clone());
        async move { guard.verify(&unknown).await }
    });
    while served.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    setup.time.advance(2 * SECOND);
    served.release(1);
    assert_eq!(retry_after(&slow.await.unwrap().unwrap_err()), 28);
    setup.time.advance(SECOND);
    assert_eq!(retry_after(&guard.verify(&unknown).await.unwrap_err()), 27);
}

#[tokio::test]
async fn a_set_without_keys_replaces_none() {
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
async fn a_fetch_goes_on_when_the_request_that_started_it_is_gone() {
    let setup = Setup::new().await;
    let served = Served::start_held().await;
    served.json("/jwks", &json!({"keys": [setup.issuer.public_key()]}));
    let guard = setup.builder().keys_at(&served.url("/jwks")).build().unwrap();
    let token = setup.token();
    let impatient = tokio::spawn({
        let (guard, token) = (guard.clone(), token.clone());
        async move { guard.verify(&token).await }
    });
    while served.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    served.release(1);
    assert_eq!(short(&guard.verify(&token).await), "200");
    assert_eq!(served.requests(), ["/jwks"]);
}

#[tokio::test]
async fn the_discovery_document_is_read_again_after_a_failure_and_after_a_day() {
    let setup = Setup::new().await;
    let served = Served::start().await;
    let token = {
        let claims = json!({"iss": served.url(""), "aud": AUDIENCE, "exp": NOW + 10 * 86_400});
        setup.issuer.token(claims).unwrap()
    };
    let keys = json!({"keys": [setup.issuer.public_key()]});
    let discovery = "/.well-known/openid-configuration";
    served.json(
        discovery,
        &json!({"issuer": served.url(""), "jwks_uri": served.url("/a")}),
    );
    served.json("/a", &keys);
    let guard = TokenGuard::builder(&served.url(""), [AUDIENCE])
        .clock(setup.time.clock())
        .build()
        .unwrap();
    assert_eq!(short(&guard.verify(&token).await), "200");
    setup.time.advance(HOUR);
    guard.load_keys().await.unwrap();
    assert_eq!(served.requests(), [discovery, "/a", "/a"]);
    // The keys move.
    served.answer("/a", || http::Response::builder().status(410).body("".into()).unwrap());
    served.json(
        discovery,
        &json!({"issuer": served.url(""), "jwks_uri": served.url("/b")}),
    );
    served.json("/b", &keys);
    setup.time.advance(HOUR);
    guard.load_keys().await.unwrap();
    setup.time.advance(5 * SECOND);
    guard.load_keys().await.unwrap();
    assert_eq!(served.requests()[3..], ["/a", discovery, "/b"]);
    setup.time.advance(DAY);
    guard.load_keys().await.unwrap();
    assert_eq!(short(&guard.verify(&token).await), "200");
    assert_eq!(served.requests()[6..], [discovery, "/b"]);
}

#[test]
fn a_guard_outlives_the_runtime_that_it_was_used_on() {
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let serving = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (setup, served) = serving.block_on(async { (Setup::new().await, Served::start_held().await) });
    served.json("/jwks", &json!({"keys": [setup.issuer.public_key()]}));
    let guard = setup.builder().keys_at(&served.url("/jwks")).build().unwrap();
    let token = setup.token();

    let first = runtime();
    first.block_on(async {
        let guard = guard.clone();
        let token = token.clone();
        tokio::spawn(async move { guard.verify(&token).await });
        while served.requests().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    // The fetch is under way, and ends with its runtime.
    thread::spawn(move || drop(first)).join().unwrap();
    served.release(2);
    let second = runtime();
    assert_eq!(short(&second.block_on(guard.verify(&token))), "200");
}

#[test]
fn without_a_runtime_there_is_an_error() {
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
async fn keys_can_be_loaded_ahead() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    guard.load_keys().await.unwrap();
    guard.load_keys().await.unwrap();
    assert_eq!(short(&guard.verify(&setup.token()).await), "200");
    assert_eq!(setup.issuer.key_requests(), 1);
}
