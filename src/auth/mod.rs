//! Authentication: access keys and their signatures, Entra tokens, connection strings and endpoints.

mod clock;
mod connection_string;
mod credential;
mod date;
mod endpoint;
mod entra;
mod key_credential;
mod signer;
mod signing;

pub(crate) use clock::Clock;
#[cfg(test)]
pub(crate) use clock::MovedClock;
pub use connection_string::ConnectionString;
pub(crate) use credential::{AuthenticationPolicy, CredentialKind, UserToken};
pub(crate) use endpoint::{Plaintext, parse_endpoint};
pub(crate) use entra::{DistinctCredential, check_scope};
pub use key_credential::AzureKeyCredential;
pub use signer::access_key_policy;
