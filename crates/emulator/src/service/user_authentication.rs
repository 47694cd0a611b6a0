//! Authentication of users, who exchange their own Entra ID tokens.

use crate::{
    endpoint::Endpoint,
    service::{RequestBody, ServiceError, authentication::explained, bearer},
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
    let user = user(&endpoint, audiences, &head.headers)
        .await
        .map_err(|error| explained(error, &endpoint.resource))?;
    head.extensions.insert(user);
    Ok(next.run(Request::from_parts(head, body.into())).await)
}

async fn user(endpoint: &Endpoint, audiences: Audiences, headers: &HeaderMap) -> Result<EntraUserClaims, ServiceError> {
    let Some(token) = bearer::token(headers) else {
        return Err(ServiceError::denied().because_of(
            bearer::PART,
            "the user's Entra ID token is missing. Send it as `Authorization: Bearer <token>`; the access key does not count here.",
        ));
    };
    let token = bearer::accept(endpoint, token, audiences, ServiceError::invalid_access_token).await?;
    let malformed = || ServiceError::invalid_access_token().because_of(bearer::PART, EntraTokenError::Malformed);
    token.payload().claims().ok_or_else(malformed)
}
