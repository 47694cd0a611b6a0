//! A request as a raw server reads it, and what the service documents to answer.

pub(crate) use crate::support::fixtures::{KEY, TOKEN, USER};

use crate::support::{fixtures::TEAMS_TOKEN, operation::Subject};

/// The expiry of [`TOKEN`], as the service writes it.
pub(crate) const EXPIRES_ON: &str = "2099-12-31T23:59:59.1234567+00:00";

/// The secrets that no error may contain.
pub(crate) const SECRETS: [&str; 3] = [KEY, TEAMS_TOKEN, TOKEN];

pub(crate) fn subject() -> Subject {
    Subject::default()
}

/// A request.
pub(crate) struct Asked(pub(crate) String);

impl Asked {
    /// The documented answer to it: a status, and a body unless the status is 204.
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

    /// The status of a success with a body.
    pub(crate) fn status_with_body(&self) -> u16 {
        match self.documented().0 {
            204 => 200,
            status => status,
        }
    }
}
