// The snippets are compiled and run by tests/emulator/readme.rs, which gives them a client.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod client;
mod constants;
mod credential;
mod error;
mod identifiers;
pub mod models;
mod options;
mod pipeline;
mod requests;

pub use auth::{AzureKeyCredential, ConnectionString, access_key_policy};
pub use client::CommunicationIdentityClient;
pub use credential::{
    CommunicationTokenCredential, CommunicationTokenCredentialOptions, EntraCommunicationTokenCredentialOptions,
};
pub use error::{
    CommunicationError, CommunicationErrorCode, CommunicationErrorDetail, creation_outcome_unknown,
    with_creation_outcome_unknown,
};
pub use identifiers::{
    CommunicationCloudEnvironment, CommunicationIdentifier, CommunicationUserIdentifier, MicrosoftTeamsAppIdentifier,
    MicrosoftTeamsUserIdentifier, PhoneNumberIdentifier, TeamsExtensionUserIdentifier, TeamsExtensionUserParts,
    UnknownIdentifier,
};
pub use models::{
    CommunicationAccessToken, CommunicationTokenScope, CommunicationUserAndToken, ExchangedAccessToken,
    TeamsExtensionAssignment, TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
    TeamsUserTokenRequest, UnverifiedTokenClaims, UserWithoutToken,
};
pub use options::CommunicationIdentityClientOptions;
#[cfg(any(feature = "hyper", feature = "reqwest"))]
pub use pipeline::default_transport;

#[cfg(test)]
#[path = "../tests/support/fake_service.rs"]
mod fake_service;
