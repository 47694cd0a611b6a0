//! Models: the arguments of the client's operations, and their results.

mod claims;
mod json;
mod method_options;
mod scope;
mod teams_extension;
mod tokens;
mod users;

pub use claims::UnverifiedTokenClaims;
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
pub use teams_extension::{
    TeamsExtensionAssignment, TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
};
pub(crate) use tokens::lifetime_in_minutes;
pub use tokens::{CommunicationAccessToken, ExchangedAccessToken, TeamsUserTokenRequest};
pub use users::{CommunicationUserAndToken, IdentityFormat, UserWithoutToken};
