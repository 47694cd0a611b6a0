//! Answers in place of those of the service.

use crate::service::ServiceError;
use axum::response::{Html, IntoResponse, Response};
use http::{StatusCode, header::RETRY_AFTER};

/// An answer in place of the operation's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InjectedAnswer {
    pub(super) status: StatusCode,
    /// In seconds.
    pub(super) retry_after: Option<u32>,
    pub(super) body: InjectedBody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InjectedBody {
    /// An error of the service's form, with this code or the status's own.
    Error { code: Option<String> },
    /// The page of a gateway in front of the service.
    Page,
}

impl InjectedAnswer {
    /// The response, without the service's headers. `description` is the text of the faults that apply to the request.
    pub(super) fn response(&self, description: &str) -> Response {
        let mut response = match &self.body {
            InjectedBody::Error { code } => {
                let code = code.clone().unwrap_or_else(|| default_code(self.status).to_owned());
                let message = format!("This error was injected by the emulator: {description}.");
                ServiceError::new(self.status, code, message).into_response()
            }
            InjectedBody::Page => (self.status, Html(page(self.status))).into_response(),
        };
        let retry_after = self.retry_after.map(|seconds| (RETRY_AFTER, seconds.into()));
        response.headers_mut().extend(retry_after);
        response
    }
}

/// A page such as gateways send.
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

/// The code that goes with a status.
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
