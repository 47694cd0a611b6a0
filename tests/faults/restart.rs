//! A service that is restarted while calls are under way.

use crate::{
    asked::KEY,
    bounded,
    rule::{Failure, Kind},
    support::http_client::http_client,
    wiretap::{Wiretap, client},
};
use acs_identity_emulator::{Emulator, EmulatorError, TokenAlgorithm};
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
/// So many calls are to succeed before the next restart.
const SUCCESSES: usize = 40;

/// How the service ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// It closes its connections at once.
    Crash,
    /// It lets requests in progress finish.
    Shutdown,
}

/// What is known at the end.
#[derive(Default)]
struct Books {
    /// Those that calls have returned.
    returned: HashSet<String>,
    /// Those that the service had when it ended.
    existed: HashSet<String>,
    left_open: usize,
    unreached: usize,
}

impl Books {
    fn enter(&mut self, result: Result<String, Error>) {
        match result {
            Ok(user) => assert!(self.returned.insert(user), "a user was returned twice"),
            Err(error) => match Failure::of(&error) {
                Failure {
                    kind: Kind::Io,
                    outcome_unknown: true,
                } => self.left_open += 1,
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
    let builder = Emulator::builder().port(port).access_key(KEY).strict(true);
    builder.token_algorithm(TokenAlgorithm::Es256).start().await
}

/// Restarts the service under load. The error is that somebody else has taken its port.
async fn restart(ending: Ending) -> Result<Books, EmulatorError> {
    let port = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut emulator = start(port).await?;
    let client = client(emulator.endpoint(), KEY, Wiretap::new(&http_client()).options());
    // A worker does not begin the next call before the result of the last one was taken.
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

    let mut books = Books::default();
    for _ in 0..RESTARTS {
        let enough = books.returned.len() + SUCCESSES;
        while books.returned.len() < enough {
            books.enter(ended.recv().await.unwrap());
        }
        match ending {
            Ending::Crash => {
                // Requests can still be executed until its tasks have ended; their users count only if they are returned.
                books.existed.extend(emulator.identities());
                drop(emulator);
            }
            Ending::Shutdown => emulator.shutdown().await,
        }
        let enough = books.unreached + WORKERS;
        while books.unreached < enough {
            books.enter(ended.recv().await.unwrap());
        }
        emulator = start(port).await?;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(result) = ended.recv().await {
        books.enter(result);
    }
    books.existed.extend(emulator.identities());
    Ok(books)
}

/// Somebody else can take the port while the service is down, so this begins anew on another one then.
async fn restart_somewhere(ending: Ending) -> Books {
    for _ in 0..10 {
        match bounded(restart(ending)).await {
            Ok(books) => return books,
            Err(error) => assert!(matches!(error, EmulatorError::Bind { .. }), "{error}"),
        }
    }
    panic!("none of ten ports stays free");
}

#[tokio::test]
async fn a_service_that_crashes_leaves_no_user_behind_that_is_not_accounted_for() {
    let books = restart_somewhere(Ending::Crash).await;
    let unknown: HashSet<_> = books.existed.difference(&books.returned).collect();
    // Those whose call ended after the last look at the results have been made, too.
    assert!(
        unknown.len() <= books.left_open + WORKERS,
        "{unknown:?}, {}",
        books.left_open
    );
}

#[tokio::test]
async fn a_service_that_is_shut_down_is_found_again() {
    let books = restart_somewhere(Ending::Shutdown).await;
    assert!(books.returned.len() >= RESTARTS * SUCCESSES);
    assert!(books.unreached >= RESTARTS * WORKERS);
}
