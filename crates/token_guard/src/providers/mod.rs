//! Guards for the tokens of particular issuers.

pub(crate) mod entra;
pub(crate) mod logto;
