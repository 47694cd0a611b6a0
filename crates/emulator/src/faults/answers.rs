//! Answers in place of those of the service.

use crate::service::ServiceError;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;

/// A page such as gateways send.
const PAGE: &str = "<html>\r\n\
    <head><title>502 Bad Gateway</title></head>\r\n\
    <body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n\
    <hr><center>injected by the emulator</center>\r\n\
    </body>\r\n\
    </html>\r\n";

/// The answer of a gateway that cannot reach the service.
pub(super) fn page() -> Response {
    (StatusCode::BAD_GATEWAY, Html(PAGE)).into_response()
}

/// An error of the service's form. `description` is the text of what strikes the request.
pub(super) fn error(status: StatusCode, retry_after: Option<u32>, description: &str) -> ServiceError {
    let message = format!("This error was injected by the emulator: {description}.");
    let error = ServiceError::new(status, code(status), message);
    match retry_after {
        Some(seconds) => error.retry_after(seconds.into()),
        None => error,
    }
}

/// The code that goes with a status.
fn code(status: StatusCode) -> &'static str {
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
