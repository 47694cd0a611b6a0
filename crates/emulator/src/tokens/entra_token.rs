//! Access tokens that the emulator issues in place of Microsoft Entra ID.

use crate::{
    dates,
    tokens::{
        Payload, SigningKey,
        entra_validation::{ENTRA_USER_AUDIENCE, SERVICE_AUDIENCE, TEAMS_AUDIENCE},
        jwt,
    },
};
use aws_lc_rs::error::Unspecified;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Debug, Formatter};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A request for a token of Microsoft Entra ID.
///
/// Every field has a default, in Rust and in JSON: random ids, the audience and scopes of the kind, a lifetime of one
/// hour.
///
/// ```
/// use acs_identity_emulator::EntraTokenRequest;
///
/// let expired = EntraTokenRequest { expires_in_seconds: -1, ..EntraTokenRequest::teams_user() };
/// # assert_eq!(expired.audience, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct EntraTokenRequest {
    /// The purpose of the token.
    pub kind: EntraTokenKind,
    /// The `aud` claim; `None` for the audience of the kind.
    pub audience: Option<String>,
    /// The `tid` claim: the tenant.
    pub tenant_id: Uuid,
    /// The `appid` claim: the application that asked for the token.
    pub app_id: Uuid,
    /// The `oid` claim: the object id of the user, or of the application's service principal.
    pub user_id: Uuid,
    /// The `scp` claim: the permissions that the user gave the application; `None` for those of the kind.
    pub scopes: Option<Vec<String>>,
    /// The `groups` claim: the object ids of the groups that the user is a member of.
    pub groups: Vec<Uuid>,
    /// Seconds until the token expires; negative for a token that has expired.
    pub expires_in_seconds: i32,
}

impl EntraTokenRequest {
    /// A bearer token for the service.
    #[must_use]
    pub fn service() -> Self {
        Self {
            kind: EntraTokenKind::Service,
            audience: None,
            tenant_id: Uuid::new_v4(),
            app_id: Uuid::new_v4(),
            user_id: Uuid::new_v4(),
            scopes: None,
            groups: Vec::new(),
            expires_in_seconds: 3600,
        }
    }

    /// A token of a Teams user.
    #[must_use]
    pub fn teams_user() -> Self {
        Self {
            kind: EntraTokenKind::TeamsUser,
            ..Self::service()
        }
    }

    /// A token of a user of Entra ID, to be exchanged for one with the scopes `chat` and `voip`.
    #[must_use]
    pub fn entra_user() -> Self {
        Self {
            kind: EntraTokenKind::EntraUser,
            ..Self::service()
        }
    }

    /// A token of a user of Teams Phone extensibility.
    #[must_use]
    pub fn teams_extension_user() -> Self {
        Self {
            kind: EntraTokenKind::TeamsExtensionUser,
            ..Self::service()
        }
    }
}

impl Default for EntraTokenRequest {
    /// A bearer token for the service.
    fn default() -> Self {
        Self::service()
    }
}

/// A token of Microsoft Entra ID and its claims, under the names that the exchange of a Teams user's token uses.
///
/// `Debug` does not show the token.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EntraToken {
    /// The token.
    pub token: String,
    /// The expiry.
    #[serde(serialize_with = "dates::serialize_timestamp")]
    pub expires_on: OffsetDateTime,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The application that the token was issued to.
    pub app_id: Uuid,
    /// The object id of the user or service principal.
    pub user_id: Uuid,
}

impl Debug for EntraToken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntraToken")
            .field("expires_on", &self.expires_on)
            .field("tenant_id", &self.tenant_id)
            .field("app_id", &self.app_id)
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

/// Claims of an Entra ID access token, version 1.0.
#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    appid: Uuid,
    #[serde(skip_serializing_if = "<[Uuid]>::is_empty")]
    groups: &'a [Uuid],
    #[serde(skip_serializing_if = "Option::is_none")]
    idtyp: Option<&'static str>,
    oid: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    scp: Option<String>,
    sub: Uuid,
    tid: Uuid,
    uti: String,
    ver: &'static str,
}

impl EntraTokenRequest {
    pub(crate) fn mint(&self, key: &SigningKey, now: OffsetDateTime) -> Result<EntraToken, Unspecified> {
        let expires_on = now + Duration::seconds(self.expires_in_seconds.into());
        // An expired token was issued an hour before it expired.
        let issued_at = now.min(expires_on - Duration::HOUR).unix_timestamp();
        let claims = Claims {
            aud: self.audience.as_deref().unwrap_or(self.kind.audience()),
            iss: format!("https://sts.windows.net/{}/", self.tenant_id),
            iat: issued_at,
            nbf: issued_at,
            exp: expires_on.unix_timestamp(),
            appid: self.app_id,
            groups: &self.groups,
            idtyp: (self.kind == EntraTokenKind::Service).then_some("app"),
            oid: self.user_id,
            scp: match &self.scopes {
                Some(scopes) => Some(scopes.join(" ")),
                None => self.kind.scopes().map(ToOwned::to_owned),
            },
            sub: self.user_id,
            tid: self.tenant_id,
            uti: Uuid::new_v4().simple().to_string(),
            ver: "1.0",
        };
        Ok(EntraToken {
            token: jwt::sign(&Payload::new(&claims, &[])?, key)?,
            expires_on,
            tenant_id: self.tenant_id,
            app_id: self.app_id,
            user_id: self.user_id,
        })
    }
}

/// The purpose of an Entra ID token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum EntraTokenKind {
    /// Authenticates requests to the service, as `Authorization: Bearer`.
    #[default]
    Service,
    /// Identifies a Teams user, to be exchanged for an access token of the service.
    TeamsUser,
    /// Authenticates a user of Teams Phone extensibility at the exchange for an access token of the service.
    TeamsExtensionUser,
    /// Authenticates a user of Entra ID at the exchange for an access token of the service.
    EntraUser,
}

impl EntraTokenKind {
    /// The audience of tokens of this kind.
    fn audience(self) -> &'static str {
        match self {
            Self::Service => SERVICE_AUDIENCE,
            Self::TeamsUser | Self::TeamsExtensionUser => TEAMS_AUDIENCE,
            Self::EntraUser => ENTRA_USER_AUDIENCE,
        }
    }

    /// The permissions of a user; `None` for an application.
    fn scopes(self) -> Option<&'static str> {
        match self {
            Self::Service => None,
            Self::TeamsUser => Some("Teams.ManageCalls Teams.ManageChats"),
            Self::TeamsExtensionUser => Some("TeamsExtension.ManageCalls"),
            Self::EntraUser => Some("Chat VoIP"),
        }
    }
}
