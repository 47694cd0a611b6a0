//! Limits on what each user may do in some time.

use crate::{error::ApiError, user::UserId};
use axum::http::StatusCode;
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock};
use std::{
    fmt::{self, Debug, Formatter},
    num::NonZeroU32,
};

/// A limit of each user. All of it can be used at once, and it comes back evenly.
pub(crate) struct RateLimit {
    limiter: DefaultKeyedRateLimiter<UserId>,
    reason: &'static str,
    message: &'static str,
}

impl RateLimit {
    /// Limits the requests in a minute.
    pub(crate) fn of_requests(per_minute: NonZeroU32) -> Self {
        let message = "you have sent too many requests: try again later";
        Self::new(Quota::per_minute(per_minute), "rate_limited", message)
    }

    /// Limits the fresh tokens in an hour.
    pub(crate) fn of_fresh_tokens(per_hour: NonZeroU32) -> Self {
        let message = "you have asked for too many fresh tokens: GET /api/token without fresh, or try again later";
        Self::new(Quota::per_hour(per_hour), "fresh_limited", message)
    }

    /// Limits the costs of calls to Azure Communication Services in an hour.
    pub(crate) fn of_acs_costs(per_hour: NonZeroU32) -> Self {
        let message = "your requests have caused too many calls to Azure Communication Services: try again later";
        Self::new(Quota::per_hour(per_hour), "acs_limited", message)
    }

    fn new(quota: Quota, reason: &'static str, message: &'static str) -> Self {
        Self {
            limiter: DefaultKeyedRateLimiter::keyed(quota),
            reason,
            message,
        }
    }

    /// Uses a part of the user's limit, or refuses.
    pub(crate) fn charge(&self, user: &UserId, cost: NonZeroU32) -> Result<(), ApiError> {
        let refusal = ApiError::new(StatusCode::TOO_MANY_REQUESTS, self.reason, self.message);
        match self.limiter.check_key_n(user, cost) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(too_soon)) => Err(refusal.retry_after(too_soon.wait_time_from(self.limiter.clock().now()))),
            // The limit is below the cost, and never allows it.
            Err(_) => Err(refusal),
        }
    }

    /// Forgets users who have their full limit again.
    pub(crate) fn remove_idle(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

impl Debug for RateLimit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("RateLimit")
    }
}
