//! The rules that a token must meet.

use crate::{
    algorithm::Algorithm,
    error::{Denial, GuardError, TokenFault},
    keys::VerifyingKey,
    token::{
        audience::AudienceRule,
        claims::{ClaimNames, Claims, Identity},
        jws::{Header, TokenType},
    },
};
use serde_json::Value;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// The rules of one issuer: its names, and its claims.
pub(crate) trait IssuerRule: fmt::Debug + Send + Sync {
    /// Returns whether a token with this `iss` is the issuer's.
    fn accepts(&self, issuer: &str) -> bool;

    /// Returns whether a token with these claims, which are not verified, may be the issuer's. `issuer` is its `iss`.
    fn may_be_of(&self, _claims: &Claims, issuer: &str) -> bool {
        self.accepts(issuer)
    }

    /// Returns the accepted `iss`, for a log.
    fn names(&self) -> Vec<String>;

    /// Returns the subject of a token without one, for an issuer whose tokens need none.
    fn default_subject(&self) -> Option<&str> {
        None
    }

    /// Returns whether [`ClaimNames::application`] decides which tokens are those of applications.
    fn reads_application_claims(&self) -> bool {
        true
    }

    /// Checks claims that only this issuer has, and completes the identity that the standard claims describe. The
    /// signature by `key` is valid, and `issuer` is accepted.
    fn identify(
        &self,
        standard: Identity,
        issuer: &str,
        claims: &Claims,
        key: &VerifyingKey,
    ) -> Result<Identity, TokenFault>;

    /// Refuses an identity that this issuer gives no permission. Called last, as the token is valid.
    fn check_permissions(&self, _: &Identity) -> Result<(), Denial> {
        Ok(())
    }
}

/// A single issuer that follows [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068).
#[derive(Debug)]
pub(crate) struct StandardIssuer(pub(crate) String);

impl IssuerRule for StandardIssuer {
    fn accepts(&self, issuer: &str) -> bool {
        issuer == self.0
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.clone()]
    }

    fn identify(&self, standard: Identity, _: &str, _: &Claims, _: &VerifyingKey) -> Result<Identity, TokenFault> {
        Ok(standard)
    }
}

/// All rules for a token, except that a key of the issuer must have signed it.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: Arc<dyn IssuerRule>,
    pub(crate) audience: AudienceRule,
    pub(crate) forbid_other_audiences: bool,
    /// The clients whose tokens are accepted, if not those of all clients.
    pub(crate) allowed_clients: Option<Vec<String>>,
    pub(crate) token_type: TokenType,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) names: ClaimNames,
    pub(crate) leeway: Duration,
}

/// The content of a token that meets all rules.
pub(crate) struct VerifiedToken {
    pub(crate) identity: Identity,
    pub(crate) organization_id: Option<String>,
    pub(crate) expires_at: SystemTime,
    pub(crate) claims: Claims,
}

impl Rules {
    /// Checks the header before the key that it names is looked up.
    pub(crate) fn check_header(&self, header: &Header) -> Result<(), TokenFault> {
        header.check(self.token_type)
    }

    /// Checks `iss`. Called before the signature is checked, too, so that tokens of other issuers cause no fetch.
    pub(crate) fn check_issuer<'a>(&self, claims: &'a Claims) -> Result<&'a str, TokenFault> {
        let issuer = claims.text("iss")?.filter(|issuer| self.issuer.accepts(issuer));
        issuer.ok_or(TokenFault::Issuer)
    }

    /// Checks claims whose signature by `key` is valid. The header is accepted.
    pub(crate) fn check(
        &self,
        header: &Header,
        claims: Claims,
        key: &VerifyingKey,
        now: SystemTime,
    ) -> Result<VerifiedToken, GuardError> {
        // The proof of possession of that key would come with the request (RFC 8705, RFC 9449).
        if claims.get("cnf").is_some() {
            return Err(TokenFault::SenderConstrained.into());
        }
        let issuer = self.check_issuer(&claims)?;
        if !header.is_access_token() {
            check_kind(&claims)?;
        }
        let standard = Identity::from_claims(&claims, &self.names, self.issuer.default_subject())?;
        let identity = self.issuer.identify(standard, issuer, &claims, key)?;
        let expires_at = self.check_times(&claims, now)?;
        let organization_id = self.audience.organization(&claims, self.forbid_other_audiences)?;
        self.check_client(&identity)?;
        self.issuer.check_permissions(&identity)?;
        Ok(VerifiedToken {
            identity,
            organization_id,
            expires_at,
            claims,
        })
    }

    /// Checks the times of the token, and returns its expiry.
    fn check_times(&self, claims: &Claims, now: SystemTime) -> Result<SystemTime, TokenFault> {
        let latest = now.checked_add(self.leeway).ok_or(TokenFault::Malformed)?;
        let expires_at = claims.time("exp")?.ok_or(TokenFault::Expired)?;
        let refused_at = expires_at.checked_add(self.leeway).ok_or(TokenFault::Malformed)?;
        if refused_at <= now {
            return Err(TokenFault::Expired);
        }
        for claim in ["nbf", "iat"] {
            if claims.time(claim)?.is_some_and(|time| time > latest) {
                return Err(TokenFault::NotYetValid);
            }
        }
        Ok(expires_at)
    }

    fn check_client(&self, identity: &Identity) -> Result<(), Denial> {
        let Some(allowed) = &self.allowed_clients else {
            return Ok(());
        };
        let is_allowed = identity.client_id.as_ref().is_some_and(|id| allowed.contains(id));
        is_allowed.then_some(()).ok_or(Denial::Client)
    }
}

/// Refuses tokens that are not access tokens but have the same `typ`. [`TokenType::Jwt`] has the sources.
fn check_kind(claims: &Claims) -> Result<(), TokenFault> {
    let has_hash = ["at_hash", "c_hash", "s_hash"]
        .iter()
        .any(|name| claims.get(name).is_some());
    let has_events = claims.get("events").is_some_and(Value::is_object);
    let of_cognito = claims
        .text_at("token_use")
        .is_some_and(|token_use| token_use != "access");
    let of_keycloak = claims.text_at("typ").is_some_and(|typ| {
        let others = ["ID", "Refresh", "Offline", "Logout"];
        others.iter().any(|other| other.eq_ignore_ascii_case(typ))
    });
    if has_hash || has_events || of_cognito || of_keycloak {
        return Err(TokenFault::NotAnAccessToken);
    }
    Ok(())
}
