//! The tokens that the emulator issues and checks.

mod access_token;
mod entra;
mod entra_check;
mod entra_claims;
mod entra_kind;
mod issued_token;
mod jwt;
mod kept_key;
mod key;
mod numbers;
mod payload;
mod permissions;
mod signing_key;

pub use entra::{EntraToken, EntraTokenRequest};
pub use entra_kind::EntraTokenKind;
pub use key::{TokenAlgorithm, TokenKey};

pub(crate) use access_token::{AccessToken, IssuedTokens, Issuer, UserNumbers};
pub(crate) use entra_check::{
    ENTRA_USER_AUDIENCES, EntraTokenError, SERVICE_AUDIENCES, Signatures, TEAMS_AUDIENCES, TEAMS_EXTENSION_AUDIENCES,
    check,
};
pub(crate) use entra_claims::{EntraUserClaims, TeamsUserClaims};
pub(crate) use issued_token::{Holder, IssuedToken};
pub(crate) use jwt::Jwt;
pub(crate) use key::KeyGenerated;
pub(crate) use payload::Payload;
pub(crate) use signing_key::{Jwk, SigningKey};
