//! Tokens that are good for an hour, and for a day.
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
use azure_core::time::{Duration, OffsetDateTime};
use std::error::Error;
use support::Service;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = Service::find().await?;
    let client = service.client()?;
    let scopes = [CommunicationTokenScope::Chat];

    // As short as the service allows: what leaks is soon of no use.
    let options = CommunicationIdentityClientCreateUserAndTokenOptions {
        token_expires_in: Some(Duration::hours(1)),
        ..Default::default()
    };
    let created = client
        .create_user_and_token(&scopes, Some(options))
        .await?
        .into_model()?;
    show("1 hour asked for", created.access_token.expires_on);

    // As long as it allows, and what it chooses by itself.
    let options = CommunicationIdentityClientGetTokenOptions {
        token_expires_in: Some(Duration::hours(24)),
        ..Default::default()
    };
    let token = client
        .get_token(&created.user, &scopes, Some(options))
        .await?
        .into_model()?;
    show("24 hours asked for", token.expires_on);
    let token = client.get_token(&created.user, &scopes, None).await?.into_model()?;
    show("nothing asked for", token.expires_on);

    // Anything else is refused before it is sent.
    let options = CommunicationIdentityClientGetTokenOptions {
        token_expires_in: Some(Duration::minutes(59)),
        ..Default::default()
    };
    if let Err(error) = client.get_token(&created.user, &scopes, Some(options)).await {
        println!("\n59 minutes asked for: {error}");
    }

    client.delete_user(&created.user, None).await?;
    Ok(())
}

fn show(asked: &str, expires_on: OffsetDateTime) {
    let minutes = (expires_on - OffsetDateTime::now_utc()).as_seconds_f64() / 60.0;
    println!("{asked:<20} good for {minutes:.0} minutes, until {expires_on}");
}
