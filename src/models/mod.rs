//! What is asked of the service, and what it answers.

mod access_token;
mod exchanged_token;
mod json;
mod lifetime;
mod method_options;
mod scope;
mod teams;
mod teams_extension;
mod token_claims;
mod user;

pub use access_token::CommunicationAccessToken;
pub use exchanged_token::ExchangedAccessToken;
pub(crate) use lifetime::lifetime_in_minutes;
pub use method_options::{
    CommunicationIdentityClientCreateOrReplaceTeamsExtensionAssignmentOptions,
    CommunicationIdentityClientCreateUserAndTokenOptions, CommunicationIdentityClientCreateUserOptions,
    CommunicationIdentityClientDeleteTeamsExtensionAssignmentOptions, CommunicationIdentityClientDeleteUserOptions,
    CommunicationIdentityClientGetTeamsExtensionAssignmentOptions,
    CommunicationIdentityClientGetTokenForTeamsExtensionUserOptions,
    CommunicationIdentityClientGetTokenForTeamsUserOptions, CommunicationIdentityClientGetTokenOptions,
    CommunicationIdentityClientRevokeTokensOptions,
};
pub use scope::CommunicationTokenScope;
pub(crate) use scope::require_scopes;
pub use teams::TeamsUserTokenRequest;
pub use teams_extension::{
    TeamsExtensionAssignment, TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
};
pub use token_claims::UnverifiedTokenClaims;
pub use user::{CommunicationUserAndToken, IdentityFormat};
