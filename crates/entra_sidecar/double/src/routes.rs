//! The sidecar's routes.

use crate::{
    api::{Acquisition, DownstreamApi, DownstreamCall},
    double::{Received, State},
    fault::Kind,
    overrides::{ActingAgent, CallOptions, is_left_out},
    token,
};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    future::pending,
    sync::{Arc, atomic::Ordering},
};
use url::form_urlencoded;

/// The longest body that is read, in bytes.
const MAX_LEN: usize = 64 * 1024 * 1024;

type Shared = axum::extract::State<Arc<State>>;
type Reply = Result<Response, Refusal>;

pub(crate) fn router(state: Arc<State>) -> Router {
    let routes = Router::new()
        .route("/AuthorizationHeader/{api}", get(authorization_header))
        .route(
            "/AuthorizationHeaderUnauthenticated/{api}",
            get(authorization_header_unauthenticated),
        )
        .route("/DownstreamApi/{api}", post(downstream_api))
        .route(
            "/DownstreamApiUnauthenticated/{api}",
            post(downstream_api_unauthenticated),
        )
        .route("/Validate", get(validate))
        .layer(middleware::from_fn_with_state(state.clone(), faults))
        .route("/healthz", get(healthz));
    routes
        .layer(middleware::from_fn(no_caching))
        .layer(middleware::from_fn(local_hosts))
        .layer(middleware::from_fn_with_state(state.clone(), record))
        .with_state(state)
}

/// Keeps what came.
async fn record(axum::extract::State(state): Shared, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_LEN).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    state.receive(Received {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query()),
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// Refuses requests for other hosts, as a browser tricked by its DNS would send them.
async fn local_hosts(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let is_local = host.is_some_and(|host| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        ["localhost", "127.0.0.1", "[::1]"].contains(&name)
    });
    if is_local {
        next.run(request).await
    } else {
        (
            StatusCode::BAD_REQUEST,
            axum::response::Html("<h2>Bad Request - Invalid Hostname</h2>"),
        )
            .into_response()
    }
}

async fn no_caching(request: Request, next: Next) -> Response {
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

/// Fails as it was asked to.
async fn faults(axum::extract::State(state): Shared, request: Request, next: Next) -> Response {
    let Some(fault) = state.next_fault() else {
        return next.run(request).await;
    };
    let status = match fault.kind {
        Kind::Silence => pending().await,
        Kind::Before(status) => status,
        Kind::After(status) => {
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

async fn healthz(axum::extract::State(state): Shared) -> (StatusCode, &'static str) {
    if state.unhealthy.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "Unhealthy")
    } else {
        (StatusCode::OK, "Healthy")
    }
}

async fn authorization_header(state: Shared, Path(api): Path<String>, request: Request) -> Reply {
    let caller = caller(&state, request.headers())?;
    header_for(
        &state,
        &api,
        &request,
        Some(caller),
        state.allow_overrides.get_authorization_header,
    )
}

async fn authorization_header_unauthenticated(state: Shared, Path(api): Path<String>, request: Request) -> Reply {
    let allow_overrides = state.allow_overrides.get_authorization_header_unauthenticated;
    header_for(&state, &api, &request, None, allow_overrides)
}

fn header_for(state: &State, api: &str, request: &Request, caller: Option<String>, allow_overrides: bool) -> Reply {
    let query = pairs(request.uri().query());
    let (configured, options) = options(state, api, &query, allow_overrides);
    if options.scopes.is_none() {
        return Err(no_scopes(api));
    }
    let acquisition = acquisition(api, options, &query, caller, allow_overrides)?;
    let token = acquire(state, configured, &acquisition)?;
    let scheme = configured.map_or("Bearer", |api| api.scheme);
    Ok(Json(json!({ "authorizationHeader": format!("{scheme} {token}") })).into_response())
}

async fn downstream_api(state: Shared, Path(api): Path<String>, request: Request) -> Reply {
    let caller = caller(&state, request.headers())?;
    let allow_overrides = state.allow_overrides.call_downstream_api;
    call(&state, &api, request, Some(caller), allow_overrides).await
}

async fn downstream_api_unauthenticated(state: Shared, Path(api): Path<String>, request: Request) -> Reply {
    let allow_overrides = state.allow_overrides.call_downstream_api_unauthenticated;
    call(&state, &api, request, None, allow_overrides).await
}

async fn call(state: &State, api: &str, request: Request, caller: Option<String>, allow_overrides: bool) -> Reply {
    let query = pairs(request.uri().query());
    let (configured, options) = options(state, api, &query, allow_overrides);
    if options.scopes.as_ref().is_none_or(Vec::is_empty) {
        return Err(no_scopes(api));
    }
    let mut acquisition = acquisition(api, options, &query, caller, allow_overrides)?;
    acquisition.options.headers.retain(|name, _| !is_left_out(name));
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .filter(|value| value.contains('/'))
        .map(str::to_owned);
    let body = to_bytes(request.into_body(), MAX_LEN).await.unwrap_or_default();
    let body = content_type
        .is_some()
        .then(|| String::from_utf8_lossy(&body).into_owned());
    acquire(state, configured, &acquisition)?;

    let call = DownstreamCall {
        acquisition,
        content_type,
        body,
    };
    let Some(configured) = configured else {
        return Err(problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "An unexpected error occurred.",
        ));
    };
    let answer = (configured.answer)(&call);
    state.call(call);
    Ok(Json(answer.result()).into_response())
}

async fn validate(state: Shared, headers: HeaderMap) -> Reply {
    let token = caller(&state, &headers)?;
    let claims = token::claims(&token).unwrap_or(Value::Null);
    if let Some(required) = &state.required_scope {
        let scopes = claims.get("scp").and_then(Value::as_str).unwrap_or_default();
        if !scopes.split(' ').any(|scope| scope == required) {
            return Err(Refusal::Scope);
        }
    }
    Ok(Json(json!({ "protocol": "Bearer", "token": token, "claims": claims })).into_response())
}

/// The caller's token, or the answer that refuses it: without a body.
fn caller(state: &State, headers: &HeaderMap) -> Result<String, Refusal> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, token)) = value.and_then(|value| value.split_once(' ')) else {
        return Err(Refusal::Caller("Bearer"));
    };
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::Caller("Bearer"));
    }
    if !state.callers.admit(token.trim()) {
        return Err(Refusal::Caller("Bearer error=\"invalid_token\""));
    }
    Ok(token.trim().to_owned())
}

