//! The service: its operations, and what applies to every request.

mod access_tokens;
mod answer;
mod api_version;
mod assignments;
mod authentication;
mod bearer;
mod body;
mod error;
mod exchanges;
mod guid;
mod headers;
mod identities;
mod identity;
#[cfg(test)]
mod limit_tests;
mod path;
mod raw_id;
mod router;
mod teams_user;
mod user_authentication;
mod withdrawn_versions;

pub(crate) use answer::{Answer, ConcernedIdentity};
pub(crate) use body::RequestBody;
pub(crate) use error::{Refusal, ServiceError};
pub(crate) use headers::Answering;
pub(crate) use identity::Identity;
pub(crate) use router::router;
pub use withdrawn_versions::UnknownVersion;
pub(crate) use withdrawn_versions::WithdrawnVersions;
