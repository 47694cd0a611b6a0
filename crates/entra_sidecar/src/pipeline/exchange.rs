//! A request on its way, and its answer.

use super::{call::Call, following};
use azure_core::{
    Bytes, Error, Result,
    error::ErrorKind,
    http::{
        AsyncRawResponse, AsyncResponseBody, Context, RawResponse, Request,
        policies::{Policy, PolicyResult},
    },
};
use futures::StreamExt as _;
use std::sync::Arc;

/// Sends a request and reads the whole answer.
///
/// The body is read inside the try, so that a connection lost halfway is retried like one lost before, and no further than
/// the caller allows, so that an answer cannot fill the memory.
///
/// Stands after all other policies of this client.
#[derive(Debug)]
pub(super) struct ExchangePolicy;

#[async_trait::async_trait]
impl Policy for ExchangePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let (policy, next) = following(next)?;
        let (status, headers, body) = policy.send(ctx, request, next).await?.deconstruct();
        let max_len = ctx.value::<Call>().map_or(usize::MAX, |call| call.max_answer_len);
        let body = collect(body, max_len).await?;
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// Turns a response whose body [`ExchangePolicy`] has read into one that needs no waiting.
pub(super) async fn buffered(response: AsyncRawResponse) -> Result<RawResponse> {
    let (status, headers, body) = response.deconstruct();
    let body = collect(body, usize::MAX).await?;
    Ok(RawResponse::from_bytes(status, headers, body))
}

/// Reads a body of up to `max_len` bytes. One that comes in one piece is not copied.
async fn collect(mut body: AsyncResponseBody, max_len: usize) -> Result<Bytes> {
    let mut bytes = Bytes::new();
    while let Some(chunk) = body.next().await.transpose()? {
        if chunk.len() > max_len - bytes.len() {
            return Err(Error::with_message(
                ErrorKind::DataConversion,
                format!("the answer is longer than {max_len} bytes, the most that the option `max_answer_len` allows"),
            ));
        }
        bytes = append(bytes, chunk);
    }
    Ok(bytes)
}

/// Joins two pieces; the buffer of the first one grows where it can.
fn append(bytes: Bytes, chunk: Bytes) -> Bytes {
    if bytes.is_empty() {
        return chunk;
    }
    let mut whole = Vec::from(bytes);
    whole.extend_from_slice(&chunk);
    whole.into()
}
