//! Identifiers: raw IDs of each kind, the JSON of a service's event, and the claims of a token.
//!
//! ```sh
//! cargo run --example identifiers
//! ```

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{CommunicationIdentifier, CommunicationTokenScope};
use azure_core::time::to_rfc3339;
use std::{collections::HashMap, process::ExitCode};
use support::{Outcome, Service, Usage};

/// As an application may have stored them. The last is of a kind that this version does not know.
const RAW_IDS: [&str; 7] = [
    "8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_00000006-19e0-2727-80f5-8b3a0d003502",
    "4:+14255550121",
    "4:anonymous",
    "8:orgid:45ab2481-1c1c-4005-be24-0ffb879b1130",
    "28:gcch:01234567-89ab-cdef-0123-456789abcdef",
    "8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-0ffb879b1130_207ffef6-9444-41fb-92ab-20eacaae2768",
    "28:ag08-global:01234567-89ab-cdef-0123-456789abcdef",
];

/// A caller in an event of the calling service.
const EVENT: &str = r#"{
    "kind": "microsoftTeamsUser",
    "rawId": "8:orgid:45ab2481-1c1c-4005-be24-0ffb879b1130",
    "microsoftTeamsUser": { "userId": "45ab2481-1c1c-4005-be24-0ffb879b1130", "isAnonymous": false }
}"#;

const USAGE: Usage = Usage {
    command: "identifiers",
    uses_azure: true,
    about: "Parses raw IDs of all kinds, and shows the claims of a token.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    for raw_id in RAW_IDS {
        let identifier = CommunicationIdentifier::from_raw_id(raw_id);
        println!("{raw_id}\n  is    {}", describe(&identifier));
        println!("  JSON  {}\n", serde_json::to_string(&identifier)?);
    }

    // Identifiers are keys, wherever they come from.
    let megan = CommunicationIdentifier::from_raw_id("8:orgid:45ab2481-1c1c-4005-be24-0ffb879b1130");
    let names = HashMap::from([(megan, "Megan Bowen")]);
    let caller: CommunicationIdentifier = serde_json::from_str(EVENT)?;
    let name = names.get(&caller).unwrap_or(&"a stranger");
    println!("The caller in the event is {name}.\n");

    let service = Service::find().await?;
    let client = service.client()?;
    let scopes = [CommunicationTokenScope::Chat, CommunicationTokenScope::VoipJoin];
    let created = client.create_user_and_token(&scopes, None).await?.into_model()?;
    let claims = created.access_token.unverified_claims()?;
    println!("A new token's claims, unverified:");
    if let Some(identity) = &claims.identity {
        println!("  it is for   {identity}\n              ({})", describe(identity));
    }
    for scope in &claims.scopes {
        println!("  it allows   {scope}");
    }
    println!("  it expires  {}", to_rfc3339(&claims.expires_on));

    client.delete_user(&created.user, None).await?;
    Ok(())
}

fn describe(identifier: &CommunicationIdentifier) -> String {
    match identifier {
        CommunicationIdentifier::CommunicationUser(_) => "a user that a resource created".to_owned(),
        CommunicationIdentifier::PhoneNumber(phone) if phone.is_anonymous() => "a withheld phone number".to_owned(),
        CommunicationIdentifier::PhoneNumber(phone) => format!("the phone number {}", phone.phone_number()),
        CommunicationIdentifier::MicrosoftTeamsUser(user) => format!("the Teams user {}", user.user_id()),
        CommunicationIdentifier::MicrosoftTeamsApp(app) => format!("a Teams application in the cloud {}", app.cloud()),
        CommunicationIdentifier::TeamsExtensionUser(user) => format!("the Teams Phone user {}", user.parts().user_id),
        _ => "of a kind that this version does not know".to_owned(),
    }
}
