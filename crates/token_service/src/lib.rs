//! The trusted service between an app and Azure Communication Services.

mod store;
mod user;
