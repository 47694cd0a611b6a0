//! Who takes part in a communication.

mod communication_user;

pub use communication_user::CommunicationUserIdentifier;
