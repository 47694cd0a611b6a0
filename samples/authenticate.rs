//! The three ways to make a client: a connection string, an access key, and Entra ID.
//!
//! ```sh
//! cargo run --example authenticate
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{AzureKeyCredential, CommunicationIdentityClient};
use azure_identity::DeveloperToolsCredential;
use std::{error::Error, sync::Arc};
use support::{EmulatorCredential, Service, emulator_options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Service::find().await? {
        Service::Azure { connection_string } => {
            // Endpoint and access key in one text, as the portal shows it.
            let client = CommunicationIdentityClient::with_connection_string(&connection_string, None)?;
            use_once("a connection string", &client).await
        }
        Service::AzureWithEntra { endpoint } => {
            // In Azure, `ManagedIdentityCredential` takes the place of the developer's own account. Either needs a role
            // on the resource.
            let credential = DeveloperToolsCredential::new(None)?;
            let client = CommunicationIdentityClient::new(&endpoint, credential, None)?;
            use_once("Entra ID", &client).await
        }
        Service::Emulator(emulator) => {
            let options = emulator_options(&emulator)?;
            let client = CommunicationIdentityClient::with_connection_string(
                &emulator.connection_string(),
                Some(options.clone()),
            )?;
            use_once("a connection string", &client).await?;

            // The key can be replaced while clients are using it: `credential.update(new_key)`.
            let credential = AzureKeyCredential::new(emulator.access_key())?;
            let client = CommunicationIdentityClient::with_key_credential(
                emulator.endpoint(),
                credential,
                Some(options.clone()),
            )?;
            use_once("an access key", &client).await?;

            // An Entra token travels over https only, so here the emulator's certificate has to be trusted.
            let credential = EmulatorCredential(emulator.clone());
            let client =
                CommunicationIdentityClient::new(emulator.https_endpoint(), Arc::new(credential), Some(options))?;
            use_once("Entra ID", &client).await
        }
    }
}

async fn use_once(with: &str, client: &CommunicationIdentityClient) -> Result<(), Box<dyn Error>> {
    let user = client.create_user(None).await?.into_model()?;
    client.delete_user(&user, None).await?;
    println!("With {with:<20} {} works", client.endpoint());
    Ok(())
}
