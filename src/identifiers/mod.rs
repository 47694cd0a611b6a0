//! Identifiers of the participants of a communication.

mod cloud;
mod identifier;
mod json;
mod phone;
mod raw_id;
mod teams;
mod user;

pub use cloud::CommunicationCloudEnvironment;
pub use identifier::CommunicationIdentifier;
pub use phone::PhoneNumberIdentifier;
pub use raw_id::UnknownIdentifier;
pub use teams::{
    MicrosoftTeamsAppIdentifier, MicrosoftTeamsUserIdentifier, TeamsExtensionUserIdentifier, TeamsExtensionUserParts,
};
pub use user::CommunicationUserIdentifier;
