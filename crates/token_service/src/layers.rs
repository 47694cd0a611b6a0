//! Layers around the API: limits, CORS, security headers, and the log and metrics of requests.

use crate::{
    error::ApiError,
    metrics::Metrics,
    teams::TEAMS_TOKEN_HEADER,
    trace::{TRACEPARENT, TRACESTATE, Trace},
};
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
    cors::{AllowOrigin, AllowPrivateNetwork, CorsLayer},
};
use tracing::{Instrument, Span, error_span, field::Empty, info};
use uuid::Uuid;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is accepted from a caller.
const MAX_REQUEST_ID_BYTES: usize = 64;

/// The status of requests without a response, in the log and the metrics. It is nginx's for callers who have disconnected.
const NO_RESPONSE: u16 = 499;

/// Limits of a request, and the origins whose pages may send it.
#[derive(Clone, Debug)]
pub(crate) struct RequestLimits {
    pub(crate) timeout: Duration,
    pub(crate) body_bytes: usize,
    pub(crate) origins: Vec<HeaderValue>,
    pub(crate) allow_private_network: bool,
}

/// Adds the layers to a router, the outermost last.
pub(crate) fn add(router: Router, limits: RequestLimits, metrics: Arc<Metrics>) -> Router {
    router
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(CatchPanicLayer::custom(|_| ApiError::internal().into_response()))
        .layer(from_fn_with_state(limits.timeout, time_limit))
        .layer(cors(limits.origins, limits.allow_private_network))
        .layer(from_fn_with_state(metrics, observe))
}

async fn time_limit(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let response = timeout(limit, next.run(request)).await;
    response.unwrap_or_else(|_| ApiError::timeout().into_response())
}

/// Logs and counts a request, and runs it in its trace.
async fn observe(
    State(metrics): State<Arc<Metrics>>,
    route: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request_id(request.headers_mut());
    let trace = Trace::of(request.headers());
    let method = known_method(request.method());
    let route = Route(route);
    // At the highest level, so that every filter of the log keeps it with the events that it lets pass.
    let span = error_span!(
        "request",
        id = id.to_str().ok(),
        trace_id = trace.id(),
        method,
        route = route.as_str(),
        reason = Empty
    );
    let mut observed = Observed {
        metrics,
        method,
        route,
        started: Instant::now(),
        span: span.clone(),
        status: None,
    };
    let mut response = trace.scope(next.run(request).instrument(span)).await;
    observed.status = Some(response.status().as_u16());
    add_headers(response.headers_mut(), id);
    response
}

/// The route of a request, which hides ids in the path.
struct Route(Option<MatchedPath>);

impl Route {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("none", MatchedPath::as_str)
    }
}

/// A request in progress. Dropping it logs and counts the request, whether there is a response or not.
struct Observed {
    metrics: Arc<Metrics>,
    method: &'static str,
    route: Route,
    started: Instant,
    span: Span,
    /// `None` as long as there is no response.
    status: Option<u16>,
}

impl Drop for Observed {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let status = self.status.unwrap_or(NO_RESPONSE);
        self.metrics.request(self.method, self.route.as_str(), status, took);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.span.in_scope(|| {
            if self.status.is_some() {
                info!(status, microseconds, "answered");
            } else {
                info!(
                    status,
                    microseconds, "not answered: the caller has disconnected, or was cut off"
                );
            }
        });
    }
}

/// Returns the request's id, if it is safe to log. Otherwise sets a new one.
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
    !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES && id.iter().all(is_plain)
}

/// Returns the method, if a route can have it. Callers can invent others, which must not become labels of metrics.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Adds the request's id, and headers that keep the response out of caches and frames.
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

fn cors(origins: Vec<HeaderValue>, allow_private_network: bool) -> CorsLayer {
    let private_network = if allow_private_network {
        AllowPrivateNetwork::yes()
    } else {
        AllowPrivateNetwork::default()
    };
    CorsLayer::new()
        .allow_private_network(private_network)
        .allow_origin(AllowOrigin::predicate(move |origin, _| origins.contains(origin)))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            REQUEST_ID,
            HeaderName::from_static(TEAMS_TOKEN_HEADER),
            HeaderName::from_static(TRACEPARENT),
            HeaderName::from_static(TRACESTATE),
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
    async fn panic_of_a_handler_is_an_internal_error() {
        const ORIGIN: HeaderValue = HeaderValue::from_static("https://app.contoso.com");
        let metrics = Arc::new(Metrics::new(Gauge::default()));
        let limits = RequestLimits {
            timeout: Duration::from_secs(30),
            body_bytes: 0,
            origins: vec![ORIGIN],
            allow_private_network: false,
        };
        let broken = Router::new().route("/broken", get(async || -> () { panic!("a secret") }));
        let request = Request::get("/broken").header("origin", ORIGIN).body(Body::empty());
        let app = add(broken, limits, metrics.clone());
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
