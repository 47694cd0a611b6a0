//! The guard of the control surface, which admits programs on this machine, those that have the control token, and no
//! pages in a browser.
//!
//! A page of any site can make a browser send requests to loopback, but the request has its `Origin` or
//! `Sec-Fetch-Site`. If the name of the site was rebound to 127.0.0.1, so that the browser sees a single origin, the
//! request has its `Host`. A proxy on this machine makes the requests of other machines come from loopback, but says so.

use crate::http::{Endpoint, Peer, Service, ServiceError, header_text};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{
        AUTHORIZATION, CACHE_CONTROL, FORWARDED, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
        WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};

/// The header in which a browser names the relation of the page to the site: `none` if a person typed the address.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The challenge to a browser, which asks for a user name and a password.
const BASIC: HeaderValue = HeaderValue::from_static(r#"Basic realm="ACS Identity emulator""#);

/// Adds headers that keep a response out of caches and from other sites.
pub(super) async fn add_privacy_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Passes a request on that may use the control surface.
pub(super) async fn require_access(State(endpoint): State<Endpoint>, request: Request, next: Next) -> Response {
    let (service, headers) = (&endpoint.service, request.headers());
    if !has_token(service, headers) {
        let is_local = request.extensions().get().is_some_and(|peer: &Peer| peer.is_loopback());
        if !is_local || headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR) {
            return unauthorized(service);
        }
        if !header_text(headers, HOST).is_some_and(|host| service.addresses.include(host)) {
            return forbidden("the Host is not 127.0.0.1, [::1], localhost or one that `--name` gives");
        }
    }
    if header_text(headers, SEC_FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return forbidden("a page of another site asks for it. Type the address, or paste it");
    }
    let own_origin = header_text(headers, HOST).map(|host| format!("{}://{host}", endpoint.scheme));
    if headers.contains_key(ORIGIN) && header_text(headers, ORIGIN) != own_origin.as_deref() {
        return forbidden("the Origin is not the emulator's own");
    }
    next.run(request).await
}

fn has_token(service: &Service, headers: &HeaderMap) -> bool {
    let given = header_text(headers, AUTHORIZATION);
    let token = service.control_token.as_ref();
    token.zip(given).is_some_and(|(token, given)| token.authorizes(given))
}

fn unauthorized(service: &Service) -> Response {
    let remedy = if service.control_token.is_some() {
        "Send the control token, as `Authorization: Bearer <token>`."
    } else {
        "Start the emulator with `--control-token`, and send that token as `Authorization: Bearer <token>`."
    };
    let message = format!("The control surface is for programs on the emulator's machine. {remedy}");
    let error = ServiceError::new(StatusCode::UNAUTHORIZED, "Unauthorized", message);
    let mut response = error.into_response();
    let headers = response.headers_mut();
    headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    if service.control_token.is_some() {
        headers.append(WWW_AUTHENTICATE, BASIC);
    }
    response
}

fn forbidden(reason: &str) -> Response {
    let message = format!("The control surface is for programs on this machine: {reason}.");
    ServiceError::new(StatusCode::FORBIDDEN, "Forbidden", message).into_response()
}
