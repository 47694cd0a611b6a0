//! Proactive refreshes.

use super::*;
use futures::future::{pending, ready};
use tokio::{task::yield_now, time::sleep};

#[tokio::test(start_paused = true)]
async fn without_a_token_it_refreshes_at_once() {
    for initial_token in [None, Some(token("expired", 0.0))] {
        let source = Source::new();
        let credential = source.credential(initial_token, true, |_, _| ready(Ok(token("new", 3600.0))));
        yield_now().await;
        assert_eq!(source.calls(), [0.0]);
        assert_eq!(get(&credential).await, "new");
        assert_eq!(source.calls(), [0.0]);
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_are_refreshed_ten_minutes_before_expiry() {
    let source = Source::new();
    let credential = source.credential(Some(token("initial", 3600.0)), true, |call, now| {
        ready(Ok(token(&format!("refreshed {call}"), now + 86_400.0)))
    });
    source.wait_until(2999.0).await;
    assert_eq!(get(&credential).await, "initial");
    source.wait_until(3001.0).await;
    assert_eq!(get(&credential).await, "refreshed 0");
    source.wait_until(200_000.0).await;
    assert_eq!(source.calls(), [3000.0, 88_800.0, 174_600.0]);
    assert_eq!(get(&credential).await, "refreshed 2");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_is_refreshed_at_half_its_life() {
    let source = Source::new();
    let credential = source.credential(Some(token("same", 512.0)), true, |_, _| ready(Ok(token("same", 512.0))));
    source.wait_until(511.5).await;
    assert_eq!(get(&credential).await, "same");
    let halves = [256.0, 384.0, 448.0, 480.0, 496.0, 504.0, 508.0, 510.0, 511.0];
    assert_eq!(source.calls(), halves);
    // When it has expired, the source may have a new one. If it has not, that is a failure, and retried like one.
    source.wait_until(520.0).await;
    assert_eq!(source.calls()[9..], [512.0, 513.0, 515.0, 519.0]);
}

#[tokio::test(start_paused = true)]
async fn short_tokens_are_not_refreshed_in_a_loop() {
    let source = Source::new();
    let _credential = source.credential(None, true, |_, now| ready(Ok(token("short", now + 0.001))));
    source.wait_until(3.5).await;
    assert_eq!(source.calls(), [0.0, 1.0, 2.0, 3.0]);
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_is_returned_without_waiting() {
    let source = Source::new();
    let credential = source.credential(Some(token("old", 3600.0)), true, |_, _| pending());
    source.wait_until(3599.0).await;
    assert_eq!(get(&credential).await, "old");
    assert_eq!(source.start.elapsed().as_secs(), 3599);
    // The task gives up after three minutes, and waits for 1, 2 and 4 seconds before the next try.
    assert_eq!(source.calls(), [3000.0, 3181.0, 3363.0, 3547.0]);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_background_refresh_is_given_up() {
    for proactive in [false, true] {
        let source = Source::new();
        let credential = source.credential(Some(token("old", 3600.0)), proactive, |call, now| async move {
            if call < 4 {
                pending::<()>().await;
            }
            Ok(token("new", now + 3600.0))
        });
        // The fourth attempt of the task that refreshes ahead; the first without it.
        source.wait_until(3547.0).await;
        assert_eq!(get(&credential).await, "old");
        source.wait_until(3730.0).await;
        // The task has given up. Callers who do so as well make room for the next.
        let calls = source.calls().len();
        for _ in calls..4 {
            let wait = std::time::Duration::from_secs(10);
            assert!(tokio::time::timeout(wait, credential.get_token()).await.is_err());
        }
        assert_eq!(source.calls().len(), 4);
        assert_eq!(get(&credential).await, "new");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_and_the_task_share_one_refresh() {
    let source = Source::new();
    let credential = source.credential(None, true, |_, now| async move {
        sleep(std::time::Duration::from_secs(5)).await;
        Ok(token("new", now + 3600.0))
    });
    let callers = (0..100).map(|_| get(&credential));
    let tokens = futures::future::join_all(callers).await;
    assert!(tokens.iter().all(|token| token == "new"));
    assert_eq!(source.calls(), [0.0]);
    // The task goes on from there.
    source.wait_until(3001.0).await;
    assert_eq!(source.calls(), [0.0, 3000.0]);
}

#[tokio::test(start_paused = true)]
async fn the_last_clone_ends_the_task() {
    let source = Source::new();
    let held = Arc::new(());
    let (refresher, kept) = (held.clone(), Arc::downgrade(&held));
    drop(held);
    let credential = source.credential(Some(token("old", 3600.0)), true, move |_, _| {
        let _ = &refresher;
        ready(Ok(token("new", 86_400.0)))
    });
    let clone = credential.clone();
    yield_now().await;
    drop(credential);
    assert!(kept.upgrade().is_some());
    drop(clone);
    // While the task sleeps, and at once.
    assert!(kept.upgrade().is_none());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    yield_now().await;
    assert_eq!(tasks(), 0);
    source.wait_until(10_000.0).await;
    assert!(source.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_last_clone_cancels_a_background_refresh() {
    let source = Source::new();
    let held = Arc::new(());
    let kept = Arc::downgrade(&held);
    let credential = source.credential(None, true, move |_, _| {
        let held = held.clone();
        async move {
            pending::<()>().await;
            drop(held);
            Ok(token("new", 3600.0))
        }
    });
    yield_now().await;
    assert_eq!(source.calls(), [0.0]);
    drop(credential);
    yield_now().await;
    assert!(kept.upgrade().is_none());
}

/// Creates a credential with a token of an hour, and the time that it shows.
fn with_manual_time() -> (CommunicationTokenCredential, ManualTime) {
    let time = ManualTime::new(START);
    let options = CommunicationTokenCredentialOptions {
        initial_token: Some(token("old", 3600.0)),
        refresh_proactively: true,
        ..Default::default()
    };
    let credential = CommunicationTokenCredential::build(
        || ready(Ok(token("new", 86_400.0))),
        Some(options),
        time.clock(),
        || 0.0,
    );
    (credential.unwrap(), time)
}

#[tokio::test(start_paused = true)]
async fn a_resumed_machine_refreshes_soon() {
    let (credential, time) = with_manual_time();
    yield_now().await;
    time.set(Duration::seconds(3500));
    assert_eq!(get(&credential).await, "old");
    sleep(std::time::Duration::from_secs(301)).await;
    assert_eq!(get(&credential).await, "new");
}

#[test]
fn the_task_restarts_on_another_runtime() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let (credential, time) = runtime().block_on(async { with_manual_time() });
    runtime().block_on(async {
        assert_eq!(get(&credential).await, "old");
        time.set(Duration::seconds(3500));
        sleep(std::time::Duration::from_secs(301)).await;
        assert_eq!(get(&credential).await, "new");
    });
}
