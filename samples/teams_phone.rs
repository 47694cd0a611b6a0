//! Teams Phone extensibility: a Teams user is assigned to the resource, exchanges their Entra token, and is let go again.
//!
//! ```sh
//! cargo run --example teams_phone
//! ```
//!
//! In Azure, it takes the Entra token of a Teams user for the scope
//! `https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls`, which only the user can obtain.

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use acs_identity_emulator::{Emulator, EntraTokenRequest};
use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationTokenCredential, EntraCommunicationTokenCredentialOptions,
    TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
};
use azure_core::time::to_rfc3339;
use std::{process::ExitCode, sync::Arc};
use support::{Outcome, Usage, UserCredential, emulator_options, shorten};

const USAGE: Usage = Usage {
    command: "teams_phone",
    uses_azure: false,
    about: "Admits a Teams Phone user, and exchanges their token. Uses the emulator.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    println!("Using an emulator in this process, which also stands in for Entra ID.\n");
    let emulator = Arc::new(Emulator::builder().start().await?);
    let options = emulator_options(&emulator)?;
    // https, because an Entra token must not travel in plain text.
    let client = CommunicationIdentityClient::with_connection_string(
        &emulator.https_connection_string(),
        Some(options.clone()),
    )?;
    let user = EntraTokenRequest::teams_extension_user();

    // The administrator's part: who may come in, and with which application.
    let assignment = TeamsExtensionAssignmentId {
        tenant_id: user.tenant_id,
        object_id: user.user_id,
    };
    let principal = TeamsExtensionPrincipal {
        principal_type: TeamsExtensionPrincipalType::User,
        client_ids: vec![user.app_id.to_string()],
    };
    client
        .create_or_replace_teams_extension_assignment(&assignment, &principal, None)
        .await?;
    let found = client
        .get_teams_extension_assignment(&assignment, None)
        .await?
        .into_model()?;
    println!(
        "Assigned a {}         {}",
        found.principal.principal_type, assignment.object_id
    );
    println!("  of the tenant         {}", assignment.tenant_id);

    // The user's part, by hand ...
    let entra_token = emulator.mint_entra_token(&user).await?.token;
    let exchanged = client
        .get_token_for_teams_extension_user(entra_token.into(), None)
        .await?
        .into_model()?;
    println!("\nExchanged their token for {}", shorten(&exchanged.access_token.token));
    println!("  which is for          {}", exchanged.identity);
    println!(
        "  and expires on        {}",
        to_rfc3339(&exchanged.access_token.expires_on)
    );

    // ... or by a credential, which exchanges again when the Entra token is a new one.
    let credential = CommunicationTokenCredential::with_entra_credential(
        emulator.https_endpoint(),
        Arc::new(UserCredential::new(&emulator, user).await?),
        Some(EntraCommunicationTokenCredentialOptions {
            scopes: vec!["https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls".to_owned()],
            client_options: options.client_options,
            ..Default::default()
        }),
    )?;
    let token = credential.get_token().await?;
    println!("A credential did the same {}", shorten(&token.token));

    client.delete_teams_extension_assignment(&assignment, None).await?;
    println!(
        "\nDeleted the assignment; the tokens are {:?}.",
        emulator.token_status(token.token.secret())
    );
    Ok(())
}
