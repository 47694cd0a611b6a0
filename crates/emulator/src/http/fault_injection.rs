//! Fault injection: applies faults to a request, and makes the responses that they send.

use crate::{
    faults::{AppliedFaults, Effect, InjectedBody, InjectedResponse},
    http::{
        Refusal, RequestBody, Service, ServiceError, headers::ServiceHeaders, listener::ResetConnection,
        response::ResponseIdentity,
    },
};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use http::{
    StatusCode,
    header::{CONTENT_LENGTH, RETRY_AFTER},
};
use http_body_util::{BodyExt, Collected};
use hyper::body::{Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::sleep;

/// Responds to the request with faults applied.
pub(super) async fn apply(faults: &AppliedFaults, service: &Service, request: Request, next: Next) -> Response {
    let headers = ServiceHeaders::of_request(request.headers());
    if !faults.latency.is_zero() {
        sleep(faults.latency).await;
    }
    match &faults.effect {
        None | Some(Effect::Latency(_)) => next.run(request).await,
        Some(Effect::ResetAfterCommit) => ResetConnection::AfterCommit.in_place_of(next.run(request).await),
        Some(Effect::TruncatedBody) => truncate(next.run(request).await).await,
        Some(Effect::Response { response, after_commit }) => {
            let unsent = if *after_commit {
                Some(Unsent::of(next.run(request).await).await)
            } else {
                read(request).await;
                None
            };
            let has_service_headers = matches!(response.body, InjectedBody::Error { .. });
            let mut response = injected(response, faults.description());
            if has_service_headers {
                headers.add_to(&mut response, service);
            }
            if let Some(unsent) = unsent {
                unsent.record_in(&mut response);
            }
            response
        }
        Some(Effect::ResetBeforeCommit) => {
            read(request).await;
            ResetConnection::BeforeCommit.in_place_of(Response::default())
        }
    }
}

/// The response of an operation that is not sent, as the log and the list of requests show it.
struct Unsent {
    explanation: String,
    identity: Option<ResponseIdentity>,
}

impl Unsent {
    /// Reads the response to its end, and drops it.
    async fn of(response: Response) -> Self {
        let (mut head, body) = response.into_parts();
        body.collect().await.ok();
        let mut explanation = format!("the operation's response was not sent: {}", head.status.as_u16());
        if let Some(Refusal { code, reason, .. }) = head.extensions.remove() {
            explanation.extend(code.map(|code| format!(" {code}")));
            explanation.extend(reason.map(|reason| format!(": {reason}")));
        }
        Self {
            explanation,
            identity: head.extensions.remove(),
        }
    }

    /// Adds it to the response that is sent in its place.
    fn record_in(self, response: &mut Response) {
        let extensions = response.extensions_mut();
        let refusal = extensions.get_or_insert_default::<Refusal>();
        refusal.reason = Some(self.explanation);
        if let Some(identity) = self.identity {
            extensions.insert(identity);
        }
    }
}

/// Reads the whole request, so that the client sees the same whether it has sent all of it or not.
async fn read(request: Request) {
    RequestBody::read(request.into_body()).await.ok();
}

/// The response without the service's headers. `description` is the text of the faults that apply to the request.
fn injected(response: &InjectedResponse, description: &str) -> Response {
    let status = response.status;
    let mut injected = match &response.body {
        InjectedBody::Error { code } => {
            let code = code.clone().unwrap_or_else(|| default_code(status).to_owned());
            let message = format!("This error was injected by the emulator: {description}.");
            ServiceError::new(status, code, message).into_response()
        }
        InjectedBody::Page => (status, Html(page(status))).into_response(),
    };
    let retry_after = response.retry_after.map(|seconds| (RETRY_AFTER, seconds.into()));
    injected.headers_mut().extend(retry_after);
    injected
}

/// A page like those of gateways.
fn page(status: StatusCode) -> String {
    let title = match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_str()),
        None => status.as_str().to_owned(),
    };
    format!(
        "<html>\r\n\
         <head><title>{title}</title></head>\r\n\
         <body>\r\n\
         <center><h1>{title}</h1></center>\r\n\
         <hr><center>injected by the emulator</center>\r\n\
         </body>\r\n\
         </html>\r\n"
    )
}

/// The default code of a status.
fn default_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::UNAUTHORIZED => "Unauthorized",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::REQUEST_TIMEOUT => "RequestTimeout",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::INTERNAL_SERVER_ERROR => "InternalServerError",
        StatusCode::BAD_GATEWAY => "BadGateway",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::GATEWAY_TIMEOUT => "GatewayTimeout",
        _ => "InjectedFault",
    }
}

/// Sends the head of a response, with the length of its body, and half of the body. An empty body stays empty.
async fn truncate(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let whole = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    if whole.is_empty() {
        return Response::from_parts(head, Body::empty());
    }
    head.headers.insert(CONTENT_LENGTH, whole.len().into());
    Response::from_parts(head, Body::new(Truncated::Begun(whole)))
}

/// A body that announces more than it has.
enum Truncated {
    Begun(Bytes),
    /// The half must be flushed before the failure ends the connection.
    HalfSent {
        missing: usize,
    },
    Flushed {
        missing: usize,
    },
}

impl hyper::body::Body for Truncated {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Begun(whole) => {
                let half = whole.split_to(whole.len() / 2);
                let missing = whole.len();
                *self = Self::HalfSent { missing };
                Poll::Ready(Some(Ok(Frame::data(half))))
            }
            Self::HalfSent { missing } => {
                let missing = *missing;
                *self = Self::Flushed { missing };
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Flushed { .. } => Poll::Ready(Some(Err(io::Error::other("a fault truncates the body")))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Begun(whole) => whole.len() as u64,
            Self::HalfSent { missing } | Self::Flushed { missing } => *missing as u64,
        })
    }
}
