//! Calls that are dropped at every point where they wait.

use crate::{
    bounded,
    emulator::subject,
    support::{emulator::start, http_client::trusting, operation::Operation},
    wiretap::{Wiretap, client},
};
use acs_identity_emulator::{Emulator, Fault};
use azure_core::time::Duration;
use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

/// What the calls meet meanwhile: a fault of the first request, and how many minutes the service's clock is ahead.
pub(crate) const SITUATIONS: [(Option<&str>, i64); 6] = [
    (None, 0),
    (Some("status=503,retry-after=0"), 0),
    (Some("reset-before-commit"), 0),
    (Some("reset-after-commit"), 0),
    (Some("latency=1ms"), 0),
    (None, 10),
];

/// Whether each call has a connection of its own to establish.
pub(crate) const CONNECTIONS: [bool; 2] = [false, true];

/// Polls a future so many times, each when it wants to go on, and drops it then.
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
async fn a_dropped_call_leaves_the_client_as_it_was() {
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
    // There have been points to be dropped at: to connect, to be answered, to try again.
    assert!(most_polls > 3, "{most_polls}");
}

/// Drops a call of an operation after 0, 1, 2, … polls, until it completes. Returns how many polls that took.
async fn drop_everywhere(
    emulator: &Emulator,
    situation: (Option<&str>, i64),
    operation: Operation,
    own_connection: bool,
    case: &str,
) -> usize {
    let shared_http_client = trusting(&[emulator.ca_pem()]);
    for polls in 0.. {
        prepare(emulator, (None, 0));
        let subject = subject(emulator).await;
        let http_client = if own_connection {
            trusting(&[emulator.ca_pem()])
        } else {
            shared_http_client.clone()
        };
        let wiretap = Wiretap::new(&http_client);
        let client = client(emulator.endpoint(), &emulator.access_key(), wiretap.options());
        prepare(emulator, situation);
        let before = emulator.identity_count();
        let outcome = polled(operation.call(&client, &subject), polls).await;
        let creations_sent = wiretap.creations_sent();
        assert!(polls > 0 || wiretap.sent() == 0, "{case}");

        // The client works, and what the call has left behind is no more than what it sent.
        emulator.clear_faults();
        bounded(client.create_user(None)).await.unwrap();
        let made = (emulator.identity_count() + 1).saturating_sub(before + 1);
        assert!(
            made <= creations_sent + 1,
            "{case}, {polls} polls: {made} of {creations_sent}"
        );
        assert!(creations_sent <= 2, "{case}, {polls} polls: {creations_sent}");

        // Nothing that was dropped still holds the client.
        drop(client);
        assert_eq!(Arc::strong_count(&wiretap), 1, "{case}, {polls} polls");
        if outcome.is_some() {
            return polls;
        }
    }
    0
}
