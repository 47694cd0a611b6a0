//! What becomes of refreshes that fail.

use super::*;
use crate::error::{Authentication, CommunicationError, Failure};
use azure_core::http::{RawResponse, StatusCode, headers::Headers};
use futures::future::ready;

/// When a refresh is tried that fails and fails, in seconds since the first try: after 1, 2, 4 … and then 60 seconds.
const TRIES: [f64; 15] = [
    0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0, 303.0, 363.0, 423.0, 483.0, 543.0,
];

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_ahead_is_tried_again_while_the_old_token_lives() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), true, |_, _| ready(Err(failure())));
    source.wait_until(3599.0).await;
    assert_eq!(get(&credential).await, "old");
    source.wait_until(10_000.0).await;
    assert_eq!(source.calls(), TRIES.map(|seconds| 3000.0 + seconds));
}

#[tokio::test(start_paused = true)]
async fn a_refresher_that_panics_in_the_background_is_tried_again_as_one_that_fails() {
    let source = Source::new();
    let panicking = |_, _| async { panic!("on purpose") };
    let credential = source.credential(Some(token("old", 3600.0)), true, panicking);
    source.wait_until(3600.0).await;
    assert_eq!(source.calls(), TRIES.map(|seconds| 3000.0 + seconds));
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
async fn once_the_token_has_expired_callers_try_and_the_first_new_token_revives_the_task() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), true, |call, now| {
        ready(match call {
            0..=16 => Err(failure()),
            _ => Ok(token("new", now + 3600.0)),
        })
    });
    source.wait_until(4000.0).await;
    // However often and however soon they come.
    for _ in 0..2 {
        let error = credential.get_token().await.unwrap_err();
        assert_eq!(error.to_string(), "the backend is down");
    }
    assert_eq!(get(&credential).await, "new");
    assert_eq!(source.calls()[15..], [4000.0, 4000.0, 4000.0]);
    source.wait_until(7001.0).await;
    assert_eq!(source.calls()[18..], [7000.0]);
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
async fn a_failed_first_refresh_ahead_is_left_to_callers() {
    let source = Source::new();
    let credential = source.credential(None, true, |call, now| {
        ready(match call {
            0 => Err(failure()),
            _ => Ok(token("new", now + 3600.0)),
        })
    });
    source.wait_until(100.0).await;
    assert_eq!(source.calls(), [0.0]);
    assert_eq!(get(&credential).await, "new");
    source.wait_until(3200.0).await;
    assert_eq!(source.calls(), [0.0, 100.0, 3100.0]);
}

#[tokio::test(start_paused = true)]
async fn without_refreshing_ahead_a_failed_refresh_is_tried_again_when_somebody_asks() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), false, |_, _| ready(Err(failure())));
    for seconds in 3480..3600 {
        source.wait_until(f64::from(seconds)).await;
        assert_eq!(get(&credential).await, "old");
    }
    source.wait_until(3600.0).await;
    assert_eq!(
        source.calls()[..7],
        TRIES[..7].iter().map(|seconds| 3480.0 + seconds).collect::<Vec<_>>()
    );
    assert_eq!(source.calls().len(), 7);
    credential.get_token().await.unwrap_err();
    assert_eq!(source.calls()[7..], [3600.0]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_ahead_waits_as_long_as_the_service_asks() {
    let source = Source::new();
    let _credential = source.credential(Some(token("old", 3600.0)), true, |_, _| {
        let mut headers = Headers::new();
        headers.insert("retry-after", "250");
        let response = RawResponse::from_bytes(StatusCode::TooManyRequests, headers, "");
        let failure = Failure {
            authentication: Authentication::AccessKey,
            client_request_id: None,
            signed_date: None,
            outcome_unknown: None,
        };
        ready(Err(CommunicationError::from_response(response, &failure)))
    });
    source.wait_until(10_000.0).await;
    assert_eq!(source.calls(), [3000.0, 3250.0, 3500.0]);
}
