//! Middleware around the routes.

use crate::state::{Effect, RecordedRequest, State};
use axum::{
    body::{Body, to_bytes},
    extract::{self, Request},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use std::{future::pending, sync::Arc};
use url::form_urlencoded;

/// The longest body that is read, in bytes.
pub(crate) const MAX_BODY_LEN: usize = 64 * 1024 * 1024;

pub(crate) type SharedState = extract::State<Arc<State>>;

/// Records each request.
pub(crate) async fn record(state: SharedState, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_LEN).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    state.requests.push(RecordedRequest {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: query_pairs(parts.uri.query()),
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// Refuses requests to other host names, which a browser sends after DNS rebinding.
pub(crate) async fn require_local_host(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let is_local = host.is_some_and(|host| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        ["localhost", "127.0.0.1", "[::1]"].contains(&name)
    });
    if is_local {
        next.run(request).await
    } else {
        let page = Html("<h2>Bad Request - Invalid Hostname</h2>");
        (StatusCode::BAD_REQUEST, page).into_response()
    }
}

pub(crate) async fn forbid_caching(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status().is_success() {
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
            (header::EXPIRES, "0"),
            (header::PRAGMA, "no-cache"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// Gives a request the effect of the next injected fault.
pub(crate) async fn inject_faults(state: SharedState, request: Request, next: Next) -> Response {
    let Some(fault) = state.next_fault() else {
        return next.run(request).await;
    };
    let status = match fault.effect {
        Effect::Silence => pending().await,
        Effect::Before(status) => status,
        Effect::After(status) => {
            next.run(request).await;
            status
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = status.into_response();
    if let Some(wait) = fault.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, wait.as_secs().into());
    }
    response
}

pub(crate) fn query_pairs(query: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}
