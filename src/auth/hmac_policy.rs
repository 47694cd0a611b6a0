//! The pipeline policy that signs every try with an access key.

use super::{AzureKeyCredential, Clock, signing::Unsigned};
use crate::{policies::next_policy, service::CONTENT_SHA256};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        Body, Context, Request,
        headers::{AUTHORIZATION, MS_DATE},
        policies::{Policy, PolicyResult},
    },
    time::to_rfc7231,
};
use std::sync::Arc;

/// Signs a request, again at every try: a signature is good for five minutes, and retries can take longer.
#[derive(Debug)]
pub(crate) struct HmacPolicy {
    credential: AzureKeyCredential,
    clock: Clock,
}

impl HmacPolicy {
    pub(crate) fn new(credential: AzureKeyCredential, clock: Clock) -> Self {
        Self { credential, clock }
    }
}

#[async_trait::async_trait]
impl Policy for HmacPolicy {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let Body::Bytes(body) = request.body() else {
            return Err(Error::with_message(
                ErrorKind::Other,
                "a request whose body is a stream cannot be signed",
            ));
        };
        let date = to_rfc7231(&self.clock.now());
        let signature = self.credential.sign(&Unsigned {
            method: request.method(),
            url: request.url(),
            date: &date,
            body,
        });
        request.insert_header(MS_DATE, date);
        request.insert_header(CONTENT_SHA256, signature.content_hash);
        request.insert_header(AUTHORIZATION, signature.authorization);

        let (policy, next) = next_policy(next)?;
        policy.send(ctx, request, next).await
    }
}
