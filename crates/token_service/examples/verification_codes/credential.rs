//! Tokens for Azure's services.

use crate::config::CredentialKind;
use azure_core::credentials::TokenCredential;
use azure_identity::{
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential,
};
use std::{env, sync::Arc};

/// The credential of this kind. Of a managed identity, `AZURE_CLIENT_ID` says which, unless it is the system's own.
pub(crate) fn credential(kind: CredentialKind) -> azure_core::Result<Option<Arc<dyn TokenCredential>>> {
    Ok(match kind {
        CredentialKind::None => None,
        CredentialKind::DeveloperTools => Some(DeveloperToolsCredential::new(None)?),
        CredentialKind::ManagedIdentity => {
            let options = ManagedIdentityCredentialOptions {
                user_assigned_id: env::var("AZURE_CLIENT_ID").ok().map(UserAssignedId::ClientId),
                ..Default::default()
            };
            Some(ManagedIdentityCredential::new(Some(options))?)
        }
        CredentialKind::WorkloadIdentity => Some(WorkloadIdentityCredential::new(None)?),
    })
}
