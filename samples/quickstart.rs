//! Every operation of the client once: make users, give them tokens, revoke the tokens, delete the users.
//!
//! ```sh
//! cargo run --example quickstart
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{CommunicationError, CommunicationErrorCode, CommunicationTokenScope};
use std::error::Error;
use support::{Service, shorten};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = Service::find().await?;
    let client = service.client()?;
    let scopes = [CommunicationTokenScope::Chat, CommunicationTokenScope::Voip];

    let user = client.create_user(None).await?.into_model()?;
    println!("Made a user          {user}");

    let token = client.get_token(&user, &scopes, None).await?.into_model()?;
    println!("Got a token          {}", shorten(&token.token));
    println!("  good until         {}", token.expires_on);

    client.revoke_tokens(&user, None).await?;
    println!("Revoked their tokens");

    client.delete_user(&user, None).await?;
    println!("Deleted the user");

    let refused = client.get_token(&user, &scopes, None).await.err();
    let refused = refused.as_ref().and_then(CommunicationError::from_error);
    match refused.map(CommunicationError::error_code) {
        Some(CommunicationErrorCode::IdentityNotOwned) => println!("  who gets no more tokens"),
        other => println!("  and asked for a token nevertheless: {other:?}"),
    }

    let created = client.create_user_and_token(&scopes, None).await?.into_model()?;
    println!("\nMade a user          {}", created.user);
    println!("  with a token       {}", shorten(&created.access_token.token));
    client.delete_user(&created.user, None).await?;
    println!("Deleted the user");

    if let Some(teams_user) = service.teams_user().await {
        let token = client.get_token_for_teams_user(teams_user, None).await?.into_model()?;
        println!("\nExchanged a Teams user's Entra token");
        println!("  for a token        {}", shorten(&token.token));
    }
    Ok(())
}
