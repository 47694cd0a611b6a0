//! Access tokens of the service, which admit clients to chat and calling.
//!
//! Names, order and values of the claims are those of the service's own tokens. The format is not a contract, so it is
//! as observed: in users' tokens since 2023 and Teams users' tokens since 2024.

use crate::{
    auth::KeyNumber,
    dates,
    identities::{Access, AssignedUser, IdentityId},
    ring_buffer::RingBuffer,
    tokens::{Payload, SigningKey, TeamsUserClaims, jwt},
};
use aws_lc_rs::error::Unspecified;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Debug, Formatter};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// The region of the emulator's resource.
const REGION: &str = "amer";
const RESOURCE_LOCATION: &str = "unitedstates";

/// A token and its expiry, in the service's JSON form. `Debug` does not show the token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessToken {
    token: String,
    #[serde(serialize_with = "dates::serialize_timestamp")]
    expires_on: OffsetDateTime,
}

impl Debug for AccessToken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires_on", &self.expires_on)
            .finish_non_exhaustive()
    }
}

/// The counters that a communication user's token carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserCounters {
    /// The number of revocations before it was issued.
    pub(crate) revocations: u64,
    /// The access key that the token was made with.
    pub(crate) key: KeyNumber,
    /// A number that distinguishes tokens of the same second.
    pub(crate) serial: u64,
}

impl UserCounters {
    /// Reads the counters of a token; `None` if it is not the token of a communication user.
    fn read(payload: &Payload) -> Option<Self> {
        let [revocations, key, serial] = payload.counters()?;
        Some(Self {
            revocations,
            key: KeyNumber(key),
            serial,
        })
    }

    fn as_array(self) -> [u64; 3] {
        let KeyNumber(key) = self.key;
        [self.revocations, key, self.serial]
    }
}

/// The claims of the last tokens, for the control surface.
pub(crate) type IssuedTokens = RingBuffer<Payload, 100>;

/// Issues tokens at one moment.
pub(crate) struct Issuer<'a> {
    pub(crate) key: &'a SigningKey,
    pub(crate) resource_id: Uuid,
    pub(crate) now: OffsetDateTime,
    /// The claims of the last tokens, to which each token is added.
    pub(crate) issued: &'a IssuedTokens,
}

#[derive(Serialize)]
struct UserClaims {
    skypeid: String,
    scp: u32,
    csi: String,
    exp: i64,
    rgn: &'static str,
    #[serde(rename = "acsScope")]
    acs_scope: String,
    #[serde(rename = "resourceId")]
    resource_id: Uuid,
    #[serde(rename = "resourceLocation")]
    resource_location: &'static str,
    iat: i64,
}

#[derive(Serialize)]
struct TeamsClaims<'a> {
    skypeid: String,
    scp: u32,
    csi: String,
    exp: i64,
    rgn: &'static str,
    tid: Uuid,
    #[serde(rename = "acsScope")]
    acs_scope: &'static str,
    #[serde(rename = "resourceId")]
    resource_id: Uuid,
    aad_iat: String,
    aad_uti: &'a str,
    aad_appid: Uuid,
    iat: i64,
}

impl Issuer<'_> {
    /// Signs a token of a communication user.
    pub(crate) fn user_token(
        &self,
        id: IdentityId,
        counters: UserCounters,
        scopes: &[String],
        lifetime: Duration,
    ) -> Result<AccessToken, Unspecified> {
        self.acs_token(
            id.skype_id(),
            &counters.as_array(),
            scopes.join(","),
            self.now + lifetime,
        )
    }

    /// Signs a token of a user that the assignment with this number admits. It expires with the Entra ID token that is
    /// exchanged.
    pub(crate) fn assigned_user_token(
        &self,
        user: &AssignedUser,
        assignment: u64,
        scopes: &[&str],
        expires_on: OffsetDateTime,
    ) -> Result<AccessToken, Unspecified> {
        self.acs_token(user.skype_id(), &[assignment], scopes.join(","), expires_on)
    }

    fn acs_token(
        &self,
        skypeid: String,
        counters: &[u64],
        acs_scope: String,
        expires_on: OffsetDateTime,
    ) -> Result<AccessToken, Unspecified> {
        let iat = self.now.unix_timestamp();
        let claims = UserClaims {
            skypeid,
            scp: 1792,
            csi: iat.to_string(),
            exp: expires_on.unix_timestamp(),
            rgn: REGION,
            acs_scope,
            resource_id: self.resource_id,
            resource_location: RESOURCE_LOCATION,
            iat,
        };
        self.sign(&claims, counters, expires_on)
    }

    /// Signs a token of a Teams user. It expires with the Entra ID token that is exchanged.
    pub(crate) fn teams_user_token(
        &self,
        entra: &TeamsUserClaims,
        KeyNumber(key): KeyNumber,
    ) -> Result<AccessToken, Unspecified> {
        let iat = self.now.unix_timestamp();
        let claims = TeamsClaims {
            skypeid: format!("orgid:{}", entra.oid),
            scp: 1024,
            csi: iat.to_string(),
            exp: entra.exp.unix_timestamp(),
            rgn: REGION,
            tid: entra.tid,
            acs_scope: "voip,chat",
            resource_id: self.resource_id,
            aad_iat: entra.iat.to_string(),
            aad_uti: &entra.uti,
            aad_appid: entra.appid,
            iat,
        };
        self.sign(&claims, &[key], entra.exp)
    }

    /// Signs a token that carries counters as white space.
    fn sign(
        &self,
        claims: &impl Serialize,
        counters: &[u64],
        expires_on: OffsetDateTime,
    ) -> Result<AccessToken, Unspecified> {
        let payload = Payload::new(claims, counters)?;
        let token = jwt::sign(&payload, self.key)?;
        self.issued.add(payload);
        Ok(AccessToken { token, expires_on })
    }
}

/// The parts of an issued token that decide its status.
pub(crate) struct IssuedToken {
    pub(crate) holder: Holder,
    pub(crate) resource_id: Uuid,
    pub(crate) exp: i64,
}

/// The holder of a token.
pub(crate) enum Holder {
    User {
        id: IdentityId,
        counters: UserCounters,
    },
    /// A user that the assignment with this number admitted.
    AssignedUser {
        access: Access,
        assignment: u64,
    },
    TeamsUser {
        key: KeyNumber,
    },
}

impl IssuedToken {
    /// Reads the claims of a token; `None` if they are not those of an access token.
    pub(crate) fn read(payload: &Payload) -> Option<Self> {
        #[derive(Deserialize)]
        struct Claims {
            skypeid: String,
            exp: i64,
            #[serde(rename = "resourceId")]
            resource_id: Uuid,
        }

        let claims: Claims = payload.claims()?;
        let holder = if claims.skypeid.starts_with("orgid:") {
            let [key] = payload.counters()?;
            Holder::TeamsUser { key: KeyNumber(key) }
        } else if let Some(access) = Access::of_skype_id(&claims.skypeid) {
            let [assignment] = payload.counters()?;
            Holder::AssignedUser { access, assignment }
        } else {
            Holder::User {
                id: IdentityId::parse_skype_id(&claims.skypeid)?,
                counters: UserCounters::read(payload)?,
            }
        };
        Some(Self {
            holder,
            resource_id: claims.resource_id,
            exp: claims.exp,
        })
    }
}
