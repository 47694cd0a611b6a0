//! Tokens for Azure's services.

use crate::config::CredentialKind;
use azure_core::{credentials::TokenCredential, http::ClientOptions};
use azure_identity::{
    ClientAssertionCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use std::{env, sync::Arc};

/// The credential of this kind. Of a managed identity, `AZURE_CLIENT_ID` says which, unless it is the system's own.
pub(crate) fn credential(
    kind: CredentialKind,
    client_options: ClientOptions,
) -> azure_core::Result<Option<Arc<dyn TokenCredential>>> {
    Ok(match kind {
        CredentialKind::None => None,
        CredentialKind::DeveloperTools => Some(DeveloperToolsCredential::new(None)?),
        CredentialKind::ManagedIdentity => {
            let options = ManagedIdentityCredentialOptions {
                user_assigned_id: env::var("AZURE_CLIENT_ID").ok().map(UserAssignedId::ClientId),
                client_options,
            };
            Some(ManagedIdentityCredential::new(Some(options))?)
        }
        CredentialKind::WorkloadIdentity => {
            let options = WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                ..Default::default()
            };
            Some(WorkloadIdentityCredential::new(Some(options))?)
        }
    })
}
