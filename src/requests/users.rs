//! Requests about users and their tokens.

use super::Service;
use crate::{
    error::invalid_argument,
    identifier::CommunicationUserIdentifier,
    models::{CommunicationTokenScope, lifetime_in_minutes, require_scopes},
    service::CUSTOM_ID_CHARS,
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

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_token_with_scopes: Option<&'a [CommunicationTokenScope]>,
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

/// `POST /identities`, without a body if there is nothing to say in it.
pub(crate) fn create_user(service: &Service, custom_id: Option<&str>) -> Result<Request> {
    let Some(custom_id) = checked_custom_id(service, custom_id)? else {
        return Ok(service.request(Method::Post, "/identities"));
    };
    create(
        service,
        &CreateBody {
            custom_id: Some(custom_id),
            ..Default::default()
        },
    )
}

/// `POST /identities`, with the scopes of a token.
pub(crate) fn create_user_and_token(
    service: &Service,
    custom_id: Option<&str>,
    scopes: &[CommunicationTokenScope],
    token_expires_in: Option<Duration>,
) -> Result<Request> {
    if scopes.is_empty() {
        return Err(invalid_argument(
            "scopes is empty; name what the token is for, or call create_user for a user without a token",
        ));
    }
    create(
        service,
        &CreateBody {
            custom_id: checked_custom_id(service, custom_id)?,
            create_token_with_scopes: Some(scopes),
            expires_in_minutes: lifetime_in_minutes(token_expires_in)?,
        },
    )
}

fn create(service: &Service, body: &CreateBody<'_>) -> Result<Request> {
    service.request_with_json(Method::Post, "/identities", body)
}

/// A custom id that the service would accept.
fn checked_custom_id<'a>(service: &Service, custom_id: Option<&'a str>) -> Result<Option<&'a str>> {
    let Some(custom_id) = custom_id else {
        return Ok(None);
    };
    service.require_preview("custom_id")?;
    if !CUSTOM_ID_CHARS.contains(&custom_id.chars().count()) {
        return Err(invalid_argument(format!(
            "custom_id has to have {} to {} characters",
            CUSTOM_ID_CHARS.start(),
            CUSTOM_ID_CHARS.end()
        )));
    }
    Ok(Some(custom_id))
}

/// `GET /identities/{id}`
pub(crate) fn get_user(service: &Service, user: &CommunicationUserIdentifier) -> Result<Request> {
    service.require_preview("get_user")?;
    Ok(service.request(Method::Get, &path(user, "")))
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
