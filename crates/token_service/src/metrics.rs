//! Metrics, in the text format of `OpenMetrics`.

use crate::store::{Backlog, Connections};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use std::{fmt, sync::atomic::Ordering, time::Duration};

/// The revision of the source, if the build sets it.
const REVISION: Option<&str> = option_env!("BUILD_REVISION");

/// The buckets of the durations of requests, in seconds.
const DURATION_BUCKETS: [f64; 9] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// The metrics of one service. No label contains a user or an identity.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    tokens: Family<TokenLabels, Counter>,
    acs: Family<AcsLabels, Counter>,
    sign_ins: Counter,
    given_up: Counter,
    http_connections: Family<ListenerLabels, Gauge>,
    closed_http_connections: Family<ClosedLabels, Counter>,
    unreadable_tokens: Counter,
    connections: Family<StateLabels, Gauge>,
    max_connections: Gauge,
    connection_waiting: Gauge,
    connection_failures: Counter,
    backlog: Family<KindLabels, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct TokenLabels {
    source: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct AcsLabels {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ListenerLabels {
    listener: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ClosedLabels {
    listener: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct KindLabels {
    kind: &'static str,
}

impl Metrics {
    /// Creates the counters, and registers the gauge of requests that wait for a limit.
    pub(crate) fn new(waiting: Gauge) -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("token_service"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            tokens: Family::default(),
            acs: Family::default(),
            sign_ins: Counter::default(),
            given_up: Counter::default(),
            http_connections: Family::default(),
            closed_http_connections: Family::default(),
            unreadable_tokens: Counter::default(),
            connections: Family::default(),
            max_connections: Gauge::default(),
            connection_waiting: Gauge::default(),
            connection_failures: Counter::default(),
            backlog: Family::default(),
        };
        let mut registry = Registry::with_prefix("token_service");
        registry.register(
            "http_requests",
            "Requests, by status; 499 is one without a response",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "How long requests took",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "tokens",
            "Tokens handed out, by where they were found",
            metrics.tokens.clone(),
        );
        registry.register(
            "acs_calls",
            "Calls to Azure Communication Services, by operation and outcome",
            metrics.acs.clone(),
        );
        registry.register(
            "acs_waiting",
            "Requests that wait for a limit of Azure Communication Services",
            waiting,
        );
        registry.register("sign_ins", "Identities created for users", metrics.sign_ins.clone());
        registry.register(
            "creations_given_up",
            "Creations given up, each of which may have left an identity that no user has",
            metrics.given_up.clone(),
        );
        registry.register(
            "http_connections",
            "Open connections of clients",
            metrics.http_connections.clone(),
        );
        registry.register(
            "http_connections_closed",
            "Connections of clients that the service closed or did not accept, by reason",
            metrics.closed_http_connections.clone(),
        );
        registry.register(
            "unreadable_tokens",
            "Stored tokens that could not be decrypted",
            metrics.unreadable_tokens.clone(),
        );
        metrics.register_database(&mut registry);
        registry.register("build", "The version that runs", Info::new(build_labels()));
        Self { registry, ..metrics }
    }

    fn register_database(&self, registry: &mut Registry) {
        registry.register(
            "database_connections",
            "Open connections to the database, by state",
            self.connections.clone(),
        );
        registry.register(
            "database_connections_max",
            "The most connections that may be open",
            self.max_connections.clone(),
        );
        registry.register(
            "database_connections_waiting",
            "Operations that wait for a connection",
            self.connection_waiting.clone(),
        );
        registry.register(
            "database_connection_failures",
            "Operations that got no connection",
            self.connection_failures.clone(),
        );
        registry.register(
            "backlog",
            "Rows of the database that wait for work, by kind; absent while the database does not answer",
            self.backlog.clone(),
        );
    }

    /// Counts a request and its duration.
    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = RequestLabels {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { route: labels.route };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts a token that is handed out, by its source.
    pub(crate) fn token(&self, source: &'static str) {
        self.tokens.get_or_create(&TokenLabels { source }).inc();
    }

    /// Counts a call to Azure Communication Services, by its outcome.
    pub(crate) fn acs(&self, operation: &'static str, outcome: &'static str) {
        self.acs.get_or_create(&AcsLabels { operation, outcome }).inc();
    }

    /// Counts an identity that was created for a user.
    pub(crate) fn signed_in(&self) {
        self.sign_ins.inc();
    }

    /// Counts creations whose outcome stays unknown.
    pub(crate) fn given_up(&self, creations: u64) {
        self.given_up.inc_by(creations);
    }

    /// Returns the metrics of a listener's connections.
    pub(crate) fn http_connections(&self, listener: &'static str) -> ConnectionMetrics {
        ConnectionMetrics {
            open: self
                .http_connections
                .get_or_create(&ListenerLabels { listener })
                .clone(),
            closed: self.closed_http_connections.clone(),
            listener,
        }
    }

    /// Counts a stored token that could not be decrypted.
    pub(crate) fn unreadable_token(&self) {
        self.unreadable_tokens.inc();
    }

    /// Sets the state of the database's connections.
    pub(crate) fn set_connections(&self, connections: Connections) {
        let Connections {
            max,
            open,
            idle,
            waiting,
            failed,
        } = connections;
        for (state, count) in [("idle", idle), ("used", open.saturating_sub(idle))] {
            self.connections.get_or_create(&StateLabels { state }).set(count.into());
        }
        self.max_connections.set(max.into());
        self.connection_waiting.set(waiting.into());
        self.connection_failures.inner().store(failed, Ordering::Relaxed);
    }

    /// Sets the backlog of the database. `None` removes an unknown one.
    pub(crate) fn set_backlog(&self, backlog: Option<Backlog>) {
        let Some(backlog) = backlog else {
            self.backlog.clear();
            return;
        };
        for (kind, rows) in [
            ("deletions", backlog.deletions),
            ("claims", backlog.claims),
            ("expired_claims", backlog.expired_claims),
        ] {
            self.backlog.get_or_create(&KindLabels { kind }).set(rows);
        }
    }

    /// Encodes all metrics.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The metrics of a listener's connections. [`TokenService::connection_metrics`](crate::TokenService::connection_metrics)
/// returns them; those of [`Default`] are in no `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMetrics {
    open: Gauge,
    closed: Family<ClosedLabels, Counter>,
    listener: &'static str,
}

impl ConnectionMetrics {
    /// Counts a connection as open, until [`ended`](Self::ended).
    pub fn opened(&self) {
        self.open.inc();
    }

    /// Counts the end of a connection, for any reason.
    pub fn ended(&self) {
        self.open.dec();
    }

    /// Counts a connection that the service closes or does not accept, by the reason.
    pub fn closed(&self, reason: &'static str) {
        let listener = self.listener;
        self.closed.get_or_create(&ClosedLabels { listener, reason }).inc();
    }
}

/// Returns the labels of the build: the version and, if it is known, the revision.
fn build_labels() -> Vec<(&'static str, &'static str)> {
    let version = ("version", env!("CARGO_PKG_VERSION"));
    let revision = REVISION.filter(|revision| !revision.is_empty());
    [version]
        .into_iter()
        .chain(revision.map(|revision| ("revision", revision)))
        .collect()
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