/// An API's configuration with a query's overrides. One that is not configured has initial options.
fn options<'a>(
    state: &'a State,
    api: &str,
    query: &[(String, String)],
    allow_overrides: bool,
) -> (Option<&'a DownstreamApi>, CallOptions) {
    let configured = state.apis.get(api);
    let options = configured.map_or_else(CallOptions::initial, |api| api.options.clone());
    let options = match CallOptions::overrides(query) {
        Some(overrides) if allow_overrides => options.merge(overrides),
        _ => options,
    };
    (configured, options)
}

fn acquisition(
    api: &str,
    options: CallOptions,
    query: &[(String, String)],
    caller: Option<String>,
    allow_agent: bool,
) -> Result<Acquisition, Refusal> {
    let agent = if allow_agent {
        ActingAgent::of(query).map_err(|detail| problem(StatusCode::BAD_REQUEST, detail))?
    } else {
        None
    };
    Ok(Acquisition {
        api: api.to_owned(),
        options,
        agent,
        caller,
    })
}

fn acquire(state: &State, api: Option<&DownstreamApi>, acquisition: &Acquisition) -> Result<String, Refusal> {
    state.acquire(acquisition.clone());
    let issued = match api {
        Some(api) => (api.issue)(acquisition),
        None => token::acquire(acquisition),
    };
    issued.map_err(|detail| problem(StatusCode::UNAUTHORIZED, detail))
}

fn no_scopes(api: &str) -> Refusal {
    let detail = format!(
        "No scopes found for the API '{api}' or in optionsOverride. 'scopes' needs to be either a single value or a list \
         of values."
    );
    problem(StatusCode::BAD_REQUEST, detail)
}

fn problem(status: StatusCode, detail: impl Into<String>) -> Refusal {
    Refusal::Problem(status, detail.into())
}

/// An answer other than success.
enum Refusal {
    /// To a caller whose token is missing or not valid: a challenge, and no body.
    Caller(&'static str),
    /// To a caller without the scope that `/Validate` asks for.
    Scope,
    /// `ProblemDetails`, with a detail.
    Problem(StatusCode, String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Caller(challenge) => {
                (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
            }
            Self::Scope => {
                let text = "IDW10203: The 'scope' or 'scp' claim does not contain the scopes that are required.";
                (StatusCode::FORBIDDEN, text).into_response()
            }
            Self::Problem(status, detail) => {
                // The type that ASP.NET Core has for the status.
                let section = match status {
                    StatusCode::BAD_REQUEST => "15.5.1",
                    StatusCode::UNAUTHORIZED => "15.5.2",
                    _ => "15.6.1",
                };
                let problem = json!({
                    "type": format!("https://tools.ietf.org/html/rfc9110#section-{section}"),
                    "title": status.canonical_reason(),
                    "status": status.as_u16(),
                    "detail": detail,
                });
                let content_type = (header::CONTENT_TYPE, "application/problem+json");
                (status, [content_type], problem.to_string()).into_response()
            }
        }
    }
}

fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}
