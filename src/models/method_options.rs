//! The options of the client's operations, one type for each.

use azure_core::{fmt::SafeDebug, http::ClientMethodOptions, time::Duration};

/// Options for [`create_user`](crate::CommunicationIdentityClient::create_user).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientCreateUserOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`create_user_and_token`](crate::CommunicationIdentityClient::create_user_and_token).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientCreateUserAndTokenOptions<'a> {
    /// The lifetime of the token: a whole number of minutes from 1 hour to 24 hours. The service's default is 24 hours.
    pub token_expires_in: Option<Duration>,
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`get_token`](crate::CommunicationIdentityClient::get_token).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientGetTokenOptions<'a> {
    /// The lifetime of the token: a whole number of minutes from 1 hour to 24 hours. The service's default is 24 hours.
    pub token_expires_in: Option<Duration>,
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`revoke_tokens`](crate::CommunicationIdentityClient::revoke_tokens).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientRevokeTokensOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`delete_user`](crate::CommunicationIdentityClient::delete_user).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientDeleteUserOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`get_token_for_teams_user`](crate::CommunicationIdentityClient::get_token_for_teams_user).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientGetTokenForTeamsUserOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`get_token_for_teams_extension_user`](crate::CommunicationIdentityClient::get_token_for_teams_extension_user).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientGetTokenForTeamsExtensionUserOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`get_teams_extension_assignment`](crate::CommunicationIdentityClient::get_teams_extension_assignment).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientGetTeamsExtensionAssignmentOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`create_or_replace_teams_extension_assignment`](crate::CommunicationIdentityClient::create_or_replace_teams_extension_assignment).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientCreateOrReplaceTeamsExtensionAssignmentOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`delete_teams_extension_assignment`](crate::CommunicationIdentityClient::delete_teams_extension_assignment).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientDeleteTeamsExtensionAssignmentOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}
