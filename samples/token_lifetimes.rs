//! Tokens that expire after an hour, and after a day.
//!
//! ```sh
//! cargo run --example token_lifetimes
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{
    CommunicationTokenScope,
    models::{CommunicationIdentityClientCreateUserAndTokenOptions, CommunicationIdentityClientGetTokenOptions},
};
use azure_core::time::{Duration, OffsetDateTime, to_rfc3339};
use std::process::ExitCode;
use support::{Outcome, Service, Usage};

const USAGE: Usage = Usage {
    command: "token_lifetimes",
    uses_azure: true,
    about: "Gets tokens for an hour and for a day.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    let service = Service::find().await?;
    let client = service.client()?;
    let scopes = [CommunicationTokenScope::Chat];

    // As short as the service allows: a token that leaks is soon of no use.
    let options = CommunicationIdentityClientCreateUserAndTokenOptions {
        token_expires_in: Some(Duration::hours(1)),
        ..Default::default()
    };
    let created = client
        .create_user_and_token(&scopes, Some(options))
        .await?
        .into_model()?;
    show("1 hour", created.access_token.expires_on);

    // As long as it allows, and what it chooses by itself.
    let options = CommunicationIdentityClientGetTokenOptions {
        token_expires_in: Some(Duration::hours(24)),
        ..Default::default()
    };
    let token = client
        .get_token(&created.user, &scopes, Some(options))
        .await?
        .into_model()?;
    show("24 hours", token.expires_on);
    let token = client.get_token(&created.user, &scopes, None).await?.into_model()?;
    show("nothing", token.expires_on);

    // Anything else is refused before it is sent.
    let options = CommunicationIdentityClientGetTokenOptions {
        token_expires_in: Some(Duration::minutes(59)),
        ..Default::default()
    };
    if let Err(error) = client.get_token(&created.user, &scopes, Some(options)).await {
        println!("\nAsked for 59 minutes: {error}");
    }

    client.delete_user(&created.user, None).await?;
    Ok(())
}

fn show(asked: &str, expires_on: OffsetDateTime) {
    let minutes = (expires_on - OffsetDateTime::now_utc()).as_seconds_f64() / 60.0;
    println!(
        "Asked for {asked:<8}   expires in {minutes:.0} minutes, on {}",
        to_rfc3339(&expires_on)
    );
}
