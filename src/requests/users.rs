//! Requests about users and their tokens.

use super::Service;
use crate::{
    error::invalid_argument,
    identifier::CommunicationUserIdentifier,
    models::{CommunicationTokenScope, lifetime_in_minutes, require_scopes},
};
use azure_core::{
    Result,
    http::{Method, Request},
    time::Duration,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use std::borrow::Cow;

/// What an id may hold in a path as it is; everything else is percent-encoded, so that it stays one segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody<'a> {
    create_token_with_scopes: &'a [CommunicationTokenScope],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_minutes: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenBody<'a> {
    scopes: &'a [CommunicationTokenScope],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_minutes: Option<i64>,
}

/// `POST /identities`, without a body.
pub(crate) fn create_user(service: &Service) -> Request {
    service.request(Method::Post, "/identities")
}

/// `POST /identities`, with the scopes of a token.
pub(crate) fn create_user_and_token(
    service: &Service,
    scopes: &[CommunicationTokenScope],
    token_expires_in: Option<Duration>,
) -> Result<Request> {
    if scopes.is_empty() {
        return Err(invalid_argument(
            "scopes is empty; name what the token is for, or call create_user for a user without a token",
        ));
    }
    let body = CreateBody {
        create_token_with_scopes: scopes,
        expires_in_minutes: lifetime_in_minutes(token_expires_in)?,
    };
    service.request_with_json(Method::Post, "/identities", &body)
}

/// `POST /identities/{id}/:issueAccessToken`
pub(crate) fn get_token(
    service: &Service,
    user: &CommunicationUserIdentifier,
    scopes: &[CommunicationTokenScope],
    token_expires_in: Option<Duration>,
) -> Result<Request> {
    require_scopes(scopes)?;
    let body = TokenBody {
        scopes,
        expires_in_minutes: lifetime_in_minutes(token_expires_in)?,
    };
    service.request_with_json(Method::Post, &path(user, "/:issueAccessToken"), &body)
}

/// `POST /identities/{id}/:revokeAccessTokens`
pub(crate) fn revoke_tokens(service: &Service, user: &CommunicationUserIdentifier) -> Request {
    service.request(Method::Post, &path(user, "/:revokeAccessTokens"))
}

/// `DELETE /identities/{id}`
pub(crate) fn delete_user(service: &Service, user: &CommunicationUserIdentifier) -> Request {
    service.request(Method::Delete, &path(user, ""))
}

fn path(user: &CommunicationUserIdentifier, action: &str) -> String {
    // Borrowed where nothing has to be encoded, as in every id of today's form.
    let id = Cow::from(utf8_percent_encode(user.as_str(), SEGMENT));
    ["/identities/", &id, action].concat()
}
