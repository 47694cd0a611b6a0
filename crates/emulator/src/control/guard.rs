//! Restricts the control surface to programs on this machine, and keeps out pages in a browser.
//!
//! A page of any site can make a browser send requests to loopback, but its `Origin` gives it away. If the name of the
//! site was rebound to 127.0.0.1, so that the browser sees a single origin, its `Host` does.

use crate::{endpoint::Scheme, header, service::ServiceError};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    StatusCode,
    header::{HOST, ORIGIN},
    uri::Authority,
};

pub(super) async fn require_local(
    State(scheme): State<Scheme>,
    request: Request,
    next: Next,
) -> Result<Response, ServiceError> {
    let refuse = |reason| {
        let message = "The control surface is for programs on this machine.";
        Err(ServiceError::new(StatusCode::FORBIDDEN, "Forbidden", message).because(reason))
    };
    let headers = request.headers();
    let Some(host) = header::text(headers, HOST).filter(|host| is_loopback(host)) else {
        return refuse("the Host is not 127.0.0.1, [::1] or localhost");
    };
    if headers.contains_key(ORIGIN) && header::text(headers, ORIGIN) != Some(&format!("{scheme}://{host}")) {
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
