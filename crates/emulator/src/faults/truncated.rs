//! Answers that end in the middle of their body.

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, Collected};
use hyper::body::{Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// Sends the head of a response, with the length of its body, and half of the body. An empty one cannot be cut.
pub(super) async fn truncate(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let whole = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    if whole.is_empty() {
        return Response::from_parts(head, Body::empty());
    }
    head.headers.insert(CONTENT_LENGTH, whole.len().into());
    Response::from_parts(head, Body::new(Truncated::Begun(whole)))
}

/// A body that promises more than it has.
enum Truncated {
    Begun(Bytes),
    /// What was sent has to be flushed before the failure ends the connection.
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
