//! What every request goes through.

use crate::{error::ApiError, metrics::Metrics};
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method,
        header::{
            AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
            STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
};
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
        .layer(from_fn_with_state(metrics, observe))
}

async fn time_limit(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let answer = timeout(limit, next.run(request)).await;
    answer.unwrap_or_else(|_| ApiError::timeout().into_response())
}

/// Logs and counts what is answered: by route, so that ids in paths stay out of it.
async fn observe(
    State(metrics): State<Arc<Metrics>>,
    route: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers_mut());
    let method = known_method(request.method());
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let span = info_span!("request", id = id.to_str().ok(), method, route, reason = Empty);
    let mut response = next.run(request).instrument(span.clone()).await;
    add_headers(response.headers_mut(), id);
    let (status, took) = (response.status().as_u16(), started.elapsed());
    metrics.request(method, route, status, took);
    let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| info!(status, microseconds, "answered"));
    response
}

/// The id that a request comes with, if a log can take it, or a new one, which it has from now on.
fn request_id(headers: &mut HeaderMap) -> HeaderValue {
    if let Some(id) = headers.get(REQUEST_ID).filter(|id| is_request_id(id)) {
        return id.clone();
    }
    let id = HeaderValue::try_from(Uuid::new_v4().to_string());
    let id = id.unwrap_or_else(|_| HeaderValue::from_static("none"));
    headers.insert(REQUEST_ID, id.clone());
    id
}

fn is_request_id(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.iter().all(is_plain)
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

/// The request's id, and what keeps answers out of caches and frames.
fn add_headers(headers: &mut HeaderMap, id: HeaderValue) {
    headers.insert(REQUEST_ID, id);
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| origins.contains(origin)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        body::{Body, to_bytes},
        routing::get,
    };
    use prometheus_client::metrics::gauge::Gauge;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_as_any_failure() {
        const ORIGIN: HeaderValue = HeaderValue::from_static("https://app.contoso.com");
        let metrics = Arc::new(Metrics::new(Gauge::default()));
        let bounds = Bounds {
            time: Duration::from_secs(30),
            body: 0,
            origins: vec![ORIGIN],
        };
        let broken = Router::new().route("/broken", get(async || -> () { panic!("a secret") }));
        let request = Request::get("/broken").header("origin", ORIGIN).body(Body::empty());
        let app = around(broken, bounds, metrics.clone());
        let response = app.oneshot(request.unwrap()).await.unwrap();

        assert_eq!(response.status(), 500);
        assert!(response.headers().contains_key(REQUEST_ID));
        assert_eq!(response.headers()["access-control-allow-origin"], ORIGIN);
        let body = to_bytes(response.into_body(), 1024).await.unwrap();
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        let message = body["message"].take();
        assert!(message.as_str().unwrap().contains("x-request-id"), "{message}");
        assert_eq!(body, json!({ "code": 500, "reason": "internal", "message": null }));
        let counted = r#"token_service_http_requests_total{method="GET",route="/broken",status="500"} 1"#;
        assert!(metrics.text().unwrap().contains(counted));
    }
}
