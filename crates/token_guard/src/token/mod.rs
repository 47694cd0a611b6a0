//! A token: its parts, and the rules that it must meet.

mod audience;
mod claims;
mod jws;
mod rules;

pub(crate) use audience::AudienceRule;
pub(crate) use claims::{ClaimNames, Claims, Identity};
pub use jws::TokenType;
pub(crate) use jws::{Header, Jws};
pub(crate) use rules::{IssuerRule, Rules, StandardIssuer, VerifiedToken};
