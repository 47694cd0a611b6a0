//! Every operation of the client once: create users, get tokens for them, revoke the tokens, delete the users.
//!
//! ```sh
//! cargo run --example quickstart
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{CommunicationError, CommunicationTokenScope};
use azure_core::time::to_rfc3339;
use std::process::ExitCode;
use support::{Outcome, Service, TEAMS_TOKEN, Usage, shorten};

const USAGE: Usage = Usage {
    command: "quickstart",
    uses_azure: true,
    about: "Calls each operation on users and tokens once.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    let service = Service::find().await?;
    let client = service.client()?;
    let scopes = [CommunicationTokenScope::Chat, CommunicationTokenScope::Voip];

    let user = client.create_user(None).await?.into_model()?;
    println!("Created a user       {user}");

    let token = client.get_token(&user, &scopes, None).await?.into_model()?;
    println!("Got a token          {}", shorten(&token.token));
    println!("  which expires on   {}", to_rfc3339(&token.expires_on));

    client.revoke_tokens(&user, None).await?;
    println!("Revoked their tokens");

    client.delete_user(&user, None).await?;
    println!("Deleted the user");

    match client.get_token(&user, &scopes, None).await {
        Ok(_) => println!("  and yet got a token for them"),
        Err(error) => {
            let code = CommunicationError::from_error(&error).and_then(CommunicationError::error_code);
            let code = code.map_or_else(|| error.to_string(), |code| code.to_string());
            println!("  who gets no tokens any more: {code}");
        }
    }

    let created = client.create_user_and_token(&scopes, None).await?.into_model()?;
    println!("\nCreated a user       {}", created.user);
    println!("  with a token       {}", shorten(&created.access_token.token));
    client.delete_user(&created.user, None).await?;
    println!("Deleted the user");

    if let Some(teams_user) = service.teams_user().await {
        let token = client.get_token_for_teams_user(teams_user, None).await?.into_model()?;
        println!("\nExchanged a Teams user's Entra token");
        println!("  for a token        {}", shorten(&token.token));
    } else {
        println!("\nFor a Teams user's token, set {TEAMS_TOKEN}; see the sample teams_user.");
    }
    Ok(())
}
