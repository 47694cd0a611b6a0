//! How a request proves where it comes from: an access key's signature or an Entra token.

mod clock;
mod connection_string;
mod credential;
mod endpoint;
mod entra;
mod hmac_policy;
mod key_credential;
mod signing;

pub(crate) use clock::Clock;
pub(crate) use connection_string::ConnectionString;
pub(crate) use credential::Credential;
pub(crate) use endpoint::{Plaintext, parse_endpoint};
pub(crate) use entra::check_scope;
pub use key_credential::AzureKeyCredential;
