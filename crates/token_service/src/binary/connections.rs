//! The number of a listener's connections, before any authentication.
//!
//! A connection waits for its client while no request is in flight: in the TLS handshake, before and within a head, and while
//! its response is not read. At the limit, the connection that has waited longest is closed for a new one. Clients that send
//! their request at once are never among those. A request whose response is streamed is in flight until the end of the stream.
//! It needs no count by address, as all callers of a proxy share one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use token_service::ConnectionMetrics;
use tokio::{
    select,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::warn;

/// The part of the connections that is closed ahead, as a connection that is closed takes a moment to end.
const CLOSED_AHEAD: usize = 32;
/// The interval between two warnings about the limit.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);
/// The place of a connection with a request in flight.
const IN_FLIGHT: u64 = 0;

/// The connections of one listener. Clones share them.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Shared>);

struct Shared {
    limit: usize,
    slots: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    /// Notified when a connection begins to wait for its client.
    began_waiting: Notify,
    metrics: ConnectionMetrics,
}

/// The connections that wait for their clients, and the signals that close them.
#[derive(Default)]
struct Waiting {
    last_place: u64,
    longest_first: BTreeMap<u64, CancellationToken>,
    warned: Option<Instant>,
}

impl Connections {
    pub(crate) fn new(limit: usize, metrics: ConnectionMetrics) -> Self {
        Self(Arc::new(Shared {
            limit,
            slots: Arc::new(Semaphore::new(limit)),
            waiting: Mutex::default(),
            began_waiting: Notify::new(),
            metrics,
        }))
    }

    /// Waits until there is room for another connection, which then waits for its client. At the limit, this closes the
    /// connection that has waited longest.
    pub(crate) async fn admit(&self) -> Admitted {
        let slot = self.slot().await;
        let client = Arc::new(Client {
            connections: self.clone(),
            place: AtomicU64::new(IN_FLIGHT),
            closed: CancellationToken::new(),
        });
        client.wait();
        self.0.metrics.opened();
        Admitted { client, _slot: slot }
    }

    /// Returns a slot. There always is one in the end, as the semaphore is never closed.
    async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        let is_almost_full = self.0.slots.available_permits() <= self.0.limit / CLOSED_AHEAD;
        let makes_room = is_almost_full && self.close_longest_waiting();
        loop {
            if let Ok(slot) = self.0.slots.clone().try_acquire_owned() {
                return Some(slot);
            }
            let freed = self.0.slots.clone().acquire_owned();
            if makes_room || self.close_longest_waiting() {
                return freed.await.ok();
            }
            select! {
                slot = freed => return slot.ok(),
                () = self.0.began_waiting.notified() => {}
            }
        }
    }

    /// Closes the connection that has waited for its client the longest. Returns `false` if none waits.
    pub(crate) fn close_longest_waiting(&self) -> bool {
        let mut waiting = self.waiting();
        let Some((_, closed)) = waiting.longest_first.pop_first() else {
            return false;
        };
        closed.cancel();
        self.0.metrics.closed("limit");
        let now = Instant::now();
        if waiting.warned.is_none_or(|warned| now - warned >= WARNING_INTERVAL) {
            waiting.warned = Some(now);
            warn!(
                limit = self.0.limit,
                "there is no room for another connection: those that wait for their clients are closed, the longest first"
            );
        }
        true
    }

    pub(crate) fn metrics(&self) -> &ConnectionMetrics {
        &self.0.metrics
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The room of one connection, until it is dropped.
pub(crate) struct Admitted {
    client: Arc<Client>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Admitted {
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    pub(crate) fn metrics(&self) -> &ConnectionMetrics {
        self.client.connections.metrics()
    }

    /// Waits until the connection is closed for another one.
    pub(crate) fn closed(&self) -> WaitForCancellationFutureOwned {
        self.client.closed.clone().cancelled_owned()
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.client.end();
        self.client.connections.0.metrics.ended();
    }
}

/// The client of a connection.
pub(crate) struct Client {
    connections: Connections,
    /// The place among the connections that wait, in the order in which they began, or [`IN_FLIGHT`]. It is written under the
    /// lock of [`Waiting`].
    place: AtomicU64,
    closed: CancellationToken,
}

impl Client {
    /// Returns the place of a connection that waits for its client. It is another one after each request.
    pub(crate) fn place(&self) -> Option<u64> {
        Some(self.place.load(Ordering::Relaxed)).filter(|place| *place != IN_FLIGHT)
    }

    /// Begins a request. Returns `None` if the connection is being closed: its response could not be sent.
    pub(crate) fn begin(self: Arc<Self>) -> Option<InFlightRequest> {
        let place = self.place()?;
        let mut waiting = self.connections.waiting();
        waiting.longest_first.remove(&place)?;
        self.place.store(IN_FLIGHT, Ordering::Relaxed);
        drop(waiting);
        Some(InFlightRequest(self))
    }

    /// Puts the connection behind all that wait, unless it is closed.
    fn wait(&self) {
        let mut waiting = self.connections.waiting();
        if self.closed.is_cancelled() {
            return;
        }
        waiting.last_place += 1;
        let place = waiting.last_place;
        waiting.longest_first.insert(place, self.closed.clone());
        self.place.store(place, Ordering::Relaxed);
        drop(waiting);
        self.connections.0.began_waiting.notify_one();
    }

    /// Takes the connection from those that wait, for good.
    fn end(&self) {
        let mut waiting = self.connections.waiting();
        self.closed.cancel();
        if let Some(place) = self.place() {
            waiting.longest_first.remove(&place);
        }
    }
}

/// A request in flight, during which the connection does not wait for its client.
pub(crate) struct InFlightRequest(Arc<Client>);

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.wait();
    }
}
