//! A credential that keeps a user's token valid: callers share one request, and the next token is there before the old one
//! expires.
//!
//! ```sh
//! cargo run --example auto_refresh
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{
    CommunicationAccessToken, CommunicationTokenCredential, CommunicationTokenCredentialOptions,
    CommunicationTokenScope,
};
use azure_core::time::{Duration, OffsetDateTime, to_rfc3339};
use futures::future::try_join_all;
use std::{process::ExitCode, time::Instant};
use support::{Outcome, Service, Usage, shorten};
use tokio::time::sleep;

const USAGE: Usage = Usage {
    command: "auto_refresh",
    uses_azure: true,
    about: "Caches a token, and refreshes it in time.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    let service = Service::find().await?;
    let client = service.client()?;
    let user = client.create_user(None).await?.into_model()?;
    println!("Created a user      {user}");

    // All that a backend needs to act for this user.
    let scopes = [CommunicationTokenScope::Chat];
    let credential = CommunicationTokenCredential::for_user(client.clone(), user.clone(), &scopes, None)?;
    let token = credential.get_token().await?;
    println!("Got a token         {}", shorten(&token.token));
    println!("  which expires on  {}", to_rfc3339(&token.expires_on));

    // The same with a refresher function, which prints when it is called, and whose tokens expire after two seconds.
    let start = Instant::now();
    let since_start = move || format!("{:.1} s", start.elapsed().as_secs_f64());
    let refresher = {
        let (client, user) = (client.clone(), user.clone());
        move || {
            let (client, user) = (client.clone(), user.clone());
            async move {
                println!("  {}  the service is asked for a token", since_start());
                let token = client.get_token(&user, &[CommunicationTokenScope::Chat], None).await?;
                let in_two_seconds = OffsetDateTime::now_utc() + Duration::seconds(2);
                Ok(CommunicationAccessToken::new(token.into_model()?.token, in_two_seconds))
            }
        }
    };
    println!("\nFive callers at the same time:");
    let credential = CommunicationTokenCredential::with_refresher(refresher.clone(), None)?;
    let tokens = try_join_all((0..5).map(|_| credential.get_token())).await?;
    println!("  {}  {} callers have their token", since_start(), tokens.len());

    // A day's token is refreshed ten minutes before it expires, these after half of their two seconds.
    println!("\nA credential that refreshes ahead, and a caller every 400 milliseconds:");
    let options = CommunicationTokenCredentialOptions {
        refresh_proactively: true,
        ..Default::default()
    };
    let credential = CommunicationTokenCredential::with_refresher(refresher, Some(options))?;
    for _ in 0..5 {
        let asked = Instant::now();
        let token = credential.get_token().await?;
        let left = (token.expires_on - OffsetDateTime::now_utc()).as_seconds_f64();
        let waited = asked.elapsed().as_millis();
        println!("  {}  a token with {left:.1} s left, after {waited} ms", since_start());
        sleep(std::time::Duration::from_millis(400)).await;
    }

    client.delete_user(&user, None).await?;
    Ok(())
}
