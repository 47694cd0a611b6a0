//! Refreshes that fail.

use super::*;
use crate::{credential::schedule::Failures, error::CommunicationError};
use azure_core::http::StatusCode;
use futures::future::ready;

/// The times of a refresh that fails again and again, in seconds since the first: after 1, 2, 4 … and then 60 seconds.
const ATTEMPTS: [f64; 15] = [
    0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0, 303.0, 363.0, 423.0, 483.0, 543.0,
];

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_ahead_is_retried() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), true, |_, _| ready(Err(failure())));
    source.wait_until(3599.0).await;
    assert_eq!(get(&credential).await, "old");
    assert_eq!(source.calls(), ATTEMPTS.map(|seconds| 3000.0 + seconds));
}

#[tokio::test(start_paused = true)]
async fn a_panicking_refresher_is_retried() {
    let source = Source::new();
    let panicking = |_, _| async { panic!("on purpose") };
    let credential = source.credential(Some(token("old", 3600.0)), true, panicking);
    source.wait_until(3600.0).await;
    assert_eq!(source.calls(), ATTEMPTS.map(|seconds| 3000.0 + seconds));
    drop(credential);

    let source = Source::new();
    let credential = source.credential(Some(token("old", 60.0)), false, panicking);
    for seconds in 0..4 {
        source.wait_until(f64::from(seconds)).await;
        assert_eq!(get(&credential).await, "old");
    }
    source.wait_until(4.0).await;
    assert_eq!(source.calls(), [0.0, 1.0, 3.0]);
}

#[tokio::test(start_paused = true)]
async fn the_task_goes_on_after_expiry() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), true, |call, now| {
        ready(match call {
            0..=22 => Err(failure()),
            _ => Ok(token("new", now + 3600.0)),
        })
    });
    // Every minute, as before.
    source.wait_until(3840.0).await;
    assert_eq!(source.calls()[14..], [3543.0, 3603.0, 3663.0, 3723.0, 3783.0]);
    // Each caller without a valid token tries at once.
    for _ in 0..2 {
        let error = credential.get_token().await.unwrap_err();
        assert_eq!(error.to_string(), "the backend is down");
    }
    assert_eq!(source.calls()[19..], [3840.0, 3840.0]);
    // Their failures count, so the task waits a minute from the last.
    source.wait_until(4021.0).await;
    assert_eq!(source.calls()[21..], [3900.0, 3960.0, 4020.0]);
    assert_eq!(get(&credential).await, "new");
    source.wait_until(7021.0).await;
    assert_eq!(source.calls()[24..], [7020.0]);
}

#[tokio::test(start_paused = true)]
async fn a_success_makes_the_next_failure_the_first() {
    let source = Source::new();
    let _credential = source.credential(Some(token("old", 3600.0)), true, |call, now| {
        ready(match call {
            2 => Ok(token("new", now + 3600.0)),
            _ => Err(failure()),
        })
    });
    source.wait_until(6005.0).await;
    // 3003 + 3600 - 600 = 6003.
    assert_eq!(source.calls(), [3000.0, 3001.0, 3003.0, 6003.0, 6004.0]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_first_refresh_ahead_is_retried() {
    let source = Source::new();
    let credential = source.credential(None, true, |call, now| {
        ready(match call {
            0..=2 => Err(failure()),
            _ => Ok(token("new", now + 3600.0)),
        })
    });
    source.wait_until(100.0).await;
    assert_eq!(source.calls(), [0.0, 1.0, 3.0, 7.0]);
    assert_eq!(get(&credential).await, "new");
    source.wait_until(3100.0).await;
    assert_eq!(source.calls()[4..], [3007.0]);
}

/// A machine sleeps for a day, and its network is up a little later than its clock.
#[tokio::test(start_paused = true)]
async fn a_resumed_machine_waits_for_its_network() {
    let time = ManualTime::new(START);
    let calls = Arc::new(Mutex::new(0));
    let counter = calls.clone();
    let refresher = move || {
        let mut calls = counter.lock().unwrap();
        *calls += 1;
        ready(match *calls {
            1 | 2 => Err(failure()),
            _ => Ok(token("new", 200_000.0)),
        })
    };
    let options = CommunicationTokenCredentialOptions {
        initial_token: Some(token("old", 3600.0)),
        refresh_proactively: true,
        ..Default::default()
    };
    let credential = CommunicationTokenCredential::build(refresher, Some(options), time.clock(), || 0.0).unwrap();
    tokio::task::yield_now().await;
    // The task sleeps for five minutes at most, and then two backoffs.
    time.set(Duration::seconds(100_000));
    for _ in 0..310 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        time.advance(Duration::SECOND);
    }
    assert_eq!(*calls.lock().unwrap(), 3);
    assert_eq!(get(&credential).await, "new");
    assert_eq!(*calls.lock().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_on_demand_is_retried_on_demand() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), false, |_, _| ready(Err(failure())));
    for seconds in 3480..3600 {
        source.wait_until(f64::from(seconds)).await;
        assert_eq!(get(&credential).await, "old");
    }
    source.wait_until(3600.0).await;
    assert_eq!(
        source.calls()[..7],
        ATTEMPTS[..7].iter().map(|seconds| 3480.0 + seconds).collect::<Vec<_>>()
    );
    assert_eq!(source.calls().len(), 7);
    credential.get_token().await.unwrap_err();
    assert_eq!(source.calls()[7..], [3600.0]);
}

