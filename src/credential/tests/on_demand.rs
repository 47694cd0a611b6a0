//! Refreshes on demand.

use super::*;
use futures::future::{pending, ready};
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn a_token_is_refreshed_in_its_last_two_minutes() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), false, |_, now| {
        ready(Ok(token("new", now + 3600.0)))
    });
    source.wait_until(3479.0).await;
    assert_eq!(get(&credential).await, "old");
    source.wait_until(3480.0).await;
    assert_eq!(get(&credential).await, "old");
    source.wait_until(3481.0).await;
    assert_eq!(get(&credential).await, "new");
    assert_eq!(source.calls(), [3480.0]);
}

#[tokio::test(start_paused = true)]
async fn a_token_without_callers_is_not_refreshed() {
    let source = Source::new();
    let credential = source.credential(None, false, |_, now| ready(Ok(token("new", now + 60.0))));
    source.wait_until(100.0).await;
    assert!(source.calls().is_empty());
    assert_eq!(get(&credential).await, "new");
    source.wait_until(1000.0).await;
    assert_eq!(source.calls(), [100.0]);
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_is_returned_without_waiting() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), false, |_, _| pending());
    for seconds in [3500, 3550, 3599] {
        source.wait_until(f64::from(seconds)).await;
        assert_eq!(get(&credential).await, "old");
        assert_eq!(source.start.elapsed().as_secs(), u64::try_from(seconds).unwrap());
    }
    assert_eq!(source.calls(), [3500.0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_valid_token_a_caller_waits() {
    for initial_token in [None, Some(token("expired", 10.0))] {
        let source = Source::new();
        let credential = source.credential(initial_token, false, |_, now| async move {
            sleep(std::time::Duration::from_secs(5)).await;
            Ok(token("new", now + 3600.0))
        });
        // A token is no longer valid at the very moment it expires.
        source.wait_until(10.0).await;
        assert_eq!(get(&credential).await, "new");
        assert_eq!(source.start.elapsed().as_secs(), 15);
        assert_eq!(source.calls(), [10.0]);
    }
}

#[tokio::test(start_paused = true)]
async fn callers_join_a_background_refresh() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), false, |_, now| async move {
        sleep(std::time::Duration::from_secs(60)).await;
        Ok(token("new", now + 3600.0))
    });
    source.wait_until(3590.0).await;
    assert_eq!(get(&credential).await, "old");
    source.wait_until(3600.0).await;
    assert_eq!(get(&credential).await, "new");
    assert_eq!(source.start.elapsed().as_secs(), 3650);
    assert_eq!(source.calls(), [3590.0]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_is_refreshed_at_half_its_life() {
    let source = Source::new();
    let credential = source.credential(Some(token("same", 3600.0)), false, |_, _| {
        ready(Ok(token("same", 3600.0)))
    });
    for seconds in 3400..3600 {
        source.wait_until(f64::from(seconds)).await;
        assert_eq!(get(&credential).await, "same");
    }
    // 120 seconds left, so after 60; then 30, 15, 7.5 and so on, each when the next second's caller comes.
    let expected = [3480.0, 3540.0, 3570.0, 3585.0, 3593.0, 3597.0, 3599.0];
    source.wait_until(3600.0).await;
    assert_eq!(source.calls(), expected);
    let error = credential.get_token().await.unwrap_err();
    assert!(error.to_string().contains("already expired"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_short_token_is_refreshed_at_half_its_life() {
    let source = Source::new();
    let credential = source.credential(None, false, |_, now| ready(Ok(token("short", now + 10.0))));
    for tenths in 0..100 {
        source.wait_until(f64::from(tenths) / 10.0).await;
        get(&credential).await;
    }
    assert_eq!(source.calls(), [0.0, 5.0]);
}

#[cfg(feature = "tokio")]
#[test]
fn callers_refresh_without_a_runtime() {
    let time = ManualTime::new(START);
    let credential = CommunicationTokenCredential::build(
        || ready(Ok(token("new", 7200.0))),
        Some(CommunicationTokenCredentialOptions {
            initial_token: Some(token("old", 3600.0)),
            ..Default::default()
        }),
        time.clock(),
        || 0.0,
    )
    .unwrap();
    for (seconds, expected) in [(0, "old"), (3599, "old"), (1, "new")] {
        time.advance(Duration::seconds(seconds));
        assert_eq!(futures::executor::block_on(get(&credential)), expected);
    }
}

/// Credentials that were created together with their tokens do not refresh together.
#[tokio::test(start_paused = true)]
async fn an_initial_token_is_refreshed_with_jitter() {
    let source = Source::new();
    let counter = source.clone();
    let refresher = move || {
        let now = counter.start.elapsed().as_secs_f64();
        counter.calls.lock().unwrap().push(now);
        ready(Ok(token("new", now + 7200.0)))
    };
    let options = CommunicationTokenCredentialOptions {
        initial_token: Some(token("old", 3600.0)),
        ..Default::default()
    };
    let credential = CommunicationTokenCredential::build(refresher, Some(options), source.clock(), || 1.0).unwrap();
    // Two minutes and 3 % of an hour before it expires.
    for seconds in [3371.0, 3372.0, 3373.0] {
        source.wait_until(seconds).await;
        get(&credential).await;
    }
    assert_eq!(source.calls(), [3372.0]);
}
