//! Failures, and the texts of their errors.
//!
//! ```sh
//! cargo run --example handle_errors
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{
    AzureKeyCredential, CommunicationError, CommunicationErrorCode, CommunicationIdentityClient,
    CommunicationTokenScope, creation_outcome_unknown,
};
use azure_core::error::ErrorKind;
use std::{net::TcpListener, process::ExitCode};
use support::{Outcome, Service, Usage, azure_options, emulator_options};

const USAGE: Usage = Usage {
    command: "handle_errors",
    uses_azure: true,
    about: "Shows failures, and what their errors say.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    let service = Service::find().await?;
    let client = service.client()?;
    let scopes = [CommunicationTokenScope::Chat];
    let options = match &service {
        Service::Emulator(emulator) => emulator_options(emulator)?,
        _ => azure_options()?,
    };

    // An argument is refused before anything is sent.
    let user = client.create_user(None).await?.into_model()?;
    explain("A token for nothing", client.get_token(&user, &[], None).await.err());
    client.delete_user(&user, None).await?;

    // A user of another resource.
    let user = "8:acs:11111111-1111-1111-1111-111111111111_00000006-19e0-2727-80f5-8b3a0d003502".parse()?;
    explain(
        "A token for a foreign user",
        client.get_token(&user, &scopes, None).await.err(),
    );

    // A wrong key, a wrong endpoint and a wrong clock all look the same to the service.
    let key = AzureKeyCredential::new("bm90IHRoZSBrZXkgb2YgdGhpcyByZXNvdXJjZQ==")?;
    let endpoint = client.endpoint().as_str();
    let stranger = CommunicationIdentityClient::with_key_credential(endpoint, key.clone(), Some(options.clone()))?;
    explain("A wrong access key", stranger.create_user(None).await.err());

    // A closed port: `Connection` means that nothing was sent.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let endpoint = format!("http://{address}/");
    let unreachable = CommunicationIdentityClient::with_key_credential(&endpoint, key, Some(options))?;
    explain("No server at the endpoint", unreachable.create_user(None).await.err());
    Ok(())
}

/// Prints what a program decides by, and what a person reads.
fn explain(what: &str, error: Option<azure_core::Error>) {
    let Some(error) = error else {
        println!("{what}: works");
        return;
    };
    let code = CommunicationError::from_error(&error).and_then(CommunicationError::error_code);
    let decision = match code {
        Some(CommunicationErrorCode::IdentityNotOwned) => "create a new user, and store their id",
        Some(CommunicationErrorCode::Denied) => "ask the operator to check the configuration",
        _ if creation_outcome_unknown(&error) => "a user may have been created whose ID is lost",
        _ if *error.kind() == ErrorKind::Connection => "try again later",
        _ => "correct the call",
    };
    println!("{what}: {decision}\n  {error}\n");
}
