//! Users' tokens, from the cache, the database or Azure Communication Services, and their revocation.

use super::{
    AcsCost, Directory,
    cache::{CachedUser, Checked, SharedTask, is_usable},
};
use crate::{
    error::ApiError,
    policy::Grant,
    seal::CredentialFingerprint,
    store::{Mapping, SealedToken},
    user::UserId,
};
use azure_communication_identity::{CommunicationAccessToken, CommunicationUserIdentifier};
use azure_core::time::OffsetDateTime;
use std::sync::Arc;
use tracing::warn;

/// A token and the identity that it is for.
#[derive(Clone, Debug)]
pub(crate) struct UserToken {
    pub(crate) identity: CommunicationUserIdentifier,
    pub(crate) token: Arc<CommunicationAccessToken>,
}

impl Directory {
    /// Returns a token of the user, or `None` if they have no identity. Concurrent requests share one call.
    pub(crate) async fn token(&self, user: &UserId, grant: &Grant) -> Result<Option<UserToken>, ApiError> {
        let cached = self.cached(user);
        if let Some(token) = self.cached_token(&cached, grant) {
            return Ok(Some(token));
        }
        let (directory, user, grant) = (self.clone(), user.clone(), grant.clone());
        self.run_to_completion(async move {
            let task = SharedTask::GetToken(grant.clone());
            let mut lock = cached.lock_for(&task).await?;
            if let Some(token) = directory.cached_token(&cached, &grant) {
                return Ok(Some(token));
            }
            lock.record(task, directory.find_or_issue_token(&cached, &user, &grant).await)
        })
        .await
    }

    /// Issues a token of the user, or returns `None` if they have no identity. All cached tokens of the user are dropped, here
    /// and in other replicas, but none is revoked.
    pub(crate) async fn fresh_token(&self, user: &UserId, grant: &Grant) -> Result<Option<UserToken>, ApiError> {
        let (directory, user, grant) = (self.clone(), user.clone(), grant.clone());
        self.run_to_completion(async move {
            let cached = directory.cached(&user);
            let _lock = cached.lock().await;
            let now = directory.checked(&cached);
            let deleted = directory.0.store.delete_tokens(&user).await?;
            cached.clear();
            let Some(mapping) = deleted else {
                return Ok(None);
            };
            let token = Arc::new(directory.issue_token(&user, &grant, &mapping).await?);
            cached.set_mapping(&mapping, &grant, now);
            cached.insert(&mapping, grant, token.clone(), now.at);
            let identity = mapping.identity;
            Ok(Some(UserToken { identity, token }))
        })
        .await
    }

    /// Returns the state of a check that begins now.
    fn checked(&self, cached: &CachedUser) -> Checked {
        Checked {
            at: self.now(),
            epoch: self.epoch(),
            changes: cached.changes(),
        }
    }

    /// Revokes all tokens of the user, here and at Azure Communication Services, which signs them out everywhere. Requests
    /// that come while one waits share its outcome.
    pub(crate) async fn revoke_tokens(&self, user: &UserId) -> Result<(), ApiError> {
        const TASK: SharedTask = SharedTask::RevokeTokens;
        let cached = self.cached(user);
        let revocation = cached.join(TASK, || {
            let (directory, user, cached) = (self.clone(), user.clone(), cached.clone());
            self.start(async move {
                let mut lock = cached.begin(&TASK).await?;
                let revoked = directory.delete_and_revoke_tokens(&user, &cached).await;
                lock.record(TASK, revoked.map(|()| true))
            })
        });
        revocation.await.map(drop)
    }

    async fn delete_and_revoke_tokens(&self, user: &UserId, cached: &CachedUser) -> Result<(), ApiError> {
        let deleted = self.0.store.delete_tokens(user).await?;
        cached.clear();
        let mapping = deleted.ok_or_else(ApiError::no_identity)?;
        self.0.acs.revoke(&mapping.identity).await?;
        // Another replica may have stored a token that was issued before the revocation.
        self.0.store.delete_tokens(user).await?;
        Ok(())
    }

