//! The guard of the control surface, which admits programs on this machine and no pages in a browser.
//!
//! A page of any site can make a browser send requests to loopback, but the request has its `Origin` or
//! `Sec-Fetch-Site`. If the name of the site was rebound to 127.0.0.1, so that the browser sees a single origin, the
//! request has its `Host`.

use crate::http::{Scheme, ServiceError, header_text};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    uri::Authority,
};

/// The header in which a browser names the relation of the page to the site: `none` if a person typed the address.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Adds headers that keep a response out of caches and from other sites.
pub(super) async fn add_privacy_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    response
}

pub(super) async fn require_local(
    State(scheme): State<Scheme>,
    request: Request,
    next: Next,
) -> Result<Response, ServiceError> {
    let refuse = |reason| {
        let message = format!("The control surface is for programs on this machine: {reason}.");
        Err(ServiceError::new(StatusCode::FORBIDDEN, "Forbidden", message))
    };
    let headers = request.headers();
    let Some(host) = header_text(headers, HOST).filter(|host| is_loopback(host)) else {
        return refuse("the Host is not 127.0.0.1, [::1] or localhost");
    };
    if header_text(headers, SEC_FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return refuse("a page of another site asks for it. Type the address, or paste it");
    }
    if headers.contains_key(ORIGIN) && header_text(headers, ORIGIN) != Some(&format!("{scheme}://{host}")) {
        return refuse("the Origin is not the emulator's own");
    }
    Ok(next.run(request).await)
}

fn is_loopback(host: &str) -> bool {
    host.parse::<Authority>()
        .is_ok_and(|authority| matches!(authority.host(), "127.0.0.1" | "[::1]" | "localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_three_names_and_any_port() {
        for host in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "127.0.0.1:80",
            "localhost:65535",
            "[::1]:1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.nip.io:80",
            "127.0.0.2",
            "user@example.com",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
