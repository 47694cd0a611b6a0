//! The sidecar's routes.

use crate::{
    api::{Acquisition, DownstreamApi, DownstreamCall},
    double::State,
    layers::{MAX_LEN, Shared, faults, local_hosts, no_caching, pairs, record},
    overrides::{ActingAgent, CallOptions, is_left_out},
    refusal::{Refusal, no_scopes, problem},
    token,
};
use axum::{
    Json, Router,
    body::to_bytes,
    extract::{Path, Request},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::sync::{Arc, atomic::Ordering};

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
