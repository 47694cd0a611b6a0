//! What is served.

mod bodies;
mod caller;
mod description;
mod hero;
mod operations;
mod scopes;
mod web_hero;

pub(crate) use caller::{CallerLimit, User};
pub(crate) use operations::{Health, operations};

use crate::{
    acs::Acs, directory::Directory, error::ApiError, policy::TokenPolicy, teams::TeamsExchange, user::UserIdClaims,
};
use axum::{Json, Router, http::StatusCode, routing::get};
use std::sync::Arc;
use token_guard::TokenGuard;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the handlers of the API work with.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) directory: Directory,
    pub(crate) guard: TokenGuard,
    pub(crate) user_id_claims: UserIdClaims,
    pub(crate) policy: TokenPolicy,
    pub(crate) limit: CallerLimit,
    pub(crate) teams: Option<TeamsExchange>,
    pub(crate) acs: Acs,
}

/// The API and its description.
pub(crate) fn api(state: Arc<Api>) -> Router {
    let (router, description) = OpenApiRouter::with_openapi(description::base())
        .routes(routes!(hero::user, hero::sign_in, hero::remove))
        .routes(routes!(hero::token, hero::revoke))
        .routes(routes!(hero::teams_token))
        .routes(routes!(web_hero::get_token, web_hero::post_token))
        .routes(routes!(web_hero::refresh_token))
        .with_state(state)
        .split_for_parts();
    let description = Arc::new(description::complete(description));
    router
        .route("/openapi.json", get(async move || Json(description)))
        .method_not_allowed_fallback(async || {
            let message = "this route has other methods: GET /openapi.json describes them";
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        })
        .fallback(async || {
            let message = "there is no such route: GET /openapi.json describes all of them";
            ApiError::new(StatusCode::NOT_FOUND, "no_route", message)
        })
}
