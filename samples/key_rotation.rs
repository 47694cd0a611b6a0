//! A new access key for clients in use.
//!
//! ```sh
//! cargo run --example key_rotation
//! ```
//!
//! A resource has two keys, so that no request has to fail: switch the clients to the second key, then regenerate the first.
//! This shows what happens to those who come too late, and how a new key reaches every client.

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use acs_identity_emulator::Emulator;
use azure_communication_identity::{AzureKeyCredential, CommunicationIdentityClient};
use std::process::ExitCode;
use support::{Outcome, emulator_options};

#[tokio::main]
async fn main() -> ExitCode {
    support::report(run().await)
}

async fn run() -> Outcome {
    println!("Using an emulator in this process, whose key has just been regenerated.\n");
    let emulator = Emulator::builder().start().await?;
    let (old_key, new_key) = ("dGhlIGtleSB0aGF0IHdhcyByZWdlbmVyYXRlZA==", emulator.access_key());

    let credential = AzureKeyCredential::new(old_key)?;
    let client = CommunicationIdentityClient::with_key_credential(
        emulator.endpoint(),
        credential.clone(),
        Some(emulator_options(&emulator)?),
    )?;
    let clone = client.clone();

    if let Err(error) = client.create_user(None).await {
        println!("With the old key: {error}\n");
    }

    // What is not a key is refused, and changes nothing.
    if let Err(error) = credential.update("not base64!") {
        println!("Not a key: {error}\n");
    }

    // From the next try on, every client with this credential signs with the new key.
    credential.update(new_key)?;
    let user = client.create_user(None).await?.into_model()?;
    println!("With the new key: created {user}");
    clone.delete_user(&user, None).await?;
    println!("A clone of the client, which was told nothing, deleted the user.");
    Ok(())
}
