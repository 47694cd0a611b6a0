//! The credential of a client, whichever kind it is.

use super::{AzureKeyCredential, Clock, entra::bearer_token_policy, hmac_policy::HmacPolicy};
use crate::error::Authentication;
use azure_core::{credentials::TokenCredential, http::policies::Policy};
use std::sync::Arc;

/// What requests prove themselves with.
#[derive(Debug)]
pub(crate) enum Credential {
    AccessKey(AzureKeyCredential),
    Entra(Arc<dyn TokenCredential>),
}

impl Credential {
    pub(crate) fn authentication(&self) -> Authentication {
        match self {
            Self::AccessKey(_) => Authentication::AccessKey,
            Self::Entra(_) => Authentication::Entra,
        }
    }

    /// The policy that puts the proof on every try.
    ///
    /// `clock` dates signatures; `entra_scope` is what a token credential is asked for.
    pub(crate) fn into_policy(self, clock: Clock, entra_scope: &str) -> Arc<dyn Policy> {
        match self {
            Self::AccessKey(key) => Arc::new(HmacPolicy::new(key, clock)),
            Self::Entra(credential) => bearer_token_policy(credential, entra_scope),
        }
    }
}
