//! A service that is restarted under load.

use crate::{
    bounded,
    recorder::{Recorder, client},
    rule::{Failure, Kind},
    support::{emulator::strict, fixtures::KEY, http_client::http_client},
};
use acs_identity_emulator::{Emulator, EmulatorError};
use azure_core::Error;
use std::{
    collections::HashSet,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{sync::mpsc, task::JoinSet};

const WORKERS: usize = 8;
const RESTARTS: usize = 5;
/// The number of calls that succeed before the next restart.
const SUCCESSES: usize = 40;

/// The end of a service.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// It closes its connections at once.
    Crash,
    /// It lets requests in progress finish.
    Shutdown,
}

/// The outcomes of the calls.
#[derive(Default)]
struct Totals {
    /// The users that calls have returned.
    returned: HashSet<String>,
    /// The users that the service had when it ended.
    existed: HashSet<String>,
    uncertain: usize,
    unreached: usize,
}

impl Totals {
    fn record(&mut self, result: Result<String, Error>) {
        match result {
            Ok(user) => assert!(self.returned.insert(user), "a user was returned twice"),
            Err(error) => match Failure::of(&error) {
                Failure {
                    kind: Kind::Io,
                    outcome_unknown: true,
                } => self.uncertain += 1,
                Failure {
                    kind: Kind::Connection,
                    outcome_unknown: false,
                } => self.unreached += 1,
                other => panic!("{other:?}: {error}"),
            },
        }
    }
}

async fn start(port: u16) -> Result<Emulator, EmulatorError> {
    strict().port(port).access_key(KEY).start().await
}

/// Restarts the service under load. The error is that another program has taken its port.
async fn restart(ending: Ending) -> Result<Totals, EmulatorError> {
    let port = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut emulator = start(port).await?;
    let client = client(emulator.endpoint(), KEY, Recorder::new(&http_client()).options());
    // A worker begins a call only after the result of its last one was received.
    let (results, mut ended) = mpsc::channel(1);
    let stop = Arc::new(AtomicBool::new(false));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (client, results, stop) = (client.clone(), results.clone(), stop.clone());
        workers.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let result = client.create_user(None).await;
                let user = result.map(|response| response.into_model().unwrap().as_str().to_owned());
                results.send(user).await.unwrap();
            }
        });
    }
    drop(results);

    let mut totals = Totals::default();
    for _ in 0..RESTARTS {
        let enough = totals.returned.len() + SUCCESSES;
        while totals.returned.len() < enough {
            totals.record(ended.recv().await.unwrap());
        }
        match ending {
            Ending::Crash => {
                // Until its tasks have ended, it still executes requests. Their users count only if they are returned.
                totals.existed.extend(emulator.identities());
                drop(emulator);
            }
            Ending::Shutdown => emulator.shutdown().await,
        }
        let enough = totals.unreached + WORKERS;
        while totals.unreached < enough {
            totals.record(ended.recv().await.unwrap());
        }
        emulator = start(port).await?;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(result) = ended.recv().await {
        totals.record(result);
    }
    totals.existed.extend(emulator.identities());
    Ok(totals)
}

/// Another program can take the port while the service is down. Then this starts again on another port.
async fn restart_somewhere(ending: Ending) -> Totals {
    for _ in 0..10 {
        match bounded(restart(ending)).await {
            Ok(totals) => return totals,
            Err(error) => assert!(matches!(error, EmulatorError::Bind { .. }), "{error}"),
        }
    }
    panic!("none of ten ports stays free");
}

#[tokio::test]
async fn a_crash_leaves_no_unknown_user() {
    let totals = restart_somewhere(Ending::Crash).await;
    let unknown: HashSet<_> = totals.existed.difference(&totals.returned).collect();
    // Calls that ended after the last look at the results have created users, too.
    assert!(
        unknown.len() <= totals.uncertain + WORKERS,
        "{unknown:?}, {}",
        totals.uncertain
    );
}

#[tokio::test]
async fn a_restarted_service_is_found_again() {
    let totals = restart_somewhere(Ending::Shutdown).await;
    assert!(totals.returned.len() >= RESTARTS * SUCCESSES);
    assert!(totals.unreached >= RESTARTS * WORKERS);
}
