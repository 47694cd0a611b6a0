//! Every Rust snippet of README.md compiles and runs; what talks to the service talks to the emulator.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../samples/support/mod.rs"]
mod support;

use acs_identity_emulator::{Emulator, EntraTokenRequest};
use azure_communication_identity::CommunicationIdentityClient;
use include_file::include_markdown;
use std::{collections::BTreeSet, error::Error};
use support::emulator_options;

/// The snippets that this file includes.
const SNIPPETS: [&str; 11] = [
    "connection_string",
    "create_user",
    "delete_user",
    "entra",
    "errors",
    "get_token",
    "key_credential",
    "revoke_tokens",
    "teams_user",
    "token_lifetime",
    "user_and_token",
];

#[test]
fn every_snippet_is_included() {
    let readme = include_str!("../README.md");
    let found: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("```rust"))
        .map(str::trim)
        .collect();
    assert_eq!(found, SNIPPETS.into());
}

#[test]
fn clients_are_made() -> Result<(), Box<dyn Error>> {
    include_markdown!("README.md", "connection_string", scope);
    include_markdown!("README.md", "key_credential", scope);
    include_markdown!("README.md", "entra", scope);
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
    include_markdown!("README.md", "user_and_token", scope);
    let ids = emulator.identities();
    assert_eq!(ids.len(), 2);

    let stored_id = ids.first().unwrap();
    include_markdown!("README.md", "get_token", scope);
    let user = stored_id.parse()?;
    include_markdown!("README.md", "token_lifetime", scope);
    include_markdown!("README.md", "revoke_tokens", scope);
    include_markdown!("README.md", "delete_user", scope);
    assert_eq!(emulator.identity_count(), 1);
    include_markdown!("README.md", "errors", scope);

    let minted = emulator.mint_entra_token(&EntraTokenRequest::teams_user()).await?;
    let (client_id, user_object_id) = (minted.app_id.to_string(), minted.user_id.to_string());
    let entra_token = minted.token;
    include_markdown!("README.md", "teams_user", scope);
    Ok(())
}
