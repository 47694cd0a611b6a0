//! Metrics, in the text format of `OpenMetrics`.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{fmt, time::Duration};

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
    connections: Family<ListenerLabels, Gauge>,
    closed_connections: Family<ClosedLabels, Counter>,
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
            connections: Family::default(),
            closed_connections: Family::default(),
        };
        let mut registry = Registry::with_prefix("token_service");
        registry.register("http_requests", "Requests that were answered", metrics.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "How long answers took",
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
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register(
            "connections_closed",
            "Connections that the service closed or did not accept, by reason",
            metrics.closed_connections.clone(),
        );
        Self { registry, ..metrics }
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
    pub(crate) fn connections(&self, listener: &'static str) -> ConnectionMetrics {
        ConnectionMetrics {
            open: self.connections.get_or_create(&ListenerLabels { listener }).clone(),
            closed: self.closed_connections.clone(),
            listener,
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

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
