//! Requests as a server receives them, and the documented responses.

use crate::support::{
    fixtures::{KEY, TEAMS_TOKEN, TOKEN, USER, user},
    operation::{Operation, Output},
};
use azure_communication_identity::CommunicationAccessToken;
use azure_core::{Bytes, http::Request, time::parse_rfc3339};
use std::fmt::Write as _;

/// The secrets that no error may contain, beside signatures.
pub(crate) const SECRETS: [&str; 3] = [KEY, TEAMS_TOKEN, TOKEN];

/// The expiry of [`TOKEN`].
const EXPIRES_ON: &str = "2099-12-31T23:59:59.1234567+00:00";

/// The text of a request.
pub(crate) struct RawRequest(pub(crate) String);

impl RawRequest {
    /// Returns a request that creates a user.
    pub(crate) fn sample() -> Self {
        Self("POST /identities HTTP/1.1\r\n\r\n".to_owned())
    }

    /// Returns the documented response: a status, and a body unless the status is 204.
    pub(crate) fn documented(&self) -> (u16, String) {
        let token = format!(r#"{{"token":"{TOKEN}","expiresOn":"{EXPIRES_ON}"}}"#);
        let line = self.0.lines().next().unwrap();
        if line.starts_with("DELETE ") || line.contains(":revokeAccessTokens") {
            (204, String::new())
        } else if line.contains(":issueAccessToken") || line.contains(":exchangeAccessToken") {
            (200, token)
        } else if self.0.contains("createTokenWithScopes") {
            (
                201,
                format!(r#"{{"identity":{{"id":"{USER}"}},"accessToken":{token}}}"#),
            )
        } else {
            (201, format!(r#"{{"identity":{{"id":"{USER}"}}}}"#))
        }
    }

    /// Returns the status of a success with a body.
    pub(crate) fn status_with_body(&self) -> u16 {
        match self.documented().0 {
            204 => 200,
            status => status,
        }
    }

    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl From<&Request> for RawRequest {
    fn from(request: &Request) -> Self {
        let mut text = format!("{} {} HTTP/1.1\r\n", request.method(), request.path_and_query());
        for (name, value) in request.headers().iter() {
            write!(text, "{}: {}\r\n", name.as_str(), value.as_str()).unwrap();
        }
        let body = Bytes::from(request.body());
        Self(text + "\r\n" + &String::from_utf8_lossy(&body))
    }
}

/// Returns the results of the documented response.
pub(crate) fn documented_output(operation: Operation) -> Output {
    let brings_token = operation.has_result() && operation != Operation::CreateUser;
    let expires_on = parse_rfc3339(EXPIRES_ON).unwrap();
    Output {
        user: operation.creates_user().then(user),
        token: brings_token.then(|| CommunicationAccessToken::new(TOKEN, expires_on)),
    }
}
