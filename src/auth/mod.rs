//! How a request proves where it comes from: an access key's signature or an Entra token.

mod clock;
mod connection_string;
mod credential;
mod date;
mod endpoint;
mod entra;
mod key_credential;
mod policy;
mod signer;
mod signing;
mod signing_clock;

pub(crate) use clock::Clock;
#[cfg(test)]
pub(crate) use clock::MovedClock;
pub(crate) use connection_string::ConnectionString;
pub(crate) use credential::Credential;
pub(crate) use endpoint::{Plaintext, parse_endpoint};
pub(crate) use entra::{DistinctCredential, check_scope};
pub use key_credential::AzureKeyCredential;
pub(crate) use policy::{AuthenticationPolicy, UserToken};
