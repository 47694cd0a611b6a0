//! What is asked of the service, and what it answers.

mod access_token;
mod json;
mod lifetime;
mod method_options;
mod scope;
mod teams;
mod user;

pub use access_token::CommunicationAccessToken;
pub(crate) use lifetime::lifetime_in_minutes;
pub use method_options::{
    CommunicationIdentityClientCreateUserAndTokenOptions, CommunicationIdentityClientCreateUserOptions,
    CommunicationIdentityClientDeleteUserOptions, CommunicationIdentityClientGetTokenForTeamsUserOptions,
    CommunicationIdentityClientGetTokenOptions, CommunicationIdentityClientRevokeTokensOptions,
};
pub use scope::CommunicationTokenScope;
pub use teams::TeamsUserTokenRequest;
pub use user::{CommunicationUserAndToken, IdentityFormat};
