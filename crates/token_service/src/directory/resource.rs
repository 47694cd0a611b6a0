//! The resource of the database, and that of the client.

use super::Directory;
use crate::{
    error::ApiError,
    resource::{ResourceId, ResourceMismatch},
    store::StoreError,
};
use azure_communication_identity::CommunicationUserIdentifier;
use std::fmt::{self, Display, Formatter};
use tracing::{error, warn};

/// A failure to verify that the database belongs to the configured resource.
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// The database has the identities of another resource.
    Mismatch(ResourceMismatch),
    /// The database failed.
    Store(StoreError),
}

impl Directory {
    /// Checks that the database has the identities of the client's resource.
    ///
    /// The endpoint suffices if it is recorded. Otherwise an identity is created and deleted, as only identities show their
    /// resource. If Azure Communication Services fails, the first creation checks it.
    pub(crate) async fn verify_resource(&self) -> Result<(), VerifyError> {
        let (store, acs) = (&self.0.store, &self.0.acs);
        let Some(recorded) = store.resource().await? else {
            // The first identity decides.
            return Ok(());
        };
        let endpoint = acs.endpoint();
        if store.resource_of_endpoint(&endpoint).await?.as_ref() == Some(&recorded) {
            acs.assume_resource(recorded);
            return Ok(());
        }
        let Ok(configured) = acs.resource().await else {
            warn!(
                resource = %recorded,
                "it is not known whether acs.* is the resource of the database: Azure Communication Services did not answer, \
                 and the first creation of an identity will check it"
            );
            return Ok(());
        };
        let configured = configured.clone();
        let recorded = store.record_resource(&configured, &endpoint).await?;
        if recorded == configured {
            return Ok(());
        }
        Err(VerifyError::Mismatch(ResourceMismatch { recorded, configured }))
    }

    /// Checks that a new identity is of the database's resource, and records the resource of the first one. An identity of
    /// another resource is deleted.
    pub(super) async fn check_created(&self, identity: &CommunicationUserIdentifier) -> Result<(), ApiError> {
        let configured = ResourceId::of(identity);
        let recorded = match self.0.resource.get() {
            Some(recorded) => recorded.clone(),
            None => match self.0.store.record_resource(&configured, &self.0.acs.endpoint()).await {
                Ok(recorded) => self.0.resource.get_or_init(|| recorded).clone(),
                Err(error) => {
                    // The identity exists, and its user shall have it. The next creation checks again.
                    warn!(%error, "the resource of the database could not be checked");
                    return Ok(());
                }
            },
        };
        if recorded == configured {
            return Ok(());
        }
        self.0.acs.delete_created(identity).await;
        let mismatch = ResourceMismatch { recorded, configured };
        error!(%mismatch, "no identity is created");
        Err(ApiError::other_resource())
    }
}

impl From<StoreError> for VerifyError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Display for VerifyError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch(mismatch) => mismatch.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VerifyError {}
