//! Access keys that are regenerated under load.

use crate::{
    bounded,
    recorder::{ATTEMPTS, Recorder},
    rule::{Failure, Kind},
    support::{
        emulator::{self, start, subject},
        http_client::trusting,
        operation::Operation,
        retries::AtOnce,
    },
};
use acs_identity_emulator::{AccessKeyKind, Emulator, Fault};
use azure_communication_identity::{AzureKeyCredential, CommunicationIdentityClient};
use azure_core::{
    Error,
    http::{
        RetryOptions, StatusCode,
        policies::{RetryHeaders, RetryPolicy},
    },
    time::Duration,
};
use futures::FutureExt;
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

const WORKERS: usize = 8;
const ROTATIONS: usize = 10;
/// The number of calls that end before the next rotation.
const CALLS: usize = 3 * WORKERS;

/// Calls that are repeated until the end.
struct Load {
    stop: AtomicBool,
    /// The number of calls that have ended.
    count: watch::Sender<usize>,
    /// Each call holds a clone of the sender that is here at its beginning.
    begun: Mutex<mpsc::Sender<()>>,
    ended: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

type Results = Vec<Result<String, Error>>;

impl Load {
    fn new() -> Arc<Self> {
        let (begun, ended) = mpsc::channel(1);
        Arc::new(Self {
            stop: AtomicBool::new(false),
            count: watch::Sender::new(0),
            begun: Mutex::new(begun),
            ended: tokio::sync::Mutex::new(ended),
        })
    }

    async fn create_users(self: Arc<Self>, client: CommunicationIdentityClient) -> Results {
        let mut results = Vec::new();
        while !self.stop.load(Ordering::SeqCst) {
            let call = self.begun.lock().unwrap().clone();
            let result = client.create_user(None).await;
            drop(call);
            self.count.send_modify(|count| *count += 1);
            results.push(result.map(|response| response.into_model().unwrap().as_str().to_owned()));
        }
        results
    }

    /// Waits until more calls have ended.
    async fn goes_on(&self) {
        let enough = *self.count.borrow() + CALLS;
        let mut count = self.count.subscribe();
        count.wait_for(|count| *count >= enough).await.unwrap();
    }

    /// Waits until all calls so far have ended. Others begin meanwhile.
    async fn calls_so_far(&self) {
        let (begun, next) = mpsc::channel(1);
        drop(std::mem::replace(&mut *self.begun.lock().unwrap(), begun));
        let mut ended = self.ended.lock().await;
        assert_eq!(ended.recv().await, None);
        *ended = next;
    }
}

/// Rotates the keys under load, and returns the results of the calls.
async fn rotate(emulator: &Emulator, orderly: bool) -> Results {
    let http_client = trusting(&[emulator.ca_pem()]);
    let key = AzureKeyCredential::new(&emulator.access_key()).unwrap();
    let options = Recorder::new(&http_client).options();
    let client =
        CommunicationIdentityClient::with_key_credential(emulator.endpoint(), key.clone(), Some(options)).unwrap();
    let load = Load::new();
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(load.clone().create_users(client.clone()));
    }
    for rotation in 0..ROTATIONS {
        load.goes_on().await;
        let (old, new_key) = match rotation % 2 {
            0 => (AccessKeyKind::Primary, emulator.secondary_access_key()),
            _ => (AccessKeyKind::Secondary, emulator.access_key()),
        };
        if orderly {
            // The order of the sample `key_rotation`: the other key first, and the old one when no call uses it any more.
            key.update(&new_key).unwrap();
            load.calls_so_far().await;
            emulator.regenerate_access_key(old).await.unwrap();
        } else {
            emulator.regenerate_access_key(old).await.unwrap();
            load.goes_on().await;
            key.update(&new_key).unwrap();
        }
    }
    load.goes_on().await;
    load.stop.store(true, Ordering::SeqCst);
    workers.join_all().await.into_iter().flatten().collect()
}

#[tokio::test]
async fn an_orderly_rotation_costs_no_call() {
    let emulator = start().await;
    let results = bounded(rotate(&emulator, true)).await;
    let users: HashSet<String> = results.into_iter().map(Result::unwrap).collect();
    assert!(users.len() > CALLS * ROTATIONS);
    assert_eq!(users, emulator.identities().into_iter().collect());
}

#[tokio::test]
async fn an_early_rotation_costs_calls_but_no_user() {
    let emulator = start().await;
    let results = bounded(rotate(&emulator, false)).await;
    let mut users = HashSet::new();
    let mut refused = 0;
    for result in results {
        match result {
            Ok(user) => assert!(users.insert(user)),
            Err(error) => {
                refused += 1;
                let expected = Failure {
                    kind: Kind::HttpResponse(401),
                    outcome_unknown: false,
                };
                assert_eq!(Failure::of(&error), expected, "{error}");
                assert!(error.to_string().contains("regenerating a key replaces it"), "{error}");
            }
        }
    }
    assert!(refused >= ROTATIONS, "{refused}");
    assert_eq!(users, emulator.identities().into_iter().collect());
}

/// azure_core's retries, with a new key before each.
#[derive(Debug)]
struct Rotating {
    retries: AtOnce,
    emulator: Arc<Emulator>,
    key: AzureKeyCredential,
}

impl RetryPolicy for Rotating {
    fn is_expired(&self, since_start: Duration, retries: u32) -> bool {
        self.retries.is_expired(since_start, retries)
    }

    fn retry_headers(&self) -> Option<&RetryHeaders> {
        self.retries.retry_headers()
    }

    fn retry_status_codes(&self) -> &[StatusCode] {
        self.retries.retry_status_codes()
    }

    fn sleep_duration(&self, retries: u32) -> Duration {
        // Without a data file, it completes at once.
        let regenerated = self.emulator.regenerate_access_key(AccessKeyKind::Primary);
        regenerated.now_or_never().unwrap().unwrap();
        self.key.update(&self.emulator.access_key()).unwrap();
        self.retries.sleep_duration(retries)
    }
}

#[tokio::test]
async fn a_key_replaced_between_attempts_signs_the_second() {
    let emulator = Arc::new(start().await);
    let http_client = trusting(&[emulator.ca_pem()]);
    for operation in Operation::ALL {
        let subject = subject(&emulator, &emulator::client(&emulator)).await;
        let before = emulator.identity_count();
        let key = AzureKeyCredential::new(&emulator.access_key()).unwrap();
        let recorder = Recorder::new(&http_client);
        let mut options = recorder.options();
        options.client_options.retry = RetryOptions::custom(Arc::new(Rotating {
            retries: AtOnce::new(ATTEMPTS),
            emulator: emulator.clone(),
            key: key.clone(),
        }));
        let client = CommunicationIdentityClient::with_key_credential(emulator.endpoint(), key, Some(options)).unwrap();
        emulator.inject(Fault::status(503).times(2)).unwrap();
        bounded(operation.call(&client, &subject)).await.unwrap();
        assert_eq!(recorder.sent(), 3, "{operation:?}");
        let gone = usize::from(operation == Operation::DeleteUser);
        let made = usize::from(operation.creates_user());
        assert_eq!(emulator.identity_count() + gone, before + made, "{operation:?}");
    }
}
