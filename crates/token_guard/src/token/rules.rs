//! The rules that a token must meet.

use crate::{
    error::{Denial, GuardError, TokenFault},
    keys::VerifyingKey,
    token::{
        audience::AudienceRule,
        claims::{Claims, Identity},
        jws::{Header, TokenType},
    },
};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// The rules of one issuer: its names, and its claims.
pub(crate) trait IssuerRule: fmt::Debug + Send + Sync {
    /// Returns whether a token with this `iss` is the issuer's.
    fn accepts(&self, issuer: &str) -> bool;

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
    fn check_permissions(&self, identity: &Identity) -> Result<(), Denial>;
}

/// A single issuer that follows [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068).
#[derive(Debug)]
pub(crate) struct StandardIssuer(pub(crate) String);

impl IssuerRule for StandardIssuer {
    fn accepts(&self, issuer: &str) -> bool {
        issuer == self.0
    }

    fn identify(&self, standard: Identity, _: &str, _: &Claims, _: &VerifyingKey) -> Result<Identity, TokenFault> {
        Ok(standard)
    }

    fn check_permissions(&self, _: &Identity) -> Result<(), Denial> {
        Ok(())
    }
}

/// All rules for a token, except that a key of the issuer must have signed it.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: Arc<dyn IssuerRule>,
    pub(crate) audience: AudienceRule,
    pub(crate) forbid_other_audiences: bool,
    pub(crate) token_type: TokenType,
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

    /// Checks claims whose signature by `key` is valid.
    pub(crate) fn check(
        &self,
        claims: Claims,
        key: &VerifyingKey,
        now: SystemTime,
    ) -> Result<VerifiedToken, GuardError> {
        // The proof of possession of that key would come with the request (RFC 8705, RFC 9449).
        if claims.get("cnf").is_some() {
            return Err(TokenFault::SenderConstrained.into());
        }
        let issuer = self.check_issuer(&claims)?;
        let audiences = claims.list("aud")?;
        let standard = Identity::from_claims(&claims)?;
        let identity = self.issuer.identify(standard, issuer, &claims, key)?;
        let expires_at = self.check_times(&claims, now)?;
        let organization_id = claims.text("organization_id")?;
        let organization_id = self
            .audience
            .organization(&audiences, organization_id, self.forbid_other_audiences)?;
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
}
