//! Exchange the Entra token of a Teams user for an access token, with which they call as themselves.
//!
//! ```sh
//! cargo run --example teams_user
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{CommunicationError, TeamsUserTokenRequest};
use azure_core::time::to_rfc3339;
use std::process::ExitCode;
use support::{Outcome, Service, TEAMS_CLIENT_ID, TEAMS_TOKEN, TEAMS_USER_OBJECT_ID, Usage, shorten};

const USAGE: Usage = Usage {
    command: "teams_user",
    uses_azure: true,
    about: "Exchanges the Entra token of a Teams user.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    let service = Service::find().await?;
    let client = service.client()?;

    // Your front end obtains this token, with the scopes Teams.ManageCalls and Teams.ManageChats of
    // https://auth.msft.communication.azure.com, and sends it to your back end.
    let Some(teams_user) = service.teams_user().await else {
        println!("Put the token into {TEAMS_TOKEN}, the ids into {TEAMS_CLIENT_ID} and {TEAMS_USER_OBJECT_ID}.");
        return Ok(());
    };

    let token = client
        .get_token_for_teams_user(teams_user.clone(), None)
        .await?
        .into_model()?;
    println!("Got a token          {}", shorten(&token.token));
    println!(
        "  which expires on   {}, with the Entra token",
        to_rfc3339(&token.expires_on)
    );

    // The two IDs are easily swapped. The service says which one it did not expect.
    let swapped = TeamsUserTokenRequest {
        client_id: teams_user.user_object_id.clone(),
        user_object_id: teams_user.client_id.clone(),
        ..teams_user
    };
    if let Err(error) = client.get_token_for_teams_user(swapped, None).await {
        let target = CommunicationError::from_error(&error).and_then(|error| error.target.as_deref());
        println!("\nWith the ids swapped, `{}` is refused:", target.unwrap_or("?"));
        println!("  {error}");
    }
    Ok(())
}
