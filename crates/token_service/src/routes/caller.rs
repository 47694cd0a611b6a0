//! Who is calling, and how often they may.

use super::Api;
use crate::{error::ApiError, user::UserId};
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock};
use std::{
    fmt::{self, Debug, Formatter},
    num::NonZeroU32,
    sync::Arc,
};
use token_guard::Caller;

/// A user who is calling: their token has been checked, and they have not called too often.
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) caller: Caller,
}

impl FromRequestParts<Arc<Api>> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let caller = api.guard.authenticate(&parts.headers).await?;
        if caller.is_application() {
            let message = "an application calls for itself, and tokens are for users";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "not_a_user", message));
        }
        let id = api.user_id_claims.user_id(&caller)?;
        api.limit.check(&id)?;
        Ok(Self { id, caller })
    }
}

/// How many requests a caller may send.
pub(crate) struct CallerLimit(DefaultKeyedRateLimiter<UserId>);

impl CallerLimit {
    pub(crate) fn per_minute(requests: NonZeroU32) -> Self {
        Self(DefaultKeyedRateLimiter::keyed(Quota::per_minute(requests)))
    }

    fn check(&self, user: &UserId) -> Result<(), ApiError> {
        self.0.check_key(user).map_err(|too_soon| {
            let wait = too_soon.wait_time_from(self.0.clock().now());
            let message = "you have sent too many requests: try again later";
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message).retry_after(wait)
        })
    }

    /// Forgets callers who may send as many requests as anybody.
    pub(crate) fn forget_idle(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

impl Debug for CallerLimit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("CallerLimit")
    }
}
