//! Access keys, and the signatures that clients make with them.

mod access_keys;
mod control_token;
mod redaction;
pub mod signature;

pub use access_keys::AccessKeyKind;
pub(crate) use access_keys::{AccessKeys, KeyNumber, NumberedKey};
pub(crate) use control_token::ControlToken;
pub use control_token::InvalidControlToken;
