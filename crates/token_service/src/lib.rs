// The snippet is compiled by tests/readme.rs.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod acs;
mod admin;
mod audit;
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
mod trace;
mod user;

pub use admin::{Admin, AdminAccess, AdminError, AssignmentRecord, DeletionPage, UserExport, UserPage};
pub use directory::{Swept, VerifyError};
pub use metrics::ConnectionMetrics;
pub use policy::{PolicyError, RuleHolder, TokenPolicy, TokenRule};
pub use resource::ResourceMismatch;
pub use seal::{CredentialFingerprint, InvalidSealingKey, SealingKeys};
pub use service::{TokenService, TokenServiceBuilder};
pub use service_limits::ServiceLimits;
pub use store::{DueDeletion, LeftIdentity, Store, StoreError, StoreErrorKind, UserRecord};
pub use teams::{TeamsExchange, TeamsPhoneExchange};
pub use trace::TraceHeaders;
pub use user::UserIdClaims;
