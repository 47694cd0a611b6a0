//! A token: its parts, and what is asked of it.

pub(crate) mod audience;
pub(crate) mod claims;
pub(crate) mod jws;
pub(crate) mod rules;
