//! Authentication of users, who exchange their own Entra ID tokens.

use crate::{
    endpoint::Endpoint,
    service::{RequestBody, ServiceError, bearer},
    tokens::{EntraTokenError, EntraUserClaims},
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::HeaderMap;

/// The audiences that a token may have.
pub(super) type Audiences = &'static [&'static str];

/// Lets a user's request pass. The claims of the token become an extension of the request.
pub(super) async fn require(
    State((endpoint, audiences)): State<(Endpoint, Audiences)>,
    request: Request,
    next: Next,
) -> Result<Response, ServiceError> {
    let (mut head, body) = request.into_parts();
    let RequestBody(body) = RequestBody::read(body).await?;
    let user = user(&endpoint, audiences, &head.headers).await?;
    head.extensions.insert(user);
    Ok(next.run(Request::from_parts(head, body.into())).await)
}

async fn user(endpoint: &Endpoint, audiences: Audiences, headers: &HeaderMap) -> Result<EntraUserClaims, ServiceError> {
    let Some(token) = bearer::token(headers) else {
        return Err(ServiceError::denied().because("the user's Entra ID token is missing"));
    };
    let token = bearer::accept(endpoint, token, audiences, ServiceError::invalid_access_token).await?;
    let malformed = || ServiceError::invalid_access_token().because(&EntraTokenError::Malformed);
    token.claims().ok_or_else(malformed)
}
