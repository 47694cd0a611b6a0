//! The Communication Services resource that an emulator serves.

use crate::{
    auth::{AccessKeys, KeyNumber},
    clock::{Clock, RevocationDelay},
    identities::{Access, AssignedUser, Assignments, EmulatorState, IdentityId, InvalidState, Registry},
    storage::{Changes, NotPersisted, Receipt, Store},
    tokens::{
        AccessToken, EntraUserClaims, Holder, IssuedToken, IssuedTokens, Issuer, Jwt, Payload, TeamsUserClaims,
        TokenKey, UserCounters,
    },
};
use aws_lc_rs::error::Unspecified;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use time::Duration;
use uuid::Uuid;

/// The state of the resource.
pub(crate) struct Resource {
    pub(crate) id: Uuid,
    pub(crate) access_keys: AccessKeys,
    pub(crate) token_key: TokenKey,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    /// By tenant and object id.
    pub(crate) teams_extension_assignments: Assignments<(Uuid, Uuid)>,
    /// By object id.
    pub(crate) entra_assignments: Assignments<Uuid>,
    /// The number of tokens issued to communication users.
    pub(crate) serials: AtomicU64,
    pub(crate) issued: IssuedTokens,
    pub(crate) revocation_delay: RevocationDelay,
    /// Persists the registry, the assignments and the keys.
    pub(crate) store: Store,
}

/// A token could not be issued.
pub(crate) enum NotIssued {
    /// It could not be signed.
    NotSigned(Unspecified),
    /// A change that it depends on could not be persisted.
    NotPersisted(NotPersisted),
}

/// The status of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TokenStatus {
    /// The token is valid.
    Active,
    /// The token is not an access token of this emulator.
    Unknown,
    /// The token has expired.
    Expired,
    /// The tokens of its identity were revoked after it was issued, the access key that it was made with was
    /// regenerated, or the assignment that admitted its user was deleted or given to another principal.
    Revoked,
    /// Its identity has been deleted.
    IdentityDeleted,
}

impl Resource {
    /// Creates an identity, with a token if there are scopes.
    pub(crate) async fn create_identity(
        &self,
        scopes: &[String],
        lifetime: Duration,
        key: KeyNumber,
    ) -> Result<(IdentityId, Option<AccessToken>), NotIssued> {
        if scopes.is_empty() {
            let (id, receipt) = self.registry.create(self.clock.now());
            self.store.wait(receipt).await?;
            return Ok((id, None));
        }
        let issuer = self.issuer().await?;
        let (id, receipt) = self.registry.create(issuer.now);
        let token = issuer.user_token(id, self.counters(0, key), scopes, lifetime)?;
        self.store.wait(receipt).await?;
        Ok((id, Some(token)))
    }

    /// Issues a token to a communication user; `None` if there is no such user.
    pub(crate) async fn issue_user_token(
        &self,
        id: IdentityId,
        scopes: &[String],
        lifetime: Duration,
        key: KeyNumber,
    ) -> Result<Option<AccessToken>, NotIssued> {
        let issuer = self.issuer().await?;
        let Some((revocations, receipt)) = self.registry.revocations(id) else {
            return Ok(None);
        };
        let token = issuer.user_token(id, self.counters(revocations, key), scopes, lifetime)?;
        self.store.wait(receipt).await?;
        Ok(Some(token))
    }

