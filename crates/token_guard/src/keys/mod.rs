//! The keys of an issuer: fetched when they are needed, by one request at a time, and kept.

pub(crate) mod address;
pub(crate) mod fetch;
mod fetch_error;
mod key_set;
pub(crate) mod lifetime;
mod state;
mod store;
mod verifying_key;

pub(crate) use store::KeyStore;
pub(crate) use verifying_key::VerifyingKey;
