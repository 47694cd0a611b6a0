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
#[derive(Clone, Debug)]
pub(crate) struct AuthenticationPolicy {
    pub(crate) kind: CredentialKind,
    /// `None` if every call brings the token of a user.
    policy: Option<Arc<dyn Policy>>,
}

impl AuthenticationPolicy {
    /// Signs with an access key, dated by `clock`, which follows the service's if `corrects_clock`.
    pub(crate) fn access_key(key: AzureKeyCredential, clock: Clock, corrects_clock: bool) -> Self {
        Self {
            kind: CredentialKind::AccessKey,
            policy: Some(Arc::new(SignaturePolicy::new(key, clock, corrects_clock))),
        }
    }

    /// Asks a token credential for tokens with a scope.
    pub(crate) fn token_credential(credential: Arc<dyn TokenCredential>, scope: &str) -> Self {
        Self {
            kind: CredentialKind::TokenCredential,
            policy: Some(bearer_token_policy(credential, scope)),
        }
    }

    /// Has nothing of its own: every call brings the token of a user.
    pub(crate) fn user_tokens() -> Self {
        Self {
            kind: CredentialKind::UserToken,
            policy: None,
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
        match &self.policy {
            Some(policy) => policy.send(ctx, request, next).await,
            None => Err(Error::with_message(ErrorKind::Credential, "the call has no user token")),
        }
    }
}