    fn cached_token(&self, cached: &CachedUser, grant: &Grant) -> Option<UserToken> {
        let (mapping, token) = cached.token(grant, self.checked(cached))?;
        self.0.metrics.token("memory");
        Some(UserToken {
            identity: mapping.identity,
            token,
        })
    }

    async fn find_or_issue_token(
        &self,
        cached: &CachedUser,
        user: &UserId,
        grant: &Grant,
    ) -> Result<Option<UserToken>, ApiError> {
        // Before the check, so that a change during it is noticed.
        let now = self.checked(cached);
        let Some(mapping) = self.0.store.find(user).await? else {
            cached.clear();
            return Ok(None);
        };
        let token = if let Some(token) = cached.set_mapping(&mapping, grant, now) {
            self.0.metrics.token("memory");
            token
        } else {
            let token = match self.stored_token(user, grant, &mapping, now.at).await {
                Some(token) => token,
                None => self.issue_token(user, grant, &mapping).await?,
            };
            let token = Arc::new(token);
            cached.insert(&mapping, grant.clone(), token.clone(), now.at);
            token
        };
        let identity = mapping.identity;
        Ok(Some(UserToken { identity, token }))
    }

    async fn issue_token(
        &self,
        user: &UserId,
        grant: &Grant,
        mapping: &Mapping,
    ) -> Result<CommunicationAccessToken, ApiError> {
        self.charge(user, AcsCost::ISSUE)?;
        let token = self.0.acs.issue(&mapping.identity, grant).await?;
        self.0.metrics.token("issued");
        self.store_token(user, grant, mapping, &token).await;
        Ok(token)
    }

    /// Returns a usable stored token. Any failure is treated as absence, as another token can be issued.
    async fn stored_token(
        &self,
        user: &UserId,
        grant: &Grant,
        mapping: &Mapping,
        now: OffsetDateTime,
    ) -> Option<CommunicationAccessToken> {
        let (keys, issued_with) = self.0.settings.sealing_keys.as_ref()?;
        let found = self.0.store.find_token(user, &grant.to_string(), mapping).await;
        let found = found.unwrap_or_else(|error| {
            warn!(%error, "a stored token could not be read");
            None
        });
        let found = found.filter(|token| is_usable(token.expires_on, now))?;
        let token = keys.open(&found.sealed, &sealing_context(issued_with, user, grant, mapping));
        if token.is_none() {
            self.report_unreadable_token();
        }
        let token = token?;
        self.0.metrics.token("store");
        Some(CommunicationAccessToken::new(token, found.expires_on))
    }

    /// Counts a stored token that no key opens, and warns of such tokens once an hour.
    fn report_unreadable_token(&self) {
        self.0.metrics.unreadable_token();
        if self.0.unreadable_warnings.check().is_ok() {
            warn!(
                "stored tokens cannot be decrypted, and new ones are issued: this is so for a day after another access key was \
                 configured; otherwise add the key that encrypted them to tokens.sealing_keys, or run \
                 `token_service forget-tokens`"
            );
        }
    }

    async fn store_token(&self, user: &UserId, grant: &Grant, mapping: &Mapping, token: &CommunicationAccessToken) {
        let Some((keys, issued_with)) = &self.0.settings.sealing_keys else {
            return;
        };
        let Some(sealed) = keys.seal(&token.token, &sealing_context(issued_with, user, grant, mapping)) else {
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

/// Returns the context that a sealed token is bound to.
fn sealing_context(issued_with: &CredentialFingerprint, user: &UserId, grant: &Grant, mapping: &Mapping) -> String {
    let Mapping { identity, generation } = mapping;
    let (issued_with, user) = (issued_with.as_str(), user.as_str());
    format!("{identity}\n{generation}\n{grant}\n{issued_with}\n{user}")
}
