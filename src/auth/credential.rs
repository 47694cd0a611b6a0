//! What a client proves with where its requests come from.

use super::{
    AuthenticationPolicy, AzureKeyCredential, Clock, entra::bearer_token_policy, signer::Signer,
    signing_clock::SigningClock,
};
use crate::error::Authentication;
use azure_core::credentials::TokenCredential;
use std::sync::Arc;

/// What a client proves with where its requests come from.
#[derive(Debug)]
pub(crate) enum Credential {
    AccessKey {
        key: AzureKeyCredential,
        /// Dates the signatures.
        clock: Clock,
        /// Whether the clock follows the service's when that refuses a date.
        correct_clock_skew: bool,
    },
    Entra {
        credential: Arc<dyn TokenCredential>,
        /// What it is asked for.
        scope: String,
    },
    /// Nothing of its own: every call brings the token of a user.
    UserToken,
}

impl Credential {
    pub(crate) fn authentication(&self) -> Authentication {
        match self {
            Self::AccessKey { .. } => Authentication::AccessKey,
            Self::Entra { .. } => Authentication::Entra,
            Self::UserToken => Authentication::UserToken,
        }
    }

    /// The policy that puts the proof on every try.
    pub(crate) fn into_policy(self) -> AuthenticationPolicy {
        match self {
            Self::AccessKey {
                key,
                clock,
                correct_clock_skew,
            } => AuthenticationPolicy::Signature(Signer::new(key, SigningClock::new(clock, correct_clock_skew))),
            Self::Entra { credential, scope } => AuthenticationPolicy::Bearer(bearer_token_policy(credential, &scope)),
            Self::UserToken => AuthenticationPolicy::UserToken,
        }
    }
}
