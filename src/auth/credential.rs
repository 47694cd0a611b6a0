//! The credential of a client, and the policy that authenticates its requests.

use super::{AzureKeyCredential, Clock, entra::bearer_token_policy, signer::SignaturePolicy};
use crate::policies::next_policy;
use azure_core::{
    Error,
    credentials::{Secret, TokenCredential},
    error::ErrorKind,
    http::{
        Context, Request,
        headers::AUTHORIZATION,
        policies::{Policy, PolicyResult},
    },
};
use std::sync::Arc;

/// The kind of credential that authenticates a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialKind {
    AccessKey,
    TokenCredential,
    /// The Entra token of the user whom the call is for.
    UserToken,
}

/// In a call's [`Context`], the Entra token of the user on whose behalf it is made. It takes the place of the client's own
/// credential.
pub(crate) struct UserToken(pub(crate) Secret);

/// Authenticates every attempt: by the user token of the call if it has one, otherwise by the client's credential.
#[derive(Debug)]
pub(crate) enum AuthenticationPolicy {
    /// Signs with an access key.
    AccessKey(SignaturePolicy),
    /// Sends a token of a token credential.
    TokenCredential(Arc<dyn Policy>),
    /// Sends the user token of each call.
    UserToken,
}

impl AuthenticationPolicy {
    /// Signs with an access key, dated by `clock`, which follows the service's if `corrects_clock`.
    pub(crate) fn access_key(key: AzureKeyCredential, clock: Clock, corrects_clock: bool) -> Self {
        Self::AccessKey(SignaturePolicy::new(key, clock, corrects_clock))
    }

    /// Asks a token credential for tokens with a scope.
    pub(crate) fn token_credential(credential: Arc<dyn TokenCredential>, scope: &str) -> Self {
        Self::TokenCredential(bearer_token_policy(credential, scope))
    }

    pub(crate) fn kind(&self) -> CredentialKind {
        match self {
            Self::AccessKey(_) => CredentialKind::AccessKey,
            Self::TokenCredential(_) => CredentialKind::TokenCredential,
            Self::UserToken => CredentialKind::UserToken,
        }
    }
}

#[async_trait::async_trait]
impl Policy for AuthenticationPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if let Some(UserToken(token)) = ctx.value() {
            request.insert_header(AUTHORIZATION, format!("Bearer {}", token.secret()));
            let (policy, next) = next_policy(next)?;
            return policy.send(ctx, request, next).await;
        }
        match self {
            Self::AccessKey(policy) => policy.send_signed(ctx, request, next).await,
            Self::TokenCredential(policy) => policy.send(ctx, request, next).await,
            Self::UserToken => Err(Error::with_message(ErrorKind::Credential, "the call has no user token")),
        }
    }
}
