//! The pipeline policy that proves at every try where a request comes from.

use super::signer::Signer;
use crate::policies::next_policy;
use azure_core::{
    Error,
    credentials::Secret,
    error::ErrorKind,
    http::{
        Context, Request,
        headers::AUTHORIZATION,
        policies::{Policy, PolicyResult},
    },
};
use std::sync::Arc;

/// In a call's [`Context`], the Entra token of the user on whose behalf it is made. It takes the place of the client's own
/// proof.
pub(crate) struct UserToken(pub(crate) Secret);

/// Proves where a request comes from: by the user token of the call if it has one, otherwise by the client's own means.
#[derive(Debug)]
pub(crate) enum AuthenticationPolicy {
    /// With an access key.
    Signature(Signer),
    /// With azure_core's policy for a token credential.
    Bearer(Arc<dyn Policy>),
    /// By the user token of each call alone.
    UserToken,
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
            Self::Signature(signer) => signer.send(ctx, request, next_policy(next)?).await,
            Self::Bearer(policy) => policy.send(ctx, request, next).await,
            Self::UserToken => Err(Error::with_message(ErrorKind::Credential, "the call has no user token")),
        }
    }
}
