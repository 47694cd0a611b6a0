//! Handlers of axum.

use super::HandlerError;
use crate::inbound_token::InboundToken;
use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
};

/// Takes the caller's token out of the `Authorization` header.
impl<S: Sync> FromRequestParts<S> for InboundToken {
    type Rejection = HandlerError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, HandlerError> {
        let mut values = parts.headers.get_all(AUTHORIZATION).iter();
        let value = values.next().filter(|_| values.next().is_none());
        HandlerError::caller(value.and_then(|value| value.to_str().ok()))
    }
}

impl IntoResponse for HandlerError {
    fn into_response(self) -> Response {
        self.log();
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, header_array(&self), Body::from(self.body())).into_response()
    }
}

fn header_array(error: &HandlerError) -> axum::http::HeaderMap {
    let headers = error.headers().into_iter();
    headers
        .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
        .collect()
}
