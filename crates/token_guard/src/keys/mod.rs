//! The keys of an issuer.

mod cache;
mod fetch;
mod key_set;
mod store;

pub(crate) use fetch::{Fetcher, KeySource, PlainHttp};
pub(crate) use key_set::{KeyHint, KeySet, VerifyingKey};
pub(crate) use store::{IssuerKeys, KeyStore};
