//! The sidecar's routes.

use crate::{
    api::{ApiRequest, DownstreamApi},
    layers::{self, MAX_BODY_LEN, SharedState, query_pairs},
    overrides::{ActingAgent, DownstreamApiOptions, is_reserved_header},
    state::State,
    token::{self, Acquisition},
};
use axum::{
    Json, Router,
    body::to_bytes,
    extract::{Path, Request},
    http::{HeaderMap, StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::sync::Arc;

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
        .layer(from_fn_with_state(state.clone(), layers::inject_faults))
        .route("/healthz", get(healthz));
    routes
        .layer(from_fn(layers::forbid_caching))
        .layer(from_fn(layers::require_local_host))
        .layer(from_fn_with_state(state.clone(), layers::record))
        .with_state(state)
}

async fn healthz(state: SharedState) -> (StatusCode, &'static str) {
    if state.is_healthy() {
        (StatusCode::OK, "Healthy")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Unhealthy")
    }
}

async fn authorization_header(state: SharedState, Path(api): Path<String>, request: Request) -> Reply {
    let caller = caller_token(&state, request.headers())?;
    let allow_overrides = state.configuration.allow_overrides.get_authorization_header;
    header_for(&state, &api, &request, Some(caller), allow_overrides)
}

async fn authorization_header_unauthenticated(state: SharedState, Path(api): Path<String>, request: Request) -> Reply {
    let allow_overrides = state.configuration.allow_overrides;
    let allow_overrides = allow_overrides.get_authorization_header_unauthenticated;
    header_for(&state, &api, &request, None, allow_overrides)
}

fn header_for(state: &State, api: &str, request: &Request, caller: Option<String>, allow_overrides: bool) -> Reply {
    let query = query_pairs(request.uri().query());
    let (configured, options) = options(state, api, &query, allow_overrides);
    if options.scopes.is_none() {
        return Err(no_scopes(api));
    }
    let acquisition = acquisition(api, options, &query, caller, allow_overrides)?;
    let token = acquire(state, configured, &acquisition)?;
    let scheme = configured.map_or("Bearer", |api| api.scheme);
    Ok(Json(json!({ "authorizationHeader": format!("{scheme} {token}") })).into_response())
}

async fn downstream_api(state: SharedState, Path(api): Path<String>, request: Request) -> Reply {
    let caller = caller_token(&state, request.headers())?;
    let allow_overrides = state.configuration.allow_overrides.call_downstream_api;
    call_api(&state, &api, request, Some(caller), allow_overrides).await
}

async fn downstream_api_unauthenticated(state: SharedState, Path(api): Path<String>, request: Request) -> Reply {
    let allow_overrides = state.configuration.allow_overrides;
    let allow_overrides = allow_overrides.call_downstream_api_unauthenticated;
    call_api(&state, &api, request, None, allow_overrides).await
}

async fn call_api(state: &State, api: &str, request: Request, caller: Option<String>, allow_overrides: bool) -> Reply {
    let query = query_pairs(request.uri().query());
    let (configured, options) = options(state, api, &query, allow_overrides);
    if options.scopes.as_ref().is_none_or(Vec::is_empty) {
        return Err(no_scopes(api));
    }
    let mut acquisition = acquisition(api, options, &query, caller, allow_overrides)?;
    acquisition.options.headers.retain(|name, _| !is_reserved_header(name));
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .filter(|value| value.contains('/'))
        .map(str::to_owned);
    let body = to_bytes(request.into_body(), MAX_BODY_LEN).await.unwrap_or_default();
    let body = content_type
        .is_some()
        .then(|| String::from_utf8_lossy(&body).into_owned());
    acquire(state, configured, &acquisition)?;

    let request = ApiRequest {
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
    let response = (configured.respond)(&request);
    state.api_requests.push(request);
    Ok(Json(response.to_result(state.configuration.passes_on_headers)).into_response())
}

async fn validate(state: SharedState, headers: HeaderMap) -> Reply {
    let token = caller_token(&state, &headers)?;
    let claims = token::claims(&token).unwrap_or(Value::Null);
    if let Some(required) = &state.configuration.required_scope {
        let scopes = claims.get("scp").and_then(Value::as_str).unwrap_or_default();
        if !scopes.split(' ').any(|scope| scope == required) {
            return Err(Refusal::MissingScope);
        }
    }
    Ok(Json(json!({ "protocol": "Bearer", "token": token, "claims": claims })).into_response())
}

/// Returns the caller's token, if the sidecar accepts it.
fn caller_token(state: &State, headers: &HeaderMap) -> Result<String, Refusal> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, token)) = value.and_then(|value| value.split_once(' ')) else {
        return Err(Refusal::Caller("Bearer"));
    };
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::Caller("Bearer"));
    }
    if !state.accepts_caller(token.trim()) {
        return Err(Refusal::Caller("Bearer error=\"invalid_token\""));
    }
    Ok(token.trim().to_owned())
}

/// Returns an API, and its options with a query's overrides. An API that is not configured has the default options.
fn options<'a>(
    state: &'a State,
    api: &str,
    query: &[(String, String)],
    allow_overrides: bool,
) -> (Option<&'a DownstreamApi>, DownstreamApiOptions) {
    let configured = state.configuration.apis.get(api);
    let options = configured.map_or_else(DownstreamApiOptions::initial, |api| api.options.clone());
    let options = match DownstreamApiOptions::from_overrides(query) {
        Some(overrides) if allow_overrides => options.merge(overrides),
        _ => options,
    };
    (configured, options)
}

fn acquisition(
    api: &str,
    options: DownstreamApiOptions,
    query: &[(String, String)],
    caller: Option<String>,
    allow_agent: bool,
) -> Result<Acquisition, Refusal> {
    let agent = if allow_agent {
        ActingAgent::from_query(query).map_err(|detail| problem(StatusCode::BAD_REQUEST, detail))?
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
    state.acquisitions.push(acquisition.clone());
    if let Some(token) = state.cached_token(acquisition) {
        return Ok(token);
    }
    let issued = match api {
        Some(api) => (api.issue)(acquisition),
        None => token::acquire(acquisition),
    };
    let token = issued.map_err(|detail| Refusal::Acquisition(detail, api.and_then(|api| api.challenge.clone())))?;
    state.cache_token(acquisition, &token);
    Ok(token)
}

/// A response other than success.
enum Refusal {
    /// For a caller whose token is missing or not valid: a challenge, and no body.
    Caller(&'static str),
    /// For a caller without the scope that `/Validate` requires.
    MissingScope,
    /// For a token that cannot be acquired: a detail, and a challenge of the test's own.
    Acquisition(String, Option<String>),
    /// `ProblemDetails` with a detail.
    Problem(StatusCode, String),
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

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Caller(challenge) => {
                (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
            }
            Self::MissingScope => {
                let text = "IDW10203: The 'scope' or 'scp' claim does not contain the scopes that are required.";
                (StatusCode::FORBIDDEN, text).into_response()
            }
            Self::Acquisition(detail, challenge) => {
                let mut response = problem(StatusCode::UNAUTHORIZED, detail).into_response();
                if let Some(challenge) = challenge.and_then(|challenge| challenge.parse().ok()) {
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                }
                response
            }
            Self::Problem(status, detail) => {
                // ASP.NET Core's type for the status.
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
