//! What goes wrong, and what the errors say.
//!
//! ```sh
//! cargo run --example handle_errors
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{
    AzureKeyCredential, CommunicationError, CommunicationErrorCode, CommunicationIdentityClient,
    CommunicationIdentityClientOptions, CommunicationTokenScope,
};
use azure_core::{
    error::ErrorKind,
    http::{ClientOptions, RetryOptions},
};
use std::error::Error;
use support::Service;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = Service::find().await?;
    let client = service.client()?;
    let scopes = [CommunicationTokenScope::Chat];

    // An argument is refused before anything is sent.
    let user = client.create_user(None).await?.into_model()?;
    explain("A token for nothing", client.get_token(&user, &[], None).await.err());

    // The service refuses a user that is deleted, or another resource's.
    client.delete_user(&user, None).await?;
    explain(
        "A token for a deleted user",
        client.get_token(&user, &scopes, None).await.err(),
    );

    // A wrong key, a wrong endpoint and a wrong clock all look the same to the service.
    let mut options = CommunicationIdentityClientOptions::default();
    if let Service::Emulator(emulator) = &service {
        options = support::emulator_options(emulator)?;
    }
    let wrong_key = AzureKeyCredential::new("bm90IHRoZSBrZXkgb2YgdGhpcyByZXNvdXJjZQ==")?;
    let stranger =
        CommunicationIdentityClient::with_key_credential(client.endpoint().as_str(), wrong_key.clone(), Some(options))?;
    explain("A wrong access key", stranger.create_user(None).await.err());

    // Nothing listens there: `Connection` means that nothing was sent.
    let options = CommunicationIdentityClientOptions {
        client_options: ClientOptions {
            retry: RetryOptions::none(),
            ..Default::default()
        },
        ..Default::default()
    };
    let nowhere = CommunicationIdentityClient::with_key_credential("http://127.0.0.1:9/", wrong_key, Some(options))?;
    explain("Nobody at the endpoint", nowhere.create_user(None).await.err());
    Ok(())
}

/// What a program decides by, and what a person reads.
fn explain(what: &str, error: Option<azure_core::Error>) {
    let Some(error) = error else {
        println!("{what}: works");
        return;
    };
    println!("{what}:");
    match CommunicationError::from_error(&error).map(CommunicationError::error_code) {
        Some(CommunicationErrorCode::IdentityNotOwned) => println!("  make a new user and store their id"),
        Some(CommunicationErrorCode::Denied) => println!("  call whoever looks after the configuration"),
        Some(code) => println!("  the service answered {code}"),
        None if *error.kind() == ErrorKind::Connection => println!("  try again later"),
        None => println!("  mend the program"),
    }
    println!("  {error}\n");
}
