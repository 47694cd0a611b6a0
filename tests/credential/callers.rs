//! Many callers, and callers that go away.

use crate::token;
use azure_communication_identity::{CommunicationTokenCredential, CommunicationTokenCredentialOptions};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, yield_now},
};

/// A source that answers when its gate is opened, and counts how often it was asked.
#[derive(Clone)]
struct GatedSource {
    gate: Arc<Semaphore>,
    calls: Arc<AtomicUsize>,
}

impl GatedSource {
    fn new() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            calls: Arc::default(),
        }
    }

    fn credential(&self, options: Option<CommunicationTokenCredentialOptions>) -> CommunicationTokenCredential {
        let source = self.clone();
        let refresher = move || {
            let call = source.calls.fetch_add(1, Ordering::SeqCst) + 1;
            let gate = source.gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(token(&format!("token {call}"), 3600))
            }
        };
        CommunicationTokenCredential::with_refresher(refresher, options).unwrap()
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

async fn get(credential: CommunicationTokenCredential) -> String {
    credential.get_token().await.unwrap().token.secret().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_callers_share_one_refresh() {
    for refresh_proactively in [false, true] {
        let source = GatedSource::new();
        let credential = source.credential(Some(CommunicationTokenCredentialOptions {
            refresh_proactively,
            ..Default::default()
        }));
        let arrived = Arc::new(AtomicUsize::new(0));
        let mut callers = JoinSet::new();
        for _ in 0..10_000 {
            let (credential, arrived) = (credential.clone(), arrived.clone());
            callers.spawn(async move {
                arrived.fetch_add(1, Ordering::SeqCst);
                get(credential).await
            });
        }
        // The gate opens while some wait and others are still to come.
        while arrived.load(Ordering::SeqCst) < 5000 {
            yield_now().await;
        }
        source.gate.add_permits(10);
        let tokens = callers.join_all().await;
        assert_eq!(tokens.len(), 10_000);
        assert!(tokens.iter().all(|token| token == "token 1"));
        assert_eq!(source.calls(), 1);
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_cost_the_others_their_token() {
    let source = GatedSource::new();
    let credential = source.credential(None);
    let first = tokio::spawn(get(credential.clone()));
    yield_now().await;
    let second = tokio::spawn(get(credential.clone()));
    yield_now().await;
    // It was the one that asked the source.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    source.gate.add_permits(1);
    assert_eq!(second.await.unwrap(), "token 1");
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn when_all_callers_go_away_the_refresh_ends_and_the_next_caller_starts_anew() {
    let source = GatedSource::new();
    let credential = source.credential(None);
    let callers: Vec<_> = (0..10).map(|_| tokio::spawn(get(credential.clone()))).collect();
    yield_now().await;
    assert_eq!(source.calls(), 1);
    for caller in callers {
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    source.gate.add_permits(1);
    assert_eq!(get(credential).await, "token 2");
    assert_eq!(source.calls(), 2);
}

#[tokio::test]
async fn a_future_that_is_not_polled_any_more_holds_nobody_up() {
    let source = GatedSource::new();
    let credential = source.credential(None);
    let mut idle = Box::pin(credential.get_token());
    assert!(futures::poll!(&mut idle).is_pending());
    source.gate.add_permits(1);
    assert_eq!(get(credential.clone()).await, "token 1");
    assert_eq!(idle.await.unwrap().token.secret(), "token 1");
}

#[test]
fn a_refresh_ahead_needs_a_runtime_and_says_so() {
    let options = CommunicationTokenCredentialOptions {
        initial_token: Some(token("initial", 3600)),
        refresh_proactively: true,
        ..Default::default()
    };
    let refresher = || async { Ok(token("new", 3600)) };
    let error = CommunicationTokenCredential::with_refresher(refresher, Some(options)).unwrap_err();
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
    CommunicationTokenCredential::with_refresher(refresher, None).unwrap();
}
