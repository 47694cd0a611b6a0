//! The service: its operations, and what applies to every request.

mod access_tokens;
mod answer;
mod api_version;
mod authentication;
mod body;
mod error;
mod headers;
mod identities;
mod identity;
mod raw_id;
mod teams;

use crate::endpoint::Endpoint;
use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{delete, get, post},
};

pub(crate) use answer::Answer;
pub(crate) use body::RequestBody;
pub(crate) use error::{Refusal, ServiceError};

/// Routes a request to its operation.
///
/// Outermost first: the response gets the service's headers, the request is authenticated, its api-version is checked,
/// its operation runs.
pub(crate) fn router(endpoint: Endpoint) -> Router {
    let identities = Router::new()
        // Segments such as `:issueAccessToken` are literal, not parameters as in axum 0.7.
        .without_v07_checks()
        .route("/identities", post(identities::create))
        .route("/identities/{id}", delete(identities::delete))
        .route("/identities/{id}/:issueAccessToken", post(access_tokens::issue))
        .route("/identities/{id}/:revokeAccessTokens", post(access_tokens::revoke))
        .route_layer(from_fn_with_state(
            (endpoint.clone(), api_version::IDENTITIES),
            api_version::require,
        ));
    let preview = Router::new()
        .without_v07_checks()
        .route("/identities/{id}", get(identities::get))
        .route_layer(from_fn_with_state(
            (endpoint.clone(), api_version::PREVIEW_ONLY),
            api_version::require,
        ));
    let teams = Router::new()
        .without_v07_checks()
        .route("/teamsUser/:exchangeAccessToken", post(teams::exchange_access_token))
        .route_layer(from_fn_with_state(
            (endpoint.clone(), api_version::TEAMS_USER),
            api_version::require,
        ));

    identities
        .merge(preview)
        .merge(teams)
        .fallback(|| async { ServiceError::not_found() })
        .method_not_allowed_fallback(|| async { ServiceError::method_not_allowed() })
        .layer(from_fn_with_state(endpoint.clone(), authentication::require))
        .layer(from_fn_with_state(endpoint.clone(), headers::add))
        .with_state(endpoint)
}
