//! The three ways to create a client: a connection string, an access key, and Entra ID.
//!
//! ```sh
//! cargo run --example authenticate
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{AzureKeyCredential, CommunicationIdentityClient};
use std::{process::ExitCode, sync::Arc};
use support::{EmulatorCredential, Outcome, Service, Usage, azure_options, emulator_options, entra_credential};

const USAGE: Usage = Usage {
    command: "authenticate",
    uses_azure: true,
    about: "Creates clients with a connection string, an access key and Entra ID.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    match Service::find().await? {
        Service::Azure { connection_string } => {
            // Endpoint and access key in one text, as the portal shows it.
            let options = Some(azure_options()?);
            let client = CommunicationIdentityClient::with_connection_string(&connection_string, options)?;
            use_once("a connection string", &client).await
        }
        Service::AzureWithEntra { endpoint } => {
            // A managed identity or a service principal, with a role on the resource.
            let options = azure_options()?;
            let credential = entra_credential(options.client_options.transport.clone())?;
            let client = CommunicationIdentityClient::new(&endpoint, credential, Some(options))?;
            use_once("Entra ID", &client).await
        }
        Service::Emulator(emulator) => {
            let options = Some(emulator_options(&emulator)?);
            let connection_string = emulator.connection_string();
            let client = CommunicationIdentityClient::with_connection_string(&connection_string, options.clone())?;
            use_once("a connection string", &client).await?;

            // The key can be replaced while clients are using it: `credential.update(new_key)`.
            let key = AzureKeyCredential::new(&emulator.access_key())?;
            let client = CommunicationIdentityClient::with_key_credential(emulator.endpoint(), key, options.clone())?;
            use_once("an access key", &client).await?;

            // An Entra token travels over https only, so the emulator's certificate must be trusted.
            let credential = Arc::new(EmulatorCredential(emulator.clone()));
            let client = CommunicationIdentityClient::new(emulator.https_endpoint(), credential, options)?;
            use_once("Entra ID", &client).await
        }
    }
}

async fn use_once(with: &str, client: &CommunicationIdentityClient) -> Outcome {
    let user = client.create_user(None).await?.into_model()?;
    client.delete_user(&user, None).await?;
    println!("With {with:<20} {} works", client.endpoint());
    Ok(())
}
