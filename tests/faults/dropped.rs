//! Calls that are dropped at every point where they wait.

use crate::{
    bounded,
    recorder::{Recorder, client},
    reply::{End, Reply, documented, half, response},
    request::{RawRequest, documented_output},
    support::{
        emulator::{self, start, subject},
        fake_service::BUSY,
        fixtures::KEY,
        http_client::{http_client, trusting},
        operation::{Operation, Subject},
        raw_server::RawServer,
    },
};
use acs_identity_emulator::{Emulator, Fault};
use azure_core::time::Duration;
use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

/// A fault of the first request, and the minutes that the service's clock is ahead.
const SITUATIONS: [(Option<&str>, i64); 7] = [
    (None, 0),
    (Some("status=503,retry-after=0"), 0),
    (Some("status=503,after-commit"), 0),
    (Some("reset-before-commit"), 0),
    (Some("reset-after-commit"), 0),
    (Some("latency=1ms"), 0),
    (None, 10),
];

/// Calls over a shared connection, and calls that establish their own.
const CONNECTIONS: [bool; 2] = [false, true];

/// Polls a future this many times, each when it is woken, and drops it.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Pending if left == 0 => Poll::Ready(None),
            other => other.map(Some),
        }
    })
    .await
}

fn prepare(emulator: &Emulator, (fault, minutes): (Option<&str>, i64)) {
    emulator.clear_faults();
    emulator.set_clock_offset(Duration::minutes(minutes));
    if let Some(fault) = fault {
        emulator.inject(fault.parse::<Fault>().unwrap().times(1)).unwrap();
    }
}

#[tokio::test]
async fn a_dropped_call_leaves_the_client_unharmed() {
    let emulator = start().await;
    let mut most_polls = 0;
    for situation in SITUATIONS {
        for operation in Operation::ALL {
            for own_connection in CONNECTIONS {
                let case = &format!("{situation:?}, {operation:?}, own connection: {own_connection}");
                let polls = bounded(drop_everywhere(&emulator, situation, operation, own_connection, case)).await;
                most_polls = most_polls.max(polls);
            }
        }
    }
    // Calls have waited for a connection, a response and a retry.
    assert!(most_polls > 3, "{most_polls}");
}

/// Drops a call of an operation after 0, 1, 2, … polls, until it completes. Returns the number of polls that it needs.
async fn drop_everywhere(
    emulator: &Emulator,
    situation: (Option<&str>, i64),
    operation: Operation,
    own_connection: bool,
    case: &str,
) -> usize {
    let setup = emulator::client(emulator);
    let shared_http_client = trusting(&[emulator.ca_pem()]);
    for polls in 0.. {
        prepare(emulator, (None, 0));
        let subject = subject(emulator, &setup).await;
        let http_client = if own_connection {
            trusting(&[emulator.ca_pem()])
        } else {
            shared_http_client.clone()
        };
        let recorder = Recorder::new(&http_client);
        let client = client(emulator.endpoint(), &emulator.access_key(), recorder.options());
        prepare(emulator, situation);
        let before = emulator.identity_count();
        let outcome = polled(operation.call(&client, &subject), polls).await;
        let creations_sent = recorder.creations_sent();
        assert!(polls > 0 || recorder.sent() == 0, "{case}");

        // The client works, and there is no more than one user for each creation that was sent.
        emulator.clear_faults();
        bounded(client.create_user(None)).await.unwrap();
        let created = emulator.identity_count().saturating_sub(before + 1);
        assert!(
            created <= creations_sent,
            "{case}, {polls} polls: {created} of {creations_sent}"
        );
        assert!(creations_sent <= 2, "{case}, {polls} polls: {creations_sent}");

        // No task of the dropped call holds the client.
        drop(client);
        assert_eq!(Arc::strong_count(&recorder), 1, "{case}, {polls} polls");
        if outcome.is_some() {
            return polls;
        }
    }
    0
}

type Stalled = (&'static str, fn(&RawRequest) -> Reply);

/// Replies whose body stalls.
const STALLED: [Stalled; 3] = [
    ("a success without its body", |request| {
        half(request, 20).then(End::Silence)
    }),
    ("half of a success", |request| half(request, 9).then(End::Silence)),
    ("half of a failure", |_| {
        response(503, "", BUSY).without_last(1).then(End::Silence)
    }),
];

/// The timeout of a call that is not dropped before.
const TIMEOUT: Duration = Duration::milliseconds(50);

#[tokio::test]
async fn a_call_dropped_in_a_stalled_body_leaves_the_client_unharmed() {
    for (name, reply) in STALLED {
        for operation in Operation::ALL {
            let case = &format!("{name}, {operation:?}");
            assert!(bounded(drop_stalled(reply, operation, case)).await > 2, "{case}");
        }
    }
}

/// Does the same as [`drop_everywhere`], with a server whose first response stalls.
async fn drop_stalled(reply: fn(&RawRequest) -> Reply, operation: Operation, case: &str) -> usize {
    let stalls = Arc::new(AtomicBool::new(true));
    let stalls_now = stalls.clone();
    let server = RawServer::start(move |mut connection| {
        let stalls = stalls_now.clone();
        async move {
            while let Some(request) = connection.read_request().await? {
                let request = RawRequest(request);
                let reply = if stalls.swap(false, Ordering::SeqCst) {
                    reply(&request)
                } else {
                    documented(&request)
                };
                match reply.send(connection).await? {
                    Some(kept) => connection = kept,
                    None => return Ok(()),
                }
            }
            Ok(())
        }
    })
    .await;
    let http_client = http_client();
    for polls in 0.. {
        stalls.store(true, Ordering::SeqCst);
        let recorder = Recorder::new(&http_client);
        let mut options = recorder.options();
        options.timeout = Some(TIMEOUT);
        let client = client(&server.endpoint, KEY, options);
        let outcome = polled(operation.call(&client, &Subject::default()), polls).await;
        assert!(recorder.creations_sent() <= 1, "{case}, {polls} polls");

        stalls.store(false, Ordering::SeqCst);
        let output = bounded(operation.call(&client, &Subject::default())).await;
        assert_eq!(output.unwrap(), documented_output(operation), "{case}, {polls} polls");
        drop(client);
        assert_eq!(Arc::strong_count(&recorder), 1, "{case}, {polls} polls");
        if outcome.is_some() {
            return polls;
        }
    }
    0
}
