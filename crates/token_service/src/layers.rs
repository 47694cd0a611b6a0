//! What every request goes through.

use crate::{error::ApiError, metrics::Metrics};
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{
        HeaderName, HeaderValue, Method,
        header::{
            AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
            STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::{Next, from_fn, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};
use tracing::{Instrument, field::Empty, info, info_span};
use uuid::Uuid;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken over.
const MAX_REQUEST_ID: usize = 64;

/// Bounds of a request, and who may send it from a browser.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) body: usize,
    pub(crate) origins: Vec<HeaderValue>,
}

/// Puts the layers around a router, the outermost last.
pub(crate) fn around(router: Router, bounds: Bounds, metrics: Arc<Metrics>) -> Router {
    router
        .layer(DefaultBodyLimit::max(bounds.body))
        .layer(CatchPanicLayer::custom(|_| ApiError::internal().into_response()))
        .layer(from_fn_with_state(bounds.time, time_limit))
        .layer(cors(bounds.origins))
        .layer(map_response(security_headers))
        .layer(from_fn_with_state(metrics, observe))
        .layer(from_fn(request_id))
}

async fn time_limit(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let answer = timeout(limit, next.run(request)).await;
    answer.unwrap_or_else(|_| ApiError::timeout().into_response())
}

fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            REQUEST_ID,
            HeaderName::from_static(crate::teams::TEAMS_TOKEN),
        ])
        .expose_headers([REQUEST_ID, RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(Duration::from_mins(10))
}

async fn security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Logs and counts what was answered: by route, so that ids in paths stay out of it.
async fn observe(
    State(metrics): State<Arc<Metrics>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = known_method(request.method());
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let span = info_span!("request", id, method, route, reason = Empty);
    let response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), started.elapsed());
    metrics.request(method, route, status, took);
    span.in_scope(|| info!(status, microseconds = took.as_micros(), "answered"));
    response
}

/// The methods that routes have; callers can make up any other.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Gives a request an id, unless it comes with one that a log can take, and answers it.
async fn request_id(mut request: Request, next: Next) -> Response {
    let headers = request.headers_mut();
    let id = headers.get(REQUEST_ID).filter(|id| is_request_id(id)).cloned();
    let id = id.unwrap_or_else(|| {
        let id = HeaderValue::try_from(Uuid::new_v4().to_string());
        id.unwrap_or_else(|_| HeaderValue::from_static("none"))
    });
    headers.insert(REQUEST_ID, id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn is_request_id(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    !id.is_empty()
        && id.len() <= MAX_REQUEST_ID
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}
