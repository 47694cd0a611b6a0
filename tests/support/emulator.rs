//! The emulator in the place of the service.

#[path = "../../samples/support/mod.rs"]
mod samples;

pub(crate) use samples::{EmulatorCredential, UserCredential, emulator_options};

use super::operation::Subject;
use acs_identity_emulator::{Emulator, EmulatorBuilder, EntraTokenRequest, TokenAlgorithm};
use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationIdentityClientOptions, TeamsUserTokenRequest,
};

/// Returns a builder of an emulator that accepts only the documented form of a signature.
pub(crate) fn strict() -> EmulatorBuilder {
    Emulator::builder().strict(true).token_algorithm(TokenAlgorithm::Es256)
}

/// Starts one.
pub(crate) async fn start() -> Emulator {
    strict().start().await.unwrap()
}

/// Creates a client with the access key, over http and without retries.
pub(crate) fn client(emulator: &Emulator) -> CommunicationIdentityClient {
    client_with(emulator, options(emulator))
}

/// Creates a client with the access key, over http.
pub(crate) fn client_with(
    emulator: &Emulator,
    options: CommunicationIdentityClientOptions,
) -> CommunicationIdentityClient {
    CommunicationIdentityClient::with_connection_string(&emulator.connection_string(), Some(options)).unwrap()
}

/// Creates a client with the access key, over https and without retries.
pub(crate) fn https_client(emulator: &Emulator) -> CommunicationIdentityClient {
    let connection_string = emulator.https_connection_string();
    CommunicationIdentityClient::with_connection_string(&connection_string, Some(options(emulator))).unwrap()
}

/// Returns options for an emulator: its transport, and no retries.
pub(crate) fn options(emulator: &Emulator) -> CommunicationIdentityClientOptions {
    emulator_options(emulator).unwrap()
}

/// Signs in a Teams user.
pub(crate) async fn teams_user(emulator: &Emulator) -> TeamsUserTokenRequest {
    let issued = emulator
        .mint_entra_token(&EntraTokenRequest::teams_user())
        .await
        .unwrap();
    TeamsUserTokenRequest {
        token: issued.token.into(),
        client_id: issued.app_id.to_string(),
        user_object_id: issued.user_id.to_string(),
    }
}

/// Creates a user, and signs in a Teams user.
pub(crate) async fn subject(emulator: &Emulator, client: &CommunicationIdentityClient) -> Subject {
    Subject {
        user: client.create_user(None).await.unwrap().into_model().unwrap(),
        teams_user: teams_user(emulator).await,
    }
}
