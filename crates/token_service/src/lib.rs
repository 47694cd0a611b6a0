// The snippet is compiled by tests/readme.rs.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod acs;
mod directory;
mod error;
mod layers;
mod metrics;
mod policy;
mod rate_limit;
mod resource;
mod routes;
mod seal;
mod service;
mod service_limits;
mod store;
mod teams;
mod user;

pub use directory::{Swept, VerifyError};
pub use metrics::ConnectionMetrics;
pub use policy::{PolicyError, RuleHolder, TokenPolicy, TokenRule};
pub use resource::ResourceMismatch;
pub use seal::{CredentialFingerprint, InvalidSealingKey, SealingKeys};
pub use service::{TokenService, TokenServiceBuilder};
pub use service_limits::ServiceLimits;
pub use store::{LeftIdentity, Store, StoreError, StoreErrorKind};
pub use teams::TeamsExchange;
pub use user::UserIdClaims;
