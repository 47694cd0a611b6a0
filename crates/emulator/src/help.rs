//! Texts for the binary's `--help`, with the lists of the library. Not part of the public API.

use crate::{
    faults::{MODIFIERS, effects},
    http::API_VERSIONS,
    operation::Operation,
};

/// Describes the option `--fault`.
#[must_use]
pub fn fault() -> String {
    let operations = Operation::ALL.map(|operation| operation.to_string()).join(", ");
    format!(
        "Inject a fault into requests; can be repeated\n\n\
         TEXT is an effect: {effects}. After commas, any of these may follow: {MODIFIERS}. The operations are {operations}.",
        effects = effects()
    )
}

/// Describes the option `--withdraw-version`.
#[must_use]
pub fn withdraw_version() -> String {
    let versions = API_VERSIONS.join(", ");
    format!("Do not support this api-version; can be repeated\n\nThe api-versions are {versions}.")
}
