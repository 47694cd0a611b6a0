//! Who takes part in a communication.

mod by_raw_id;
mod cloud;
mod communication_identifier;
mod communication_user;
mod json;
mod microsoft_teams_app;
mod microsoft_teams_user;
mod parse;
mod phone_number;
mod teams_extension_user;
mod unknown;

pub use cloud::CommunicationCloudEnvironment;
pub use communication_identifier::CommunicationIdentifier;
pub use communication_user::CommunicationUserIdentifier;
pub use microsoft_teams_app::MicrosoftTeamsAppIdentifier;
pub use microsoft_teams_user::MicrosoftTeamsUserIdentifier;
pub use phone_number::PhoneNumberIdentifier;
pub use teams_extension_user::{TeamsExtensionUserIdentifier, TeamsExtensionUserParts};
pub use unknown::UnknownIdentifier;
