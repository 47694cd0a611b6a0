//! The bodies of responses: read whole, up to a limit.

use crate::runtime;
use azure_core::{
    Bytes, Error, Result,
    error::ErrorKind,
    http::{AsyncRawResponse, AsyncResponseBody, RawResponse, StatusCode},
    time::Duration,
};
use futures::StreamExt as _;

/// The longest time for the body of a failure, whose status says the most.
const FAILURE_BODY_TIMEOUT: Duration = Duration::seconds(5);

/// The longest body that is read.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit {
    /// Its length in bytes.
    pub max_len: usize,
    /// The advice to a caller who gets a longer one.
    pub remedy: &'static str,
}

/// Reads the body of a response. A failure is returned with what could be read of its body in five seconds, or in half of the
/// time that is left.
///
/// # Errors
///
/// The response is a success, and its body is too long or cannot be read to its end.
pub async fn buffered(
    response: AsyncRawResponse,
    limit: BodyLimit,
    time_left: Option<Duration>,
) -> Result<RawResponse> {
    let (status, headers, body) = response.deconstruct();
    let mut bytes = Bytes::new();
    if status.is_success() {
        collect(status, body, limit, &mut bytes).await?;
    } else {
        let timeout = time_left.map_or(FAILURE_BODY_TIMEOUT, |left| FAILURE_BODY_TIMEOUT.min(left / 2));
        let collected = collect(status, body, limit, &mut bytes);
        // The status says the most, also without the body.
        let _ = runtime::timeout(Some(timeout), collected).await;
    }
    Ok(RawResponse::from_bytes(status, headers, bytes))
}

/// Passes on a response that has been read.
#[must_use]
pub fn into_stream(response: RawResponse) -> AsyncRawResponse {
    let (status, headers, body) = response.deconstruct();
    AsyncRawResponse::from_bytes(status, headers, body)
}

/// Reads a body up to a limit. A body in one piece is not copied.
async fn collect(status: StatusCode, mut body: AsyncResponseBody, limit: BodyLimit, bytes: &mut Bytes) -> Result<()> {
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(interrupted)?;
        let room = limit.max_len - bytes.len();
        if chunk.len() > room {
            append(bytes, chunk.slice(..room));
            let BodyLimit { max_len, remedy } = limit;
            let text = format!("the response (status {status}) is longer than {max_len} bytes; {remedy}");
            return Err(Error::with_message(ErrorKind::DataConversion, text));
        }
        append(bytes, chunk);
    }
    Ok(())
}

/// Appends a piece; the buffer of the first one grows where it can.
fn append(bytes: &mut Bytes, chunk: Bytes) {
    if bytes.is_empty() {
        *bytes = chunk;
        return;
    }
    let mut whole = Vec::from(std::mem::take(bytes));
    whole.extend_from_slice(&chunk);
    *bytes = whole.into();
}

/// Gives a body that broke off the kind `Io`: `Connection`, which a transport may call it, means that nothing was sent.
fn interrupted(error: Error) -> Error {
    if *error.kind() != ErrorKind::Connection {
        return error;
    }
    let text = error.to_string();
    Error::with_error(ErrorKind::Io, error, text)
}
