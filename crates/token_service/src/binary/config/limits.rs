//! `[limits]`: the limits of requests and connections.

use super::given::Given;
use std::{num::NonZeroU32, time::Duration};

/// The bounds of requests and connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    pub(crate) requests_per_minute: NonZeroU32,
    pub(crate) fresh_tokens_per_hour: NonZeroU32,
    pub(crate) acs_costs_per_hour: NonZeroU32,
    pub(crate) request: Duration,
    pub(crate) body_bytes: usize,
    /// The limit for the head of a request, and for the pause between two requests.
    pub(crate) idle: Duration,
}

impl Limits {
    pub(super) fn of(given: &mut Given<'_>) -> Self {
        let requests_per_minute = given.number("limits.requests_per_minute", 1..=1_000_000, 120);
        let fresh_tokens_per_hour = given.number("limits.fresh_tokens_per_hour", 1..=1_000_000, 10);
        let acs_costs_per_hour = given.number("limits.acs_costs_per_hour", 8..=1_000_000, 60);
        let positive = |number: i64| {
            u32::try_from(number)
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN)
        };
        let request = given.number("limits.request_seconds", 1..=600, 30);
        let body_bytes = given.number("limits.body_bytes", 1024..=1_048_576, 16384);
        let idle = given.number("limits.idle_seconds", 1..=3600, 75);
        Self {
            requests_per_minute: positive(requests_per_minute),
            fresh_tokens_per_hour: positive(fresh_tokens_per_hour),
            acs_costs_per_hour: positive(acs_costs_per_hour),
            request: Duration::from_secs(request.unsigned_abs()),
            body_bytes: usize::try_from(body_bytes).unwrap_or(usize::MAX),
            idle: Duration::from_secs(idle.unsigned_abs()),
        }
    }
}
