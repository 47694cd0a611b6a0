//! The caller's token and the error of handlers, for actix-web.

use super::HandlerError;
use crate::models::InboundToken;
use actix_web::{
    FromRequest, HttpRequest, HttpResponse, ResponseError,
    body::BoxBody,
    dev::Payload,
    http::{StatusCode, header::AUTHORIZATION},
};
use std::future::{Ready, ready};

/// Extracts the caller's token from the `Authorization` header, of which there must be one.
impl FromRequest for InboundToken {
    type Error = HandlerError;
    type Future = Ready<Result<Self, HandlerError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let mut values = request.headers().get_all(AUTHORIZATION);
        let value = values.next().filter(|_| values.next().is_none());
        ready(HandlerError::caller(value.and_then(|value| value.to_str().ok())))
    }
}

impl ResponseError for HandlerError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.log();
        let mut response = HttpResponse::build(self.status_code());
        for header in self.headers() {
            response.insert_header(header);
        }
        response.body(self.body())
    }
}
