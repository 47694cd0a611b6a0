//! How a user gets their tokens: from memory, from the database, from Azure Communication Services.

use super::{
    Directory,
    slot::{Slot, Work, is_good},
};
use crate::{
    error::ApiError,
    policy::Grant,
    store::{Mapping, SealedToken},
    user::UserId,
};
use azure_communication_identity::{CommunicationAccessToken, CommunicationUserIdentifier};
use azure_core::time::OffsetDateTime;
use std::sync::Arc;
use tracing::warn;

/// A token and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct UserToken {
    pub(crate) identity: CommunicationUserIdentifier,
    pub(crate) token: Arc<CommunicationAccessToken>,
}

impl Directory {
    /// A token of the user, if they have an identity. However many ask for it, one of them goes to get it.
    pub(crate) async fn token(&self, user: &UserId, grant: &Grant) -> Result<Option<UserToken>, ApiError> {
        let slot = self.slot(user);
        if let Some(token) = self.remembered(&slot, grant) {
            return Ok(Some(token));
        }
        let (directory, user, grant) = (self.clone(), user.clone(), grant.clone());
        self.to_its_end(async move {
            let work = Work::Token(grant.clone());
            let mut turn = slot.turn_for(&work).await?;
            if let Some(token) = directory.remembered(&slot, &grant) {
                return Ok(Some(token));
            }
            turn.note(work, directory.find_or_issue(&slot, &user, &grant).await)
        })
        .await
    }

    fn remembered(&self, slot: &Slot, grant: &Grant) -> Option<UserToken> {
        let (mapping, token) = slot.token(grant, self.now())?;
        self.0.metrics.token("memory");
        Some(UserToken {
            identity: mapping.identity,
            token,
        })
    }

    async fn find_or_issue(&self, slot: &Slot, user: &UserId, grant: &Grant) -> Result<Option<UserToken>, ApiError> {
        let now = self.now();
        let Some(mapping) = self.0.store.find(user).await? else {
            slot.forget();
            return Ok(None);
        };
        let token = if let Some(token) = slot.learn(&mapping, grant, now) {
            self.0.metrics.token("memory");
            token
        } else {
            let token = match self.stored(user, grant, &mapping, now).await {
                Some(token) => token,
                None => self.issue(user, grant, &mapping).await?,
            };
            let token = Arc::new(token);
            slot.keep(&mapping, grant.clone(), token.clone(), now);
            token
        };
        let identity = mapping.identity;
        Ok(Some(UserToken { identity, token }))
    }

    async fn issue(
        &self,
        user: &UserId,
        grant: &Grant,
        mapping: &Mapping,
    ) -> Result<CommunicationAccessToken, ApiError> {
        let token = self.0.acs.issue(&mapping.identity, grant).await?;
        self.0.metrics.token("issued");
        self.store_token(user, grant, mapping, &token).await;
        Ok(token)
    }

    /// A stored token. Whatever keeps it from being read, another one can be issued.
    async fn stored(
        &self,
        user: &UserId,
        grant: &Grant,
        mapping: &Mapping,
        now: OffsetDateTime,
    ) -> Option<CommunicationAccessToken> {
        let keys = self.0.settings.sealing_keys.as_ref()?;
        let found = self.0.store.find_token(user, &grant.to_string(), mapping).await;
        let found = found.unwrap_or_else(|error| {
            warn!(%error, "a stored token could not be read");
            None
        });
        let found = found.filter(|token| is_good(token.expires_on, now))?;
        let token = keys.open(&found.sealed, &context(user, grant, mapping))?;
        self.0.metrics.token("store");
        Some(CommunicationAccessToken::new(token, found.expires_on))
    }

    async fn store_token(&self, user: &UserId, grant: &Grant, mapping: &Mapping, token: &CommunicationAccessToken) {
        let keys = self.0.settings.sealing_keys.as_ref();
        let Some(sealed) = keys.and_then(|keys| keys.seal(&token.token, &context(user, grant, mapping))) else {
            return;
        };
        let sealed = SealedToken {
            sealed,
            expires_on: token.expires_on,
        };
        if let Err(error) = self.0.store.put_token(user, &grant.to_string(), mapping, &sealed).await {
            warn!(%error, "a token could not be stored");
        }
    }
}

/// What a sealed token is bound to.
fn context(user: &UserId, grant: &Grant, mapping: &Mapping) -> String {
    let Mapping { identity, generation } = mapping;
    format!("{identity}\n{generation}\n{grant}\n{}", user.as_str())
}
