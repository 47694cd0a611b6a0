//! Passwords of PostgreSQL that are tokens, and their renewal.

use crate::store::{StoreError, StoreErrorKind, error::OPEN};
use azure_core::credentials::{AccessToken, TokenCredential};
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// The limit of a request for a token.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The least pause between two requests for a token.
const MIN_PAUSE: Duration = Duration::from_secs(30);

/// The source of a database's password.
#[derive(Debug)]
pub(super) struct Password {
    credential: Arc<dyn TokenCredential>,
    scope: String,
}

impl Password {
    pub(super) fn new(credential: Arc<dyn TokenCredential>, scope: &str) -> Self {
        Self {
            credential,
            scope: scope.to_owned(),
        }
    }

    /// Requests a token.
    pub(super) async fn request(&self) -> Result<AccessToken, StoreError> {
        let scopes = [self.scope.as_str()];
        let token = timeout(REQUEST_TIMEOUT, self.credential.get_token(&scopes, None)).await;
        let refused = |reason: String| StoreError::new(OPEN, StoreErrorKind::Unavailable, &reason);
        match token {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(error)) => Err(refused(format!("database.credential provides no token: {error}"))),
            Err(_) => Err(refused(
                "database.credential provided no token within 30 seconds".to_owned(),
            )),
        }
    }

    /// Renews the password of a pool for its new connections, until the pool is closed.
    pub(super) async fn renew(self, pool: PgPool, first: AccessToken) {
        let mut pause = half_life(&first);
        loop {
            tokio::select! {
                () = pool.close_event() => return,
                () = sleep(pause) => {}
            }
            pause = match self.request().await {
                Ok(token) => {
                    let options = pool.connect_options().as_ref().clone();
                    pool.set_connect_options(options.password(token.token.secret()));
                    half_life(&token)
                }
                Err(error) => {
                    warn!(%error, "the password of the database is not renewed");
                    MIN_PAUSE
                }
            };
        }
    }
}

/// Returns half of the rest of a token's lifetime. A credential that caches its tokens returns the same one until shortly
/// before its expiry.
fn half_life(token: &AccessToken) -> Duration {
    let rest = token.expires_on - OffsetDateTime::now_utc();
    Duration::try_from(rest / 2).unwrap_or_default().max(MIN_PAUSE)
}
