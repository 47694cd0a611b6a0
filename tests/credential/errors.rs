//! Errors when there is no token.

use crate::token;
use azure_communication_identity::{CommunicationTokenCredential, CommunicationTokenCredentialOptions};
use azure_core::{Error, Result, error::ErrorKind};
use futures::future::{join_all, ready};
use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

#[derive(Debug)]
struct BackendIsDown;

impl std::fmt::Display for BackendIsDown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the backend is down")
    }
}

impl std::error::Error for BackendIsDown {}

#[tokio::test(start_paused = true)]
async fn a_failure_reaches_every_waiting_caller() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let refresher = move || {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            // Until all callers wait.
            sleep(Duration::from_secs(1)).await;
            match call {
                0 => Err(Error::new(ErrorKind::Connection, BackendIsDown)),
                _ => Ok(token("new", 3600)),
            }
        }
    };
    let credential = CommunicationTokenCredential::with_refresher(refresher, None).unwrap();
    let failures = join_all((0..100).map(|_| credential.get_token())).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    for error in failures.into_iter().map(Result::unwrap_err) {
        assert_eq!(*error.kind(), ErrorKind::Connection);
        assert_eq!(error.to_string(), "the backend is down");
        let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
        assert!(causes.any(<dyn std::error::Error>::is::<BackendIsDown>));
    }
    assert_eq!(credential.get_token().await.unwrap().token.secret(), "new");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_useless_token_is_a_failure() {
    for (useless, reason) in [
        (token("", 3600), "gave an empty token"),
        (token("SECRET", 0), "already expired"),
        (token("SECRET", -60), "this machine's clock must be right"),
    ] {
        let refresher = move || ready(Ok(useless.clone()));
        let credential = CommunicationTokenCredential::with_refresher(refresher, None).unwrap();
        let error = credential.get_token().await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Credential);
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    }
}

#[tokio::test]
async fn an_empty_initial_token_is_refused() {
    let options = CommunicationTokenCredentialOptions {
        initial_token: Some(token("", 3600)),
        ..Default::default()
    };
    let refresher = || ready(Ok(token("new", 3600)));
    let error = CommunicationTokenCredential::with_refresher(refresher, Some(options)).unwrap_err();
    assert_eq!(error.to_string(), "the token is empty");
}

#[tokio::test]
async fn a_panicking_refresher_fails_only_the_waiting_callers() {
    let calls = Arc::new(AtomicUsize::new(0));
    let refresher = move || {
        assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "on purpose");
        ready(Ok(token("new", 3600)))
    };
    let credential = CommunicationTokenCredential::with_refresher(refresher, None).unwrap();
    let waiting = join_all([credential.get_token(), credential.get_token()]).await;
    // The first panicked before the second began to wait.
    assert!(waiting[0].as_ref().unwrap_err().to_string().contains("panicked"));
    assert_eq!(credential.get_token().await.unwrap().token.secret(), "new");
}
