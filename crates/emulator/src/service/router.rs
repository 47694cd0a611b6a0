//! Routes of the service.

use crate::{
    endpoint::Endpoint,
    service::{
        ServiceError, access_tokens,
        api_version::{self, ApiVersions},
        assignments::{entra, teams_extension},
        authentication, exchanges, headers, identities, teams_user,
        user_authentication::{self, Audiences},
    },
    tokens::{ENTRA_USER_AUDIENCES, TEAMS_EXTENSION_AUDIENCES},
};
use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{MethodRouter, delete, get, post},
};

/// Routes a request to its operation.
///
/// Outermost first: the response gets the service's headers, the request is authenticated, its api-version is checked,
/// its operation runs.
pub(crate) fn router(endpoint: Endpoint) -> Router {
    owners_router(&endpoint)
        .merge(exchange_router(
            &endpoint,
            "/access/teamsExtension/:exchangeAccessToken",
            post(exchanges::teams_extension),
            TEAMS_EXTENSION_AUDIENCES,
            api_version::TEAMS_EXTENSION,
        ))
        .merge(exchange_router(
            &endpoint,
            "/access/entra/:exchangeAccessToken",
            post(exchanges::entra),
            ENTRA_USER_AUDIENCES,
            api_version::PREVIEW_ONLY,
        ))
        .layer(from_fn_with_state(endpoint.clone(), headers::add))
        .with_state(endpoint)
}

/// What the owner of the resource may do, and everything that is not an operation.
fn owners_router(endpoint: &Endpoint) -> Router<Endpoint> {
    let group = |router: Router<Endpoint>, versions: ApiVersions| {
        router.route_layer(from_fn_with_state((endpoint.clone(), versions), api_version::require))
    };
    let identities = new_router()
        .route("/identities", post(identities::create))
        .route("/identities/{id}", delete(identities::delete))
        .route("/identities/{id}/:issueAccessToken", post(access_tokens::issue))
        .route("/identities/{id}/:revokeAccessTokens", post(access_tokens::revoke));
    let entra = new_router().route("/access/entra/assignments", get(entra::list)).route(
        "/access/entra/assignments/{object_id}",
        get(entra::get).put(entra::put).delete(entra::delete),
    );
    let teams_user = new_router().route(
        "/teamsUser/:exchangeAccessToken",
        post(teams_user::exchange_access_token),
    );
    let teams_extension = new_router().route(
        "/access/teamsExtension/tenants/{tenant_id}/assignments/{object_id}",
        get(teams_extension::get)
            .put(teams_extension::put)
            .delete(teams_extension::delete),
    );

    group(identities, api_version::IDENTITIES)
        .merge(group(entra, api_version::PREVIEW_ONLY))
        .merge(group(teams_user, api_version::TEAMS_USER))
        .merge(group(teams_extension, api_version::TEAMS_EXTENSION))
        .fallback(|| async {
            let reason =
                "no operation has it. Paths are case-sensitive, and have neither a doubled nor a trailing slash.";
            ServiceError::not_found().because_of("path", reason)
        })
        .method_not_allowed_fallback(|| async { ServiceError::method_not_allowed() })
        .layer(from_fn_with_state(endpoint.clone(), authentication::require))
}

/// An exchange, which takes the user's own token instead of the resource's key.
fn exchange_router(
    endpoint: &Endpoint,
    path: &str,
    exchange: MethodRouter<Endpoint>,
    audiences: Audiences,
    versions: ApiVersions,
) -> Router<Endpoint> {
    new_router()
        .route(path, exchange)
        .route_layer(from_fn_with_state((endpoint.clone(), versions), api_version::require))
        .method_not_allowed_fallback(|| async { ServiceError::method_not_allowed() })
        .layer(from_fn_with_state(
            (endpoint.clone(), audiences),
            user_authentication::require,
        ))
}

/// A router in which segments such as `:issueAccessToken` are literal, not parameters as in axum 0.7.
fn new_router() -> Router<Endpoint> {
    Router::new().without_v07_checks()
}
