//! The Communication Services resource that an emulator serves.

use crate::{
    assigned_user::{Access, AssignedUser},
    assignments::Assignments,
    clock::Clock,
    identity_id::IdentityId,
    rate_limits::{LimitExceeded, Operation, RateLimits},
    refusals::Refusals,
    registry::{Created, IdentityDetails, Registry},
    signature::{AccessKey, Tolerance},
    tokens::{AccessToken, EntraUserClaims, Holder, IssuedToken, Issuer, Jwt, TeamsUserClaims, TokenKey},
};
use aws_lc_rs::error::Unspecified;
use serde::Serialize;
use time::Duration;
use uuid::Uuid;

/// The state that requests share.
pub(crate) struct Resource {
    pub(crate) id: Uuid,
    pub(crate) access_key: AccessKey,
    pub(crate) tolerance: Tolerance,
    pub(crate) accept_unverified_bearer: bool,
    pub(crate) token_key: TokenKey,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    /// By tenant and object id.
    pub(crate) teams_extension_assignments: Assignments<(Uuid, Uuid)>,
    /// By object id.
    pub(crate) entra_assignments: Assignments<Uuid>,
    pub(crate) rate_limits: RateLimits,
    /// Whether the messages of 401 answers contain the explanation.
    pub(crate) explain: bool,
    pub(crate) refusals: Refusals,
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
    /// The tokens of its identity were revoked after it was issued, or the assignment that admitted its user was
    /// deleted or given to another principal.
    Revoked,
    /// Its identity has been deleted.
    IdentityDeleted,
}

impl Resource {
    /// Counts a request of this operation against its limit.
    pub(crate) fn count(&self, operation: Operation) -> Result<(), LimitExceeded> {
        self.rate_limits.count(operation, self.clock.now())
    }

    /// Creates an identity, or finds the one with this custom id, and issues a token to it if there are scopes.
    pub(crate) async fn create_identity(
        &self,
        custom_id: Option<String>,
        scopes: &[String],
        lifetime: Duration,
    ) -> Result<(IdentityDetails, Option<AccessToken>), Unspecified> {
        if scopes.is_empty() {
            let created = self.registry.create(custom_id, false, self.clock.now());
            return Ok((created.identity, None));
        }
        let issuer = self.issuer().await?;
        let Created { identity, serial } = self.registry.create(custom_id, true, issuer.now);
        let token = serial.map(|serial| issuer.user_token(identity.id, serial, scopes, lifetime));
        Ok((identity, token.transpose()?))
    }

    /// Issues a token to a communication user; `None` if there is no such user.
    pub(crate) async fn issue_user_token(
        &self,
        id: IdentityId,
        scopes: &[String],
        lifetime: Duration,
    ) -> Result<Option<AccessToken>, Unspecified> {
        let issuer = self.issuer().await?;
        let Some(serial) = self.registry.next_serial(id, issuer.now) else {
            return Ok(None);
        };
        issuer.user_token(id, serial, scopes, lifetime).map(Some)
    }

    /// Issues a token in exchange for the Entra ID token of a Teams user.
    pub(crate) async fn issue_teams_user_token(&self, entra: &TeamsUserClaims) -> Result<AccessToken, Unspecified> {
        self.issuer().await?.teams_user_token(entra)
    }

    /// Issues a token in exchange for the Entra ID token of a user whom an assignment admits; `None` if none does.
    pub(crate) async fn issue_assigned_user_token(
        &self,
        access: Access,
        entra: &EntraUserClaims,
        scopes: &[&str],
    ) -> Result<Option<(AssignedUser, AccessToken)>, Unspecified> {
        let issuer = self.issuer().await?;
        let assignment = match access {
            Access::TeamsExtension => self.teams_extension_assignments.admitting(entra),
            Access::Entra => self.entra_assignments.admitting(entra),
        };
        let Some(assignment) = assignment else {
            return Ok(None);
        };
        let user = AssignedUser {
            access,
            resource: self.id,
            tenant: entra.tid,
            user: entra.oid,
        };
        let token = issuer.assigned_user_token(&user, assignment, scopes, entra.exp)?;
        Ok(Some((user, token)))
    }

    /// The status of an access token: the first that applies, in the order of these checks.
    pub(crate) fn token_status(&self, token: &Jwt<'_>) -> TokenStatus {
        // Without its key, the emulator cannot have issued a token yet.
        let Some(issued) = self.token_key.get().and_then(|key| IssuedToken::read(token, key)) else {
            return TokenStatus::Unknown;
        };
        if issued.resource_id != self.id {
            return TokenStatus::Unknown;
        }
        if issued.exp <= self.clock.now().unix_timestamp() {
            return TokenStatus::Expired;
        }
        let revoked = match issued.holder {
            Holder::User { id, serial } => self.registry.is_revoked(id, serial),
            Holder::AssignedUser { access, assignment } => Some(!self.has_assignment(access, assignment)),
            Holder::TeamsUser => Some(false),
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

    async fn issuer(&self) -> Result<Issuer<'_>, Unspecified> {
        Ok(Issuer {
            key: self.token_key.wait().await?,
            resource_id: self.id,
            now: self.clock.now(),
        })
    }
}
