//! The headers that every response of the service has, and header values as text.

use crate::{
    dates,
    http::{Endpoint, Service, cross_origin},
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD},
};
use http::header::{AsHeaderName, DATE, HeaderMap, HeaderName, HeaderValue, ORIGIN, STRICT_TRANSPORT_SECURITY};
use std::time::Instant;
use uuid::Uuid;

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const RETURN_CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-return-client-request-id");

/// Headers with a constant value.
const CONSTANT: [(HeaderName, HeaderValue); 3] = [
    (
        HeaderName::from_static("request-context"),
        HeaderValue::from_static("appId="),
    ),
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=2592000")),
    (
        HeaderName::from_static("x-cache"),
        HeaderValue::from_static("CONFIG_NOCACHE"),
    ),
];

pub(super) async fn add(State(endpoint): State<Endpoint>, request: Request, next: Next) -> Response {
    let headers = ServiceHeaders::of_request(request.headers());
    let mut response = next.run(request).await;
    headers.add_to(&mut response, &endpoint.service);
    response
}

/// The headers that depend on the request.
pub(super) struct ServiceHeaders {
    started: Instant,
    client_request_id: Option<HeaderValue>,
    /// The origin of the page that sends the request.
    origin: Option<HeaderValue>,
}

impl ServiceHeaders {
    pub(super) fn of_request(request: &HeaderMap) -> Self {
        Self {
            started: Instant::now(),
            client_request_id: wanted_client_request_id(request).cloned(),
            origin: request.get(ORIGIN).cloned(),
        }
    }

    /// Adds these and the constant headers to the response.
    pub(super) fn add_to(self, response: &mut Response, Service { resource, .. }: &Service) {
        // One for both headers with an id, as reading random bytes is a system call.
        let id = Uuid::new_v4();
        let headers = response.headers_mut();
        headers.extend(CONSTANT);
        headers.extend(self.client_request_id.map(|id| (CLIENT_REQUEST_ID, id)));
        if let Some(origin) = self.origin {
            cross_origin::allow(origin, headers);
        }
        let varying = [
            (DATE, dates::format_http_date(resource.clock.now())),
            (HeaderName::from_static("ms-cv"), correlation_vector(id)),
            (HeaderName::from_static("x-azure-ref"), azure_ref(resource.id, id)),
            (
                HeaderName::from_static("x-processing-time"),
                format!("{}ms", self.started.elapsed().as_millis()),
            ),
        ];
        for (name, value) in varying {
            headers.extend(HeaderValue::try_from(value).ok().map(|value| (name, value)));
        }
    }
}

/// The client's request id, if the client asks for it in the response.
fn wanted_client_request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    let wanted = headers.get(RETURN_CLIENT_REQUEST_ID)?;
    wanted
        .as_bytes()
        .eq_ignore_ascii_case(b"true")
        .then(|| headers.get(CLIENT_REQUEST_ID))?
}

/// A correlation vector such as `Gh7Rkd3o/kqpY1vUV3KVxg.0`: the id of a request that Microsoft's support asks for.
fn correlation_vector(id: Uuid) -> String {
    format!("{}.0", BASE64_STANDARD_NO_PAD.encode(id))
}

/// The id of a request at Azure Front Door: a zero, then 32 bytes in base64.
fn azure_ref(resource: Uuid, id: Uuid) -> String {
    let bytes = [resource.into_bytes(), id.into_bytes()].concat();
    format!("0{}", BASE64_STANDARD.encode(bytes))
}

/// The value of a header; `None` if it is missing or not text.
pub(crate) fn header_text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
