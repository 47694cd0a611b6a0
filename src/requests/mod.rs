//! The requests of the service's operations, as pure functions of the service's address and the arguments.
//!
//! The rule: the service's specification, `Azure/azure-rest-api-specs`, `specification/communication/data-plane/Identity`.

mod exchange;
mod teams_extension;
mod users;

pub(crate) use exchange::{exchange_entra_token, exchange_teams_extension_token, exchange_teams_user_token};
pub(crate) use teams_extension::{create_or_replace_assignment, delete_assignment, get_assignment};
pub(crate) use users::{create_user, create_user_and_token, delete_user, get_token, revoke_tokens};

use crate::error::invalid_argument;
use azure_core::{
    Result,
    http::{
        Method, Request, Url,
        headers::{ACCEPT, CONTENT_TYPE},
    },
};
use serde::Serialize;
use std::collections::HashMap;

/// The most headers that a request has when it is sent: two from here, the request's id, the client's name, and three of
/// the signature.
const HEADERS: usize = 7;

/// A path as long as those of the most frequent requests.
const LONG_PATH: &str = "/identities/8:acs:00000000-0000-0000-0000-000000000000_00000000-0000-0000-0000-000000000000\
                         /:issueAccessToken";

/// The address that requests are built on: an endpoint with the API version in its query.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// With [`LONG_PATH`], so that a clone has the room for the path that takes its place.
    url: Url,
}

impl Service {
    pub(crate) fn new(endpoint: &Url, api_version: &str) -> Result<Self> {
        if api_version.is_empty() {
            return Err(invalid_argument(
                "api_version is empty; leave it at its default, or set a version such as 2025-06-30",
            ));
        }
        let mut url = endpoint.clone();
        url.set_path(LONG_PATH);
        url.query_pairs_mut().append_pair("api-version", api_version);
        Ok(Self { url })
    }

    fn request(&self, method: Method, path: &str) -> Request {
        let mut url = self.url.clone();
        url.set_path(path);
        let mut request = Request::new(url, method);
        *request.headers_mut() = HashMap::with_capacity(HEADERS).into();
        request.insert_header(ACCEPT, "application/json");
        request
    }

    fn request_with_json(&self, method: Method, path: &str, body: &impl Serialize) -> Result<Request> {
        let mut request = self.request(method, path);
        request.insert_header(CONTENT_TYPE, "application/json");
        request.set_json(body)?;
        Ok(request)
    }
}