/// The service's failure when it is busy, with a wait.
fn throttled(seconds: i64) -> Error {
    let mut error = CommunicationError::new(StatusCode::TooManyRequests);
    error.retry_after = Some(Duration::seconds(seconds));
    error.into()
}

#[tokio::test(start_paused = true)]
async fn a_refresh_ahead_waits_for_retry_after() {
    let source = Source::new();
    let _credential = source.credential(Some(token("old", 3600.0)), true, |_, _| ready(Err(throttled(250))));
    source.wait_until(4100.0).await;
    assert_eq!(source.calls(), [3000.0, 3250.0, 3500.0, 3750.0, 4000.0]);
}

#[tokio::test(start_paused = true)]
async fn callers_get_a_failure_until_retry_after() {
    for (retry_after, held) in [(120, 120), (0, 0), (i64::MAX, 3600)] {
        let source = Source::new();
        let credential = source.credential(None, false, move |call, now| {
            ready(match call {
                0 => Err(throttled(retry_after)),
                _ => Ok(token("new", now + 7200.0)),
            })
        });
        credential.get_token().await.unwrap_err();
        if held > 0 {
            source.wait_until(f64::from(held) - 0.5).await;
            for _ in 0..100 {
                let error = credential.get_token().await.unwrap_err();
                assert_eq!(error.http_status(), Some(StatusCode::TooManyRequests));
                let found = CommunicationError::from_error(&error).unwrap();
                assert_eq!(found.retry_after, Some(Duration::seconds(retry_after)));
            }
            assert_eq!(source.calls(), [0.0]);
        }
        source.wait_until(f64::from(held)).await;
        assert_eq!(get(&credential).await, "new");
        assert_eq!(source.calls(), [0.0, f64::from(held)]);
    }
}

/// Time synchronisation, or a person, sets the clock while a failure is held.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_does_not_extend_a_wait() {
    let time = ManualTime::new(START);
    let calls = Arc::new(Mutex::new(0));
    let counter = calls.clone();
    let refresher = move || {
        let mut calls = counter.lock().unwrap();
        *calls += 1;
        ready(match *calls {
            1 => Err(throttled(120)),
            _ => Ok(token("new", 3600.0)),
        })
    };
    let credential = CommunicationTokenCredential::build(refresher, None, time.clock(), || 0.0).unwrap();
    credential.get_token().await.unwrap_err();
    time.set(-Duration::hours(3));
    time.advance(Duration::seconds(119));
    credential.get_token().await.unwrap_err();
    time.advance(Duration::SECOND);
    assert_eq!(get(&credential).await, "new");
    assert_eq!(*calls.lock().unwrap(), 2);
}

/// A failure that asks for no wait does not end the wait of another.
#[tokio::test(start_paused = true)]
async fn the_longest_wait_counts() {
    let mut failures = Failures::default();
    for (error, held) in [
        (failure(), None),
        (throttled(120), Some(120)),
        (failure(), Some(120)),
        (throttled(60), Some(120)),
        (throttled(180), Some(180)),
    ] {
        failures.add(&error.into(), Duration::ZERO, 0.0);
        for second in 1..200 {
            let is_held = failures.held(Duration::seconds(second)).is_some();
            assert_eq!(is_held, held.is_some_and(|held| second < held), "{second}");
        }
    }
}
