//! The tokens that the emulator issues and checks.

mod access_token;
mod entra_token;
mod entra_validation;
mod jwt;
mod signing_key;
mod token_key;
mod whitespace_counters;

pub use entra_token::{EntraToken, EntraTokenKind, EntraTokenRequest};
pub use signing_key::TokenAlgorithm;
pub use token_key::TokenKey;

pub(crate) use access_token::{AccessToken, Holder, IssuedToken, IssuedTokens, Issuer, UserCounters};
pub(crate) use entra_validation::{
    ENTRA_USER_AUDIENCES, EntraTokenError, EntraUserClaims, SERVICE_AUDIENCES, Signatures, TEAMS_AUDIENCES,
    TEAMS_EXTENSION_AUDIENCES, TeamsUserClaims, validate,
};
pub(crate) use jwt::{Jwt, Payload};
pub(crate) use signing_key::{Jwk, SigningKey};
pub(crate) use token_key::KeyGenerationGuard;
