//! The router: leads a request through the layers around its operation.

use crate::{
    http::{Endpoint, ServiceError, api_version, authentication, headers, operations::Caller, record},
    operation::Operation,
};
use axum::{Router, middleware::from_fn_with_state};

/// Routes a request to its operation.
///
/// Outermost first: the request is recorded, the response gets the service's headers, the request is authenticated, its
/// api-version is checked, its operation runs.
pub(crate) fn router(endpoint: &Endpoint) -> Router {
    let mut owners = new_router();
    let mut users = new_router();
    for operation in Operation::ALL {
        let route = operation.route();
        let check_version = from_fn_with_state((endpoint.clone(), route.versions), api_version::require);
        let handler = route.handler.route_layer(check_version);
        match route.caller {
            Caller::Owner => owners = owners.route(route.path, handler),
            Caller::User(audiences) => {
                let authenticate = from_fn_with_state((endpoint.clone(), audiences), authentication::require_user);
                let route = new_router().route(route.path, handler);
                users = users.merge(refuse_other_methods(route).layer(authenticate));
            }
        }
    }
    refuse_other_methods(owners)
        .fallback(|| async {
            let reason =
                "no operation has it. Paths are case-sensitive, and have neither a doubled nor a trailing slash.";
            ServiceError::not_found().because_of("path", reason)
        })
        .layer(from_fn_with_state(endpoint.clone(), authentication::require_owner))
        .merge(users)
        .layer(from_fn_with_state(endpoint.clone(), headers::add))
        .layer(from_fn_with_state(endpoint.clone(), record::record))
        .with_state(endpoint.clone())
}

fn refuse_other_methods(router: Router<Endpoint>) -> Router<Endpoint> {
    router.method_not_allowed_fallback(async || ServiceError::method_not_allowed())
}

/// A router in which segments such as `:issueAccessToken` are literal, not parameters as in axum 0.7.
fn new_router() -> Router<Endpoint> {
    Router::new().without_v07_checks()
}
