//! A new access key for clients in use.
//!
//! ```sh
//! cargo run --example key_rotation
//! ```
//!
//! A resource has two keys, so that no request has to fail: switch the clients to the second key, then regenerate the first.
//! This shows how a new key reaches every client, and what becomes of those who come too late and of older tokens.

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use acs_identity_emulator::{AccessKeyKind, Emulator};
use azure_communication_identity::{AzureKeyCredential, CommunicationIdentityClient, CommunicationTokenScope::Chat};
use std::process::ExitCode;
use support::{Outcome, Usage, emulator_options};

const USAGE: Usage = Usage {
    command: "key_rotation",
    uses_azure: false,
    about: "Replaces the access key of clients in use. Uses the emulator.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    println!("Using an emulator in this process, which has two access keys, as a resource has.\n");
    let emulator = Emulator::builder().start().await?;
    let with_key = |credential| {
        let options = Some(emulator_options(&emulator)?);
        CommunicationIdentityClient::with_key_credential(emulator.endpoint(), credential, options)
    };

    let primary_key = emulator.access_key();
    let credential = AzureKeyCredential::new(&primary_key)?;
    let client = with_key(credential.clone())?;
    let clone = client.clone();
    let user = client.create_user(None).await?.into_model()?;
    let token = client.get_token(&user, &[Chat], None).await?.into_model()?.token;
    println!("With the primary key: created {user}, with a token.");

    // What is not a key is refused, and changes nothing.
    if let Err(error) = credential.update("not base64!") {
        println!("Not a key: {error}\n");
    }

    // From the next try on, every client with this credential signs with the secondary key.
    credential.update(&emulator.secondary_access_key())?;
    emulator.regenerate_access_key(AccessKeyKind::Primary).await?;
    println!("Switched to the secondary key, then regenerated the primary one.");
    clone.get_token(&user, &[Chat], None).await?;
    println!("A clone of the client, which was told nothing, got a token.\n");

    println!(
        "The first token is {:?} now: it was made with the old key.",
        emulator.token_status(token.secret())
    );
    let late = with_key(AzureKeyCredential::new(&primary_key)?)?;
    if let Err(error) = late.create_user(None).await {
        println!("A client that still has the old key: {error}");
    }
    Ok(())
}
