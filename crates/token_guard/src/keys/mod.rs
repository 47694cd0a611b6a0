//! The keys of an issuer.

mod cache;
mod fetch;
mod key_set;
mod store;

pub(crate) use fetch::{Fetcher, KeySource};
pub(crate) use key_set::VerifyingKey;
pub(crate) use store::KeyStore;
