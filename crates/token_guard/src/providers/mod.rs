//! Guards for the tokens of particular providers.

mod entra;
mod logto;

pub use entra::EntraApi;
pub use logto::LogtoPermissions;
