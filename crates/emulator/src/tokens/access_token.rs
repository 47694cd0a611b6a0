//! Access tokens of the service, which admit clients to chat and calling.
//!
//! Names, order and values of the claims are those of the service's own tokens. The format is not a contract, so it is
//! as observed: in users' tokens since 2023 and Teams users' tokens since 2024.

use crate::{
    assigned_user::AssignedUser,
    identity_id::IdentityId,
    timestamp,
    tokens::{SigningKey, TeamsUserClaims, jwt, number},
};
use aws_lc_rs::error::Unspecified;
use serde::Serialize;
use std::fmt::{self, Debug, Formatter};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// The region of the emulator's resource.
const REGION: &str = "amer";
const RESOURCE_LOCATION: &str = "unitedstates";

/// A token and when it expires, in the service's JSON form. `Debug` does not show the token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessToken {
    token: String,
    #[serde(serialize_with = "timestamp::serialize")]
    expires_on: OffsetDateTime,
}

impl Debug for AccessToken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires_on", &self.expires_on)
            .finish_non_exhaustive()
    }
}

/// Issues tokens at one moment.
pub(crate) struct Issuer<'a> {
    pub(crate) key: &'a SigningKey,
    pub(crate) resource_id: Uuid,
    pub(crate) now: OffsetDateTime,
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
    /// Signs a token of a communication user. `serial` tells the tokens of one identity apart.
    pub(crate) fn user_token(
        &self,
        id: IdentityId,
        serial: u64,
        scopes: &[String],
        lifetime: Duration,
    ) -> Result<AccessToken, Unspecified> {
        self.acs_token(id.skype_id(), serial, scopes.join(","), self.now + lifetime)
    }

    /// Signs a token of a user whom the assignment with this number admits. It expires with the Entra ID token that it
    /// is exchanged for.
    pub(crate) fn assigned_user_token(
        &self,
        user: &AssignedUser,
        assignment: u64,
        scopes: &[&str],
        expires_on: OffsetDateTime,
    ) -> Result<AccessToken, Unspecified> {
        self.acs_token(user.skype_id(), assignment, scopes.join(","), expires_on)
    }

    /// Signs a token that carries a number as white space.
    fn acs_token(
        &self,
        skypeid: String,
        number: u64,
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
        let mut claims = serde_json::to_vec(&claims).map_err(|_| Unspecified)?;
        claims.extend(number::to_whitespace(number));
        Ok(AccessToken {
            token: jwt::sign(&claims, self.key)?,
            expires_on,
        })
    }

    /// Signs a token of a Teams user, which expires with the Entra ID token that it is exchanged for.
    pub(crate) fn teams_user_token(&self, entra: &TeamsUserClaims) -> Result<AccessToken, Unspecified> {
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
        let claims = serde_json::to_vec(&claims).map_err(|_| Unspecified)?;
        Ok(AccessToken {
            token: jwt::sign(&claims, self.key)?,
            expires_on: entra.exp,
        })
    }
}
