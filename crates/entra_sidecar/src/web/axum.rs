//! The caller's token and the error of handlers, for axum.

use super::HandlerError;
use crate::models::InboundToken;
use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
};

/// Extracts the caller's token from the `Authorization` header, of which there must be one.
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
        let headers = self.headers().into_iter();
        let headers: HeaderMap = headers
            .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
            .collect();
        (status, headers, Body::from(self.body())).into_response()
    }
}
