//! Many callers, and callers that are dropped.

use crate::token;
use azure_communication_identity::{CommunicationTokenCredential, CommunicationTokenCredentialOptions};
use futures::future::join_all;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    runtime::Builder,
    sync::Semaphore,
    task::{JoinSet, yield_now},
};

/// A source that returns a token when its gate is opened, and counts its calls.
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
        // The gate opens while some wait and others have yet to call.
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

#[test]
fn two_runtimes_make_two_refreshes_at_most() {
    let runtimes = [1, 2].map(|threads| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads).enable_all().build().unwrap()
    });
    let source = GatedSource::new();
    let credential = source.credential(None);
    let arrived = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..100)
        .map(|caller| {
            let (credential, arrived) = (credential.clone(), arrived.clone());
            runtimes[caller % 2].spawn(async move {
                arrived.fetch_add(1, Ordering::SeqCst);
                get(credential).await
            })
        })
        .collect();
    let [first, _] = &runtimes;
    first.block_on(async {
        // The gate opens while some wait and others have yet to call.
        while arrived.load(Ordering::SeqCst) < 50 {
            yield_now().await;
        }
        source.gate.add_permits(100);
        for token in join_all(callers).await {
            assert!(["token 1", "token 2"].contains(&token.unwrap().as_str()));
        }
    });
    assert!((1..=2).contains(&source.calls()), "{}", source.calls());
    first.block_on(get(credential));
    assert!(source.calls() <= 2);
}

#[tokio::test]
async fn a_dropped_caller_costs_the_others_nothing() {
    let source = GatedSource::new();
    let credential = source.credential(None);
    let first = tokio::spawn(get(credential.clone()));
    yield_now().await;
    let second = tokio::spawn(get(credential.clone()));
    yield_now().await;
    // The one that called the source.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    source.gate.add_permits(1);
    assert_eq!(second.await.unwrap(), "token 1");
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn a_refresh_ends_with_its_last_caller() {
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
async fn an_idle_caller_delays_no_other() {
    let source = GatedSource::new();
    let credential = source.credential(None);
    let mut idle = Box::pin(credential.get_token());
    assert!(futures::poll!(&mut idle).is_pending());
    source.gate.add_permits(1);
    assert_eq!(get(credential.clone()).await, "token 1");
    assert_eq!(idle.await.unwrap().token.secret(), "token 1");
}

#[test]
fn proactive_refresh_needs_a_runtime() {
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
