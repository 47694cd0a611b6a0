//! The requests of the service's operations, as pure functions of the base URL and the arguments.
//!
//! The rule: the service's specification, `Azure/azure-rest-api-specs`, `specification/communication/data-plane/Identity`.

use crate::{
    error::invalid_argument,
    identifiers::CommunicationUserIdentifier,
    models::{
        CommunicationTokenScope, TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsUserTokenRequest,
        lifetime_in_minutes, require_scopes,
    },
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
use std::{borrow::Cow, collections::HashMap};

/// The characters of an ID that are not percent-encoded in a path. All others are, so that it is one segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// The most headers that a request has when it is sent: two from here, the request's ID, the client's name, and three of
/// the signature.
const HEADERS: usize = 7;

/// The URL that requests are built on: an endpoint with the API version in its query.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl(Url);

impl BaseUrl {
    pub(crate) fn new(endpoint: &Url, api_version: &str) -> Result<Self> {
        if api_version.is_empty() {
            return Err(invalid_argument(
                "api_version is empty; leave it at its default, or set a version such as 2025-06-30",
            ));
        }
        let mut url = endpoint.clone();
        url.query_pairs_mut().append_pair("api-version", api_version);
        Ok(Self(url))
    }

    /// Creates a request. The pieces of the path are percent-encoded already.
    fn request(&self, method: Method, path: &[&str]) -> Request {
        let mut url = self.0.clone();
        url.set_path(&path.concat());
        let mut request = Request::new(url, method);
        *request.headers_mut() = HashMap::with_capacity(HEADERS).into();
        request.insert_header(ACCEPT, "application/json");
        request
    }

    fn request_with_json(&self, method: Method, path: &[&str], body: &impl Serialize) -> Result<Request> {
        let mut request = self.request(method, path);
        request.insert_header(CONTENT_TYPE, "application/json");
        request.set_json(body)?;
        Ok(request)
    }
}

/// `POST /identities`, without a body.
pub(crate) fn create_user(base_url: &BaseUrl) -> Request {
    base_url.request(Method::Post, &["/identities"])
}

/// `POST /identities`, with the scopes of a token.
pub(crate) fn create_user_and_token(
    base_url: &BaseUrl,
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
    let body = Body {
        create_token_with_scopes: scopes,
        expires_in_minutes: lifetime_in_minutes(token_expires_in)?,
    };
    base_url.request_with_json(Method::Post, &["/identities"], &body)
}

/// `POST /identities/{id}/:issueAccessToken`
pub(crate) fn get_token(
    base_url: &BaseUrl,
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

    require_scopes(scopes)?;
    let body = Body {
        scopes,
        expires_in_minutes: lifetime_in_minutes(token_expires_in)?,
    };
    let path = ["/identities/", &segment(user), "/:issueAccessToken"];
    base_url.request_with_json(Method::Post, &path, &body)
}

/// `POST /identities/{id}/:revokeAccessTokens`
pub(crate) fn revoke_tokens(base_url: &BaseUrl, user: &CommunicationUserIdentifier) -> Request {
    base_url.request(Method::Post, &["/identities/", &segment(user), "/:revokeAccessTokens"])
}

/// `DELETE /identities/{id}`
pub(crate) fn delete_user(base_url: &BaseUrl, user: &CommunicationUserIdentifier) -> Request {
    base_url.request(Method::Delete, &["/identities/", &segment(user)])
}

/// Returns the ID of a user as a segment of a path. Nothing is copied if nothing must be encoded, as in all IDs of today's
/// form.
fn segment(user: &CommunicationUserIdentifier) -> Cow<'_, str> {
    utf8_percent_encode(user.as_str(), SEGMENT).into()
}

/// `POST /teamsUser/:exchangeAccessToken`
pub(crate) fn exchange_teams_user_token(base_url: &BaseUrl, teams_user: &TeamsUserTokenRequest) -> Result<Request> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        token: &'a str,
        app_id: &'a str,
        user_id: &'a str,
    }

    let body = Body {
        token: teams_user.token.secret(),
        app_id: &teams_user.client_id,
        user_id: &teams_user.user_object_id,
    };
    base_url.request_with_json(Method::Post, &["/teamsUser/:exchangeAccessToken"], &body)
}

/// `POST /access/entra/:exchangeAccessToken`, which the Entra token itself authenticates.
pub(crate) fn exchange_entra_token(base_url: &BaseUrl) -> Result<Request> {
    exchange_own_token(base_url, "/access/entra/:exchangeAccessToken")
}

/// `POST /access/teamsExtension/:exchangeAccessToken`, which the Entra token itself authenticates.
pub(crate) fn exchange_teams_extension_token(base_url: &BaseUrl) -> Result<Request> {
    exchange_own_token(base_url, "/access/teamsExtension/:exchangeAccessToken")
}

fn exchange_own_token(base_url: &BaseUrl, path: &str) -> Result<Request> {
    #[derive(Serialize)]
    struct Body {}

    base_url.request_with_json(Method::Post, &[path], &Body {})
}

/// `GET /access/teamsExtension/tenants/{tenantId}/assignments/{objectId}`
pub(crate) fn get_assignment(base_url: &BaseUrl, id: &TeamsExtensionAssignmentId) -> Request {
    base_url.request(Method::Get, &[&assignment_path(id)])
}

/// `PUT /access/teamsExtension/tenants/{tenantId}/assignments/{objectId}`
pub(crate) fn create_or_replace_assignment(
    base_url: &BaseUrl,
    id: &TeamsExtensionAssignmentId,
    principal: &TeamsExtensionPrincipal,
) -> Result<Request> {
    base_url.request_with_json(Method::Put, &[&assignment_path(id)], principal)
}

/// `DELETE /access/teamsExtension/tenants/{tenantId}/assignments/{objectId}`
pub(crate) fn delete_assignment(base_url: &BaseUrl, id: &TeamsExtensionAssignmentId) -> Request {
    base_url.request(Method::Delete, &[&assignment_path(id)])
}

fn assignment_path(id: &TeamsExtensionAssignmentId) -> String {
    let TeamsExtensionAssignmentId { tenant_id, object_id } = id;
    format!("/access/teamsExtension/tenants/{tenant_id}/assignments/{object_id}")
}
