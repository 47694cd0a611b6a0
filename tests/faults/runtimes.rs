//! A client that is used by one async runtime after another, with its default transport.

use crate::alone::alone;
use acs_identity_emulator::{Emulator, TokenAlgorithm};
use azure_communication_identity::CommunicationIdentityClient;
use std::thread;
use tokio::runtime::{Builder, Runtime};

/// The ways in which runtimes come and go.
#[derive(Clone, Copy, Debug)]
enum Succession {
    /// Each ends before the next begins.
    OneAfterAnother,
    /// Each is kept, but driven no more.
    Kept,
    /// Those of several threads come and go at the same time.
    AtTheSameTime,
}

const SUCCESSIONS: [Succession; 3] = [Succession::OneAfterAnother, Succession::Kept, Succession::AtTheSameTime];

const THREADS: usize = 4;
const CALLS: usize = 12;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Makes a call on each of some runtimes.
fn call(client: &CommunicationIdentityClient, keep: bool) {
    let mut kept = Vec::new();
    for _ in 0..CALLS {
        let runtime = runtime();
        let created = runtime.block_on(client.create_user(None)).unwrap();
        created.into_model().unwrap();
        if keep {
            kept.push(runtime);
        }
    }
}

/// The default transport takes the proxies of the environment, so this runs again in a process without any.
#[test]
fn a_client_serves_one_runtime_after_another() {
    if !alone("runtimes::a_client_serves_one_runtime_after_another") {
        return;
    }
    let home = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for succession in SUCCESSIONS {
        let builder = Emulator::builder().token_algorithm(TokenAlgorithm::Es256);
        let emulator = home.block_on(builder.start()).unwrap();
        let client = CommunicationIdentityClient::with_connection_string(&emulator.connection_string(), None).unwrap();
        let calls = match succession {
            Succession::OneAfterAnother | Succession::Kept => {
                call(&client, matches!(succession, Succession::Kept));
                CALLS
            }
            Succession::AtTheSameTime => {
                thread::scope(|scope| {
                    for _ in 0..THREADS {
                        scope.spawn(|| call(&client, false));
                    }
                });
                THREADS * CALLS
            }
        };
        assert_eq!(emulator.identity_count(), calls, "{succession:?}");
    }
}
