//! A request on its way, and its answer.

use super::{Call, next_policy};
use azure_core::{
    Bytes, Error, Result,
    error::ErrorKind,
    http::{
        AsyncRawResponse, AsyncResponseBody, Context, RawResponse, Request, StatusCode,
        policies::{Policy, PolicyResult},
    },
};
use futures::StreamExt as _;
use std::{fmt, sync::Arc};

/// The longest body that is read, in bytes. The service's own have one or two thousand.
const MAX_LEN: usize = 1024 * 1024;

/// Sends a request and reads the whole answer.
///
/// From here on the call counts as sent: what comes before, such as a token credential, has not touched the service.
///
/// The body is read inside the try, so that a connection lost halfway is retried like one lost before, and no further than
/// [`MAX_LEN`], so that an endpoint gone wrong cannot fill the memory. A failure keeps its status and the beginning of its
/// body.
///
/// Stands after all other policies of this client.
#[derive(Debug)]
pub(crate) struct ExchangePolicy;

#[async_trait::async_trait]
impl Policy for ExchangePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if let Some(call) = ctx.value::<Call>() {
            call.send();
        }
        let (policy, next) = next_policy(next)?;
        let (status, headers, body) = policy.send(ctx, request, next).await?.deconstruct();
        let body = collect(body).await?;
        if !body.complete && status.is_success() {
            return Err(Error::new(ErrorKind::DataConversion, OverlongBody { status }));
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, body.bytes))
    }
}

/// A success whose body is longer than [`MAX_LEN`].
#[derive(Debug)]
pub(crate) struct OverlongBody {
    status: StatusCode,
}

impl fmt::Display for OverlongBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the answer (status {}) is longer than {MAX_LEN} bytes, so it is not the service's own; check the endpoint, \
             and any proxy in between",
            self.status
        )
    }
}

impl std::error::Error for OverlongBody {}

/// Turns a response whose body [`ExchangePolicy`] has read into one that needs no waiting.
pub(crate) async fn buffered(response: AsyncRawResponse) -> Result<RawResponse> {
    let (status, headers, body) = response.deconstruct();
    let body = collect(body).await?.bytes;
    Ok(RawResponse::from_bytes(status, headers, body))
}

/// What was read of a body.
struct CollectedBody {
    bytes: Bytes,
    /// Whether the body ended within [`MAX_LEN`].
    complete: bool,
}

/// Reads a body up to [`MAX_LEN`] bytes. One that comes in one piece is not copied.
async fn collect(mut body: AsyncResponseBody) -> Result<CollectedBody> {
    let mut bytes = Bytes::new();
    while let Some(chunk) = body.next().await.transpose()? {
        let room = MAX_LEN - bytes.len();
        if chunk.len() > room {
            return Ok(CollectedBody {
                bytes: append(bytes, chunk.slice(..room)),
                complete: false,
            });
        }
        bytes = append(bytes, chunk);
    }
    Ok(CollectedBody { bytes, complete: true })
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
