//! The requests of the service's operations, as pure functions of the service's address and the arguments.
//!
//! The rule: the service's specification, `Azure/azure-rest-api-specs`, `specification/communication/data-plane/Identity`.

use crate::{
    error::invalid_argument,
    identifier::CommunicationUserIdentifier,
    models::{CommunicationTokenScope, TeamsUserTokenRequest, lifetime_in_minutes},
};
use azure_core::{
    Result,
    http::{
        Method, Request, Url,
        headers::{ACCEPT, CONTENT_TYPE},
    },
    time::Duration,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

/// What an id may hold in a path as it is; everything else is percent-encoded, so that it stays one segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// The address that requests are built on: an endpoint with the API version in its query.
pub(crate) fn service_url(endpoint: &Url, api_version: &str) -> Result<Url> {
    if api_version.is_empty() {
        return Err(invalid_argument(
            "api_version is empty; leave it at its default, or set a version such as 2023-10-01",
        ));
    }
    let mut url = endpoint.clone();
    url.query_pairs_mut().append_pair("api-version", api_version);
    Ok(url)
}

/// `POST /identities`, without a body.
pub(crate) fn create_user(service: &Url) -> Request {
    request(service, Method::Post, "/identities")
}

/// `POST /identities`, with the scopes of a token.
pub(crate) fn create_user_and_token(
    service: &Url,
    scopes: &[CommunicationTokenScope],
    token_expires_in: Option<Duration>,
) -> Result<Request> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        create_token_with_scopes: &'a [CommunicationTokenScope],
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in_minutes: Option<i64>,
    }

    if scopes.is_empty() {
        return Err(invalid_argument(
            "scopes is empty; name what the token is for, or call create_user for a user without a token",
        ));
    }
    with_json(
        create_user(service),
        &Body {
            create_token_with_scopes: scopes,
            expires_in_minutes: lifetime_in_minutes(token_expires_in)?,
        },
    )
}

/// `POST /identities/{id}/:issueAccessToken`
pub(crate) fn get_token(
    service: &Url,
    user: &CommunicationUserIdentifier,
    scopes: &[CommunicationTokenScope],
    token_expires_in: Option<Duration>,
) -> Result<Request> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        scopes: &'a [CommunicationTokenScope],
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in_minutes: Option<i64>,
    }

    if scopes.is_empty() {
        return Err(invalid_argument(
            "scopes is empty; name what the token is for, such as CommunicationTokenScope::Chat",
        ));
    }
    with_json(
        user_request(service, Method::Post, user, "/:issueAccessToken"),
        &Body {
            scopes,
            expires_in_minutes: lifetime_in_minutes(token_expires_in)?,
        },
    )
}

/// `POST /identities/{id}/:revokeAccessTokens`
pub(crate) fn revoke_tokens(service: &Url, user: &CommunicationUserIdentifier) -> Request {
    user_request(service, Method::Post, user, "/:revokeAccessTokens")
}

/// `DELETE /identities/{id}`
pub(crate) fn delete_user(service: &Url, user: &CommunicationUserIdentifier) -> Request {
    user_request(service, Method::Delete, user, "")
}

/// `POST /teamsUser/:exchangeAccessToken`
pub(crate) fn get_token_for_teams_user(service: &Url, teams_user: &TeamsUserTokenRequest) -> Result<Request> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        token: &'a str,
        app_id: &'a str,
        user_id: &'a str,
    }

    with_json(
        request(service, Method::Post, "/teamsUser/:exchangeAccessToken"),
        &Body {
            token: teams_user.token.secret(),
            app_id: &teams_user.client_id,
            user_id: &teams_user.user_object_id,
        },
    )
}

fn user_request(service: &Url, method: Method, user: &CommunicationUserIdentifier, action: &str) -> Request {
    let id = utf8_percent_encode(user.as_str(), SEGMENT);
    request(service, method, &format!("/identities/{id}{action}"))
}

fn request(service: &Url, method: Method, path: &str) -> Request {
    let mut url = service.clone();
    url.set_path(path);
    let mut request = Request::new(url, method);
    request.insert_header(ACCEPT, "application/json");
    request
}

fn with_json(mut request: Request, body: &impl Serialize) -> Result<Request> {
    request.insert_header(CONTENT_TYPE, "application/json");
    request.set_json(body)?;
    Ok(request)
}
