//! Authentication: access keys and their signatures, Entra tokens, connection strings and endpoints.

mod connection_string;
mod credential;
mod key;
mod policy;
mod signature;

pub use connection_string::ConnectionString;
pub(crate) use connection_string::parse_endpoint;
pub(crate) use credential::{Credential, DistinctCredential, UserToken};
pub use key::AzureKeyCredential;
pub use policy::access_key_policy;
