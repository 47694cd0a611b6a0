// The snippets are compiled and run by tests/readme.rs, which gives them a client.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod client;
mod credential;
mod error;
mod identifier;
mod jwt;
pub mod models;
mod pipeline;
mod policies;
mod requests;
mod runtime;
mod service;

pub use auth::{AzureKeyCredential, ConnectionString, access_key_policy};
pub use client::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
pub use credential::{
    CommunicationTokenCredential, CommunicationTokenCredentialOptions, EntraCommunicationTokenCredentialOptions,
};
pub use error::{
    CommunicationError, CommunicationErrorCode, CommunicationErrorDetail, UserWithoutToken, creation_outcome_unknown,
};
pub use identifier::{
    CommunicationCloudEnvironment, CommunicationIdentifier, CommunicationUserIdentifier, MicrosoftTeamsAppIdentifier,
    MicrosoftTeamsUserIdentifier, PhoneNumberIdentifier, TeamsExtensionUserIdentifier, TeamsExtensionUserParts,
    UnknownIdentifier,
};
pub use models::{
    CommunicationAccessToken, CommunicationTokenScope, CommunicationUserAndToken, ExchangedAccessToken,
    TeamsExtensionAssignment, TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
    TeamsUserTokenRequest, UnverifiedTokenClaims,
};

#[cfg(test)]
#[path = "../tests/support/fake_service.rs"]
mod fake_service;