    /// The counters of the next token of a communication user.
    fn counters(&self, revocations: u64, key: KeyNumber) -> UserCounters {
        UserCounters {
            revocations,
            key,
            serial: self.serials.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Revokes the tokens that have been issued to a communication user; `None` if there is no such user.
    pub(crate) fn revoke_tokens(&self, id: IdentityId) -> Option<Receipt> {
        let now = self.clock.now();
        self.registry.revoke_tokens(id, now + self.revocation_delay.get(), now)
    }

    /// Exchanges the Entra ID token of a Teams user for an access token.
    pub(crate) async fn issue_teams_user_token(
        &self,
        entra: &TeamsUserClaims,
        key: KeyNumber,
    ) -> Result<AccessToken, NotIssued> {
        Ok(self.issuer().await?.teams_user_token(entra, key)?)
    }

    /// Exchanges the Entra ID token of a user for an access token; `None` if no assignment admits the user.
    pub(crate) async fn issue_assigned_user_token(
        &self,
        access: Access,
        entra: &EntraUserClaims,
        scopes: &[&str],
    ) -> Result<Option<(AssignedUser, AccessToken)>, NotIssued> {
        let issuer = self.issuer().await?;
        let assignment = match access {
            Access::TeamsExtension => self.teams_extension_assignments.admitting(&entra.user),
            Access::Entra => self.entra_assignments.admitting(&entra.user),
        };
        let Some((assignment, receipt)) = assignment else {
            return Ok(None);
        };
        let user = AssignedUser {
            access,
            resource: self.id,
            tenant: entra.user.tenant,
            user: entra.user.user,
        };
        let token = issuer.assigned_user_token(&user, assignment, scopes, entra.exp)?;
        self.store.wait(receipt).await?;
        Ok(Some((user, token)))
    }

    /// Copies identities, assignments and revocations.
    pub(crate) fn export(&self) -> EmulatorState {
        EmulatorState::of(
            &self.registry,
            &self.teams_extension_assignments,
            &self.entra_assignments,
        )
    }

    /// Replaces identities, assignments and revocations, and persists them with the changes that `also` describes.
    pub(crate) fn import(
        &self,
        state: &EmulatorState,
        also: impl FnOnce(&mut Changes),
    ) -> Result<Receipt, InvalidState> {
        state.replace_in(
            &self.registry,
            &self.teams_extension_assignments,
            &self.entra_assignments,
            &self.store,
            also,
        )
    }

    /// The status of an access token.
    pub(crate) fn token_status(&self, token: &Jwt<'_>) -> TokenStatus {
        // Without its key, the emulator cannot have issued a token yet.
        let is_signed = self.token_key.get().is_some_and(|key| token.is_signed_by(key));
        let payload = is_signed.then(|| token.payload());
        payload.map_or(TokenStatus::Unknown, |payload| self.status_of(payload))
    }

    /// The status of the token with these claims: the first that applies, in the order of these checks.
    pub(crate) fn status_of(&self, payload: &Payload) -> TokenStatus {
        let Some(issued) = IssuedToken::read(payload).filter(|issued| issued.resource_id == self.id) else {
            return TokenStatus::Unknown;
        };
        let now = self.clock.now();
        if issued.exp <= now.unix_timestamp() {
            return TokenStatus::Expired;
        }
        let revoked = match issued.holder {
            Holder::User { id, counters } => {
                let revoked = self.registry.is_revoked(id, counters.revocations, now);
                revoked.map(|revoked| revoked || !self.access_keys.are_valid(counters.key))
            }
            Holder::AssignedUser { access, assignment } => Some(!self.has_assignment(access, assignment)),
            Holder::TeamsUser { key } => Some(!self.access_keys.are_valid(key)),
        };
        match revoked {
            None => TokenStatus::IdentityDeleted,
            Some(true) => TokenStatus::Revoked,
            Some(false) => TokenStatus::Active,
        }
    }

    fn has_assignment(&self, access: Access, number: u64) -> bool {
        match access {
            Access::TeamsExtension => self.teams_extension_assignments.has_number(number),
            Access::Entra => self.entra_assignments.has_number(number),
        }
    }

    /// Waits for the token key and for the last regeneration of an access key, on which every token depends.
    async fn issuer(&self) -> Result<Issuer<'_>, NotIssued> {
        let key = self.token_key.wait().await?;
        self.store.wait(self.access_keys.receipt()).await?;
        Ok(Issuer {
            key,
            resource_id: self.id,
            now: self.clock.now(),
            issued: &self.issued,
        })
    }
}

impl From<Unspecified> for NotIssued {
    fn from(error: Unspecified) -> Self {
        Self::NotSigned(error)
    }
}

impl From<NotPersisted> for NotIssued {
    fn from(error: NotPersisted) -> Self {
        Self::NotPersisted(error)
    }
}
