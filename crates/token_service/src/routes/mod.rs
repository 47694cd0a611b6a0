//! Routes: the API and its description, and those for operations.

mod admin;
mod api;
mod bodies;
mod extract;
mod front_ends;
mod openapi;
mod operations;

pub(crate) use operations::{Health, operations};

use crate::{
    acs::Acs,
    admin::{AdminAccess, Administration},
    directory::Directory,
    error::ApiError,
    policy::TokenPolicy,
    rate_limit::RateLimit,
    teams::{TeamsExchange, TeamsPhoneExchange},
    user::{IssuerAliases, UserIdClaims},
};
use axum::{
    Json, Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header::ALLOW},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use std::{collections::HashMap, sync::Arc};
use token_guard::TokenGuard;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The state of the API's handlers.
#[derive(Debug)]
pub(crate) struct ApiState {
    pub(crate) directory: Directory,
    pub(crate) guard: TokenGuard,
    pub(crate) user_id_claims: UserIdClaims,
    pub(crate) issuer_aliases: IssuerAliases,
    pub(crate) policy: TokenPolicy,
    pub(crate) rate_limit: RateLimit,
    pub(crate) fresh_limit: RateLimit,
    pub(crate) teams: Option<TeamsExchange>,
    pub(crate) teams_phone: Option<TeamsPhoneExchange>,
    pub(crate) acs: Acs,
    pub(crate) admin: Administration,
    /// Set if there are routes below `/admin`.
    pub(crate) admin_access: Option<AdminAccess>,
}

/// Returns the API, with its description at `/openapi.json`.
pub(crate) fn api(state: Arc<ApiState>) -> Router {
    let api = OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(api::get_user, api::create_user, api::delete_user))
        .routes(routes!(api::get_token, api::revoke_tokens))
        .routes(routes!(api::get_teams_token))
        .routes(routes!(api::get_teams_phone_token))
        .routes(routes!(front_ends::get_token, front_ends::post_token))
        .routes(routes!(front_ends::refresh_token));
    let api = match &state.admin_access {
        Some(_) => api.merge(admin::routes()),
        None => api,
    };
    let (router, description) = api.with_state(state).split_for_parts();
    let methods = Arc::new(methods(&description));
    let description = Arc::new(openapi::complete(description));
    router
        .route("/openapi.json", get(async move || Json(description)))
        .method_not_allowed_fallback(async || method_not_allowed())
        .fallback(async || {
            let message = "there is no such route: GET /openapi.json describes all of them";
            ApiError::new(StatusCode::NOT_FOUND, "no_route", message)
        })
        .layer(from_fn_with_state(methods, described_methods_only))
}

/// Returns the methods of each described route.
fn methods(description: &OpenApi) -> HashMap<String, Vec<Method>> {
    let methods = description.paths.paths.iter().map(|(path, item)| {
        let operations = [
            (Method::GET, &item.get),
            (Method::PUT, &item.put),
            (Method::POST, &item.post),
            (Method::DELETE, &item.delete),
        ];
        let described = operations.into_iter().filter(|(_, operation)| operation.is_some());
        (path.clone(), described.map(|(method, _)| method).collect())
    });
    methods.collect()
}

/// Refuses the methods that are not described. axum answers HEAD with the handler of GET, which issues tokens.
async fn described_methods_only(
    State(methods): State<Arc<HashMap<String, Vec<Method>>>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let described = route.and_then(|route| methods.get(route.as_str()));
    let Some(described) = described.filter(|described| !described.contains(request.method())) else {
        return next.run(request).await;
    };
    let names: Vec<_> = described.iter().map(Method::as_str).collect();
    let mut response = method_not_allowed().into_response();
    if let Ok(allowed) = HeaderValue::try_from(names.join(", ")) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

fn method_not_allowed() -> ApiError {
    let message = "this route has other methods: GET /openapi.json describes them";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
