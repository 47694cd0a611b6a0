//! The options of the client's operations, one type for each.

use azure_core::{fmt::SafeDebug, http::ClientMethodOptions, time::Duration};

/// Options for [`create_user`](crate::CommunicationIdentityClient::create_user).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientCreateUserOptions<'a> {
    /// An id of your own for the user, of 1 to 256 characters: a creation with an id that is taken answers the user that
    /// has it. A preview feature of the service: set the client's `api_version` to `2025-03-02-preview`.
    ///
    /// A client sends creations with the same custom id one after another, and at most once as others: the service has been
    /// seen to create several users when they came at the same time, and to refuse the custom id from then on. Creations of
    /// several processes are yours to keep apart. After one whose outcome is not known, create the user again with the same
    /// id; if it timed out or was dropped, leave the service some time first, as it may still be at it.
    pub custom_id: Option<String>,
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`create_user_and_token`](crate::CommunicationIdentityClient::create_user_and_token).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientCreateUserAndTokenOptions<'a> {
    /// An id of your own for the user, of 1 to 256 characters: a creation with an id that is taken answers the user that
    /// has it. A preview feature of the service: set the client's `api_version` to `2025-03-02-preview`.
    ///
    /// A client sends creations with the same custom id one after another, and at most once as others: the service has been
    /// seen to create several users when they came at the same time, and to refuse the custom id from then on. Creations of
    /// several processes are yours to keep apart. After one whose outcome is not known, create the user again with the same
    /// id; if it timed out or was dropped, leave the service some time first, as it may still be at it.
    pub custom_id: Option<String>,
    /// When the token expires: after a whole number of minutes from 1 hour to 24 hours. The service's default is
    /// 24 hours.
    pub token_expires_in: Option<Duration>,
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`get_user`](crate::CommunicationIdentityClient::get_user).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientGetUserOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`get_token`](crate::CommunicationIdentityClient::get_token).
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationIdentityClientGetTokenOptions<'a> {
    /// When the token expires: after a whole number of minutes from 1 hour to 24 hours. The service's default is
    /// 24 hours.
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
