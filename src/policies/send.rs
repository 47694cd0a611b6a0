//! The sending of a request, and the reading of its response.

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
use std::sync::Arc;

/// The longest body that is read, in bytes. The service's own have one or two thousand.
const MAX_LEN: usize = 1024 * 1024;

/// Sends a request and reads the whole response.
///
/// It stands behind all other policies, those of the caller included: what fails before it has not touched the service.
///
/// The body is read inside the attempt, so that a connection lost halfway is retried like one lost before, and no further
/// than [`MAX_LEN`], so that no endpoint can fill the memory. A failure keeps its status, its headers and what was read of
/// its body.
#[derive(Debug)]
pub(crate) struct SendPolicy;

#[async_trait::async_trait]
impl Policy for SendPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let call = ctx.value::<Call>();
        if let Some(call) = call {
            call.sent();
        }
        let (policy, next) = next_policy(next)?;
        let response = policy.send(ctx, request, next).await?;
        if let Some(call) = call {
            call.answered();
        }
        buffered(response).await.map(into_stream)
    }
}

/// Reads the body of a response. A failure is returned with what could be read.
pub(crate) async fn buffered(response: AsyncRawResponse) -> Result<RawResponse> {
    let (status, headers, body) = response.deconstruct();
    let (bytes, end) = collect(status, body).await;
    if status.is_success() {
        end?;
    }
    Ok(RawResponse::from_bytes(status, headers, bytes))
}

/// Passes on a response that has been read.
pub(crate) fn into_stream(response: RawResponse) -> AsyncRawResponse {
    let (status, headers, body) = response.deconstruct();
    AsyncRawResponse::from_bytes(status, headers, body)
}

/// Reads a body up to [`MAX_LEN`] bytes, and says whether that was all. One that comes in one piece is not copied.
async fn collect(status: StatusCode, mut body: AsyncResponseBody) -> (Bytes, Result<()>) {
    let mut bytes = Bytes::new();
    while let Some(chunk) = body.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => return (bytes, Err(interrupted(error))),
        };
        let room = MAX_LEN - bytes.len();
        if chunk.len() > room {
            return (append(bytes, chunk.slice(..room)), Err(overlong(status)));
        }
        bytes = append(bytes, chunk);
    }
    (bytes, Ok(()))
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

/// Gives a body that broke off the kind `Io`: `Connection`, which a transport may call it, means that nothing was sent.
fn interrupted(error: Error) -> Error {
    if *error.kind() != ErrorKind::Connection {
        return error;
    }
    let text = error.to_string();
    Error::with_error(ErrorKind::Io, error, text)
}

fn overlong(status: StatusCode) -> Error {
    Error::with_message(
        ErrorKind::DataConversion,
        format!(
            "the answer (status {status}) is longer than {MAX_LEN} bytes, so it is not the service's own; check the \
             endpoint, and any proxy in between"
        ),
    )
}
