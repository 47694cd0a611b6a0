//! The Rust snippets of README.md compile and run, against the emulator.

use crate::support::{emulator::emulator_options, fixtures::CONNECTION_STRING};
use acs_identity_emulator::{Emulator, EntraTokenRequest};
use azure_communication_identity::CommunicationIdentityClient;
use include_file::include_markdown;
use std::{collections::BTreeSet, error::Error};

/// The snippets that this file includes.
const SNIPPETS: [&str; 11] = [
    "connection_string",
    "create_user",
    "entra",
    "errors",
    "get_token",
    "key_credential",
    "program",
    "refresh",
    "sign",
    "teams_phone",
    "teams_user",
];

#[test]
fn every_snippet_is_included() {
    let readme = include_str!("../../README.md");
    let found: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("```rust"))
        .map(str::trim)
        .collect();
    assert_eq!(found, SNIPPETS.into());
}

/// The first program talks to Azure, so it is only compiled.
#[test]
fn the_program_compiles() {
    include_markdown!("README.md", "program");
    let _: fn() -> Result<(), Box<dyn Error>> = main;
}

#[test]
#[allow(unused_variables, reason = "snippets end with what they show")]
fn clients_are_created() -> Result<(), Box<dyn Error>> {
    include_markdown!("README.md", "connection_string", scope);
    include_markdown!("README.md", "key_credential", scope);
    include_markdown!("README.md", "entra", scope);
    let connection_string = CONNECTION_STRING;
    include_markdown!("README.md", "sign", scope);
    Ok(())
}

#[tokio::test]
#[allow(unused_variables, reason = "snippets end with what they show")]
async fn operations_run() -> Result<(), Box<dyn Error>> {
    let emulator = Emulator::builder().start().await?;
    let client = CommunicationIdentityClient::with_connection_string(
        &emulator.connection_string(),
        Some(emulator_options(&emulator)?),
    )?;

    include_markdown!("README.md", "create_user", scope);
    let ids = emulator.identities();
    assert_eq!(ids.len(), 1);
    let stored_id = ids.first().unwrap();
    include_markdown!("README.md", "get_token", scope);
    let user = stored_id.parse()?;
    include_markdown!("README.md", "errors", scope);
    assert_eq!(emulator.identity_count(), 0);

    let minted = emulator.mint_entra_token(&EntraTokenRequest::teams_user()).await?;
    let (client_id, user_object_id) = (minted.app_id.to_string(), minted.user_id.to_string());
    let entra_token = minted.token;
    include_markdown!("README.md", "teams_user", scope);
    Ok(())
}

#[tokio::test]
#[allow(unused_variables, reason = "snippets end with what they show")]
async fn a_token_is_cached() -> Result<(), Box<dyn Error>> {
    let emulator = Emulator::builder().start().await?;
    let client = CommunicationIdentityClient::with_connection_string(
        &emulator.connection_string(),
        Some(emulator_options(&emulator)?),
    )?;
    let user = client.create_user(None).await?.into_model()?;
    include_markdown!("README.md", "refresh");
    Ok(())
}

#[tokio::test]
async fn teams_phone_users_get_tokens() -> Result<(), Box<dyn Error>> {
    let emulator = Emulator::builder().start().await?;
    let client = CommunicationIdentityClient::with_connection_string(
        &emulator.https_connection_string(),
        Some(emulator_options(&emulator)?),
    )?;
    let minted = emulator
        .mint_entra_token(&EntraTokenRequest::teams_extension_user())
        .await?;
    let (tenant_id, object_id, client_id) = (minted.tenant_id, minted.user_id, minted.app_id.to_string());
    let entra_token = minted.token;
    include_markdown!("README.md", "teams_phone", scope);
    Ok(())
}
