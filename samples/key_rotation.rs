//! A new access key for a client in use, without a request that fails.
//!
//! ```sh
//! cargo run --example key_rotation
//! ```
//!
//! A resource has two keys. To replace them, switch to the second key, regenerate the first, and the other way round.

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
    println!("Using an emulator in this process, whose only valid key is the new one.\n");
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
    println!("and a clone of the client, which never heard of the key, deleted the user.");
    Ok(())
}
