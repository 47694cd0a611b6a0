//! The trusted service between an app and Azure Communication Services.

mod store;
mod user;

pub use store::{Store, StoreError, StoreErrorKind};
