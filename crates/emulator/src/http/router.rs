//! The router: leads a request through the layers around its operation.

use crate::{
    auth::signature::Tolerance,
    http::{
        Endpoint, ServiceError, api_version, authentication, headers, operations::Caller, record, request::ReplacedUri,
    },
    operation::Operation,
};
use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{from_fn_with_state, map_request},
};
use http::{
    Method, Uri,
    header::{ALLOW, HeaderName},
    uri::PathAndQuery,
};
use percent_encoding::percent_decode_str;
use std::mem;

/// Routes a request to its operation.
///
/// The service's stack, ASP.NET Core, matches paths percent-decoded, in any case, and with or without a slash at their
/// end. A path that has no route is therefore replaced by its documented form, and routed again.
pub(crate) fn router(endpoint: &Endpoint) -> Router {
    if endpoint.service.tolerance == Tolerance::Strict {
        let reason = "no operation has it. With `--strict`, paths are case-sensitive and not percent-encoded where \
                      there is no id, and have neither a doubled nor a trailing slash.";
        return documented(endpoint, reason);
    }
    let reason = "no operation has it. A path has no doubled slash, and an id in it is not empty and has no slash.";
    let documented = documented(endpoint, reason);
    let again = Router::new()
        .fallback_service(documented.clone())
        .layer(map_request(in_documented_form));
    documented.fallback_service(again)
}

/// Routes a request whose path has the documented form.
///
/// Outermost first: the request is recorded, or answered if it is a preflight; the response gets the service's headers,
/// the request is authenticated, its api-version is checked, its operation runs. `reason` explains that no operation has a path.
fn documented(endpoint: &Endpoint, reason: &'static str) -> Router {
    let mut owners = new_router();
    let mut users = new_router();
    for operation in Operation::ALL {
        let route = operation.route();
        let check_version = from_fn_with_state((endpoint.clone(), route.versions), api_version::require);
        let mut handler = route.handler.route_layer(check_version);
        if Operation::of(&Method::GET, route.path) == Some(operation) {
            // axum would respond as to GET, which ASP.NET does not.
            handler = handler.head(method_not_allowed);
        }
        match route.caller {
            Caller::Owner => owners = owners.route(route.path, handler),
            Caller::User(audiences) => {
                let authenticate = from_fn_with_state((endpoint.clone(), audiences), authentication::require_user);
                let route = new_router().route(route.path, handler);
                let route = route.method_not_allowed_fallback(method_not_allowed);
                users = users.merge(route.layer(authenticate));
            }
        }
    }
    owners
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async move || ServiceError::not_found().because_of("path", reason))
        .layer(from_fn_with_state(endpoint.clone(), authentication::require_owner))
        .merge(users)
        .layer(from_fn_with_state(endpoint.clone(), headers::add))
        .layer(from_fn_with_state(endpoint.clone(), record::record))
        .with_state(endpoint.clone())
}

/// Refuses a method, and lists those of the path.
async fn method_not_allowed(path: MatchedPath) -> ([(HeaderName, String); 1], ServiceError) {
    let methods = [Method::GET, Method::POST, Method::PUT, Method::DELETE].into_iter();
    let allowed = methods.filter(|method| Operation::of(method, path.as_str()).is_some());
    let allowed: Vec<_> = allowed.map(|method| method.to_string()).collect();
    ([(ALLOW, allowed.join(", "))], ServiceError::method_not_allowed())
}

/// A router in which segments such as `:issueAccessToken` are literal, not parameters as in axum 0.7.
fn new_router() -> Router<Endpoint> {
    Router::new().without_v07_checks()
}

/// Replaces the path of a request by its documented form, if it has one.
async fn in_documented_form(mut request: Request) -> Request {
    if let Some(uri) = documented_form(request.uri()) {
        let sent = mem::replace(request.uri_mut(), uri);
        request.extensions_mut().insert(ReplacedUri(sent));
    }
    request
}

fn documented_form(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut routes = Operation::ALL.into_iter().map(Operation::path);
    let documented = routes.find_map(|route| fill_in(route, path))?;
    let target = match uri.query() {
        Some(query) => format!("{documented}?{query}"),
        None => documented,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

/// Returns the path of a route with the ids of another path; `None` if they do not match.
fn fill_in(route: &str, path: &str) -> Option<String> {
    if route.split('/').count() != path.split('/').count() {
        return None;
    }
    let segments = route.split('/').zip(path.split('/')).map(|(template, given)| {
        let is_match = if template.starts_with('{') {
            !given.is_empty()
        } else {
            let decoded = percent_decode_str(given).decode_utf8().ok()?;
            decoded.eq_ignore_ascii_case(template)
        };
        let segment = if template.starts_with('{') { given } else { template };
        is_match.then_some(segment)
    });
    Some(segments.collect::<Option<Vec<_>>>()?.join("/"))
}
