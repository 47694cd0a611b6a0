//! What a token has to be.

use super::{
    audience::AudienceRule,
    claims::{self, Claims},
    jws::Header,
};
use crate::{
    bearer::BearerToken,
    caller::{Caller, Contents},
    error::{Denial, GuardError, TokenFault},
    keys::VerifyingKey,
    providers::entra::Tenants,
};
use std::time::{Duration, SystemTime};

/// The type of a token, which its header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType {
    /// An access token of [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068#section-4): `at+jwt` or
    /// `application/at+jwt`. No other token of the issuer has this type.
    AccessToken,
    /// Any of these: `at+jwt`, `application/at+jwt`, `JWT`. For issuers that do not follow RFC 9068: whether a token is
    /// an access token, only its audience tells then.
    Jwt,
}

impl TokenType {
    fn accepts(self, typ: &str) -> bool {
        // Media types are the same in any case, and `application/` may be left out.
        let typ = typ.to_ascii_lowercase();
        match typ.strip_prefix("application/").unwrap_or(&typ) {
            "at+jwt" => true,
            "jwt" => self == Self::Jwt,
            _ => false,
        }
    }
}

/// Who issues the tokens.
#[derive(Clone, Debug)]
pub(crate) enum IssuerRule {
    /// Exactly this issuer.
    Is(String),
    /// These tenants of Entra ID.
    Entra(Tenants),
}

/// All that is asked of a token, besides a signature by a key of the issuer.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: IssuerRule,
    pub(crate) audience: AudienceRule,
    pub(crate) forbid_other_audiences: bool,
    pub(crate) token_type: TokenType,
    pub(crate) leeway: Duration,
}

impl Rules {
    /// Checks a header, before a key is looked for.
    pub(crate) fn check_header(&self, header: &Header) -> Result<(), TokenFault> {
        if header.crit {
            return Err(TokenFault::CriticalHeader);
        }
        if !header.typ.as_deref().is_some_and(|typ| self.token_type.accepts(typ)) {
            return Err(TokenFault::Type);
        }
        Ok(())
    }

    /// Checks whose token it is, before a key is looked for: anybody can write so, but those that do not are refused
    /// without a fetch.
    pub(crate) fn check_issuer<'a>(&self, claims: &'a Claims) -> Result<&'a str, TokenFault> {
        let issuer = claims::text(claims, "iss")?.ok_or(TokenFault::Issuer)?;
        let ours = match &self.issuer {
            IssuerRule::Is(expected) => issuer == expected,
            IssuerRule::Entra(tenants) => tenants.are_issuers(issuer),
        };
        ours.then_some(issuer).ok_or(TokenFault::Issuer)
    }

    /// Checks claims whose signature is valid, and says who is calling.
    pub(crate) fn check(
        &self,
        token: BearerToken,
        claims: Claims,
        key: &VerifyingKey,
        now: SystemTime,
    ) -> Result<Caller, GuardError> {
        // Proof of possession of that key would have to come with the request (RFC 8705, RFC 9449).
        if claims.contains_key("cnf") {
            return Err(TokenFault::SenderConstrained.into());
        }
        let issuer = self.check_issuer(&claims)?;
        let audiences = claims::list(&claims, "aud")?;
        let subject = claims::text(&claims, "sub")?.filter(|subject| !subject.is_empty());
        let subject = subject.ok_or(TokenFault::Subject)?.to_owned();
        let mut client_id = claims::text(&claims, "client_id")?.map(str::to_owned);
        let mut scopes = claims::words(&claims, "scope")?;
        let roles = claims::list(&claims, "roles")?;
        if let IssuerRule::Entra(tenants) = &self.issuer {
            tenants.check(issuer, claims::text(&claims, "tid")?, key)?;
            scopes = claims::words(&claims, "scp")?;
            client_id = Some(Tenants::client_id(&claims)?);
        }
        let is_application = match &self.issuer {
            IssuerRule::Is(_) => client_id.as_ref() == Some(&subject),
            IssuerRule::Entra(_) => claims::text(&claims, "idtyp")?.map_or(scopes.is_empty(), |kind| kind == "app"),
        };
        let expires_at = self.check_times(&claims, now)?;
        let organization_id = claims::text(&claims, "organization_id")?;
        let organization_id = self
            .audience
            .organization(&audiences, organization_id, self.forbid_other_audiences)?;
        if matches!(self.issuer, IssuerRule::Entra(_)) && scopes.is_empty() && roles.is_empty() {
            return Err(Denial::NoPermission.into());
        }
        Ok(Caller::new(Contents {
            token,
            subject,
            client_id,
            is_application,
            organization_id,
            scopes,
            roles,
            expires_at,
            claims,
        }))
    }

    /// Checks when the token is valid, and says until when.
    fn check_times(&self, claims: &Claims, now: SystemTime) -> Result<SystemTime, TokenFault> {
        let latest = now.checked_add(self.leeway).ok_or(TokenFault::Malformed)?;
        let expires_at = claims::time(claims, "exp")?.ok_or(TokenFault::Expired)?;
        let refused_at = expires_at.checked_add(self.leeway).ok_or(TokenFault::Malformed)?;
        if refused_at <= now {
            return Err(TokenFault::Expired);
        }
        for claim in ["nbf", "iat"] {
            if claims::time(claims, claim)?.is_some_and(|time| time > latest) {
                return Err(TokenFault::NotYetValid);
            }
        }
        Ok(expires_at)
    }
}
