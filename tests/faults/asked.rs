//! A request as a raw server reads it, and what the service documents to answer.

use crate::operation::Subject;
use azure_communication_identity::TeamsUserTokenRequest;

pub(crate) const KEY: &str = "VGhpcyBpcyB0aGUga2V5IHRoYXQgbm9ib2R5IG1heSBzZWU=";
/// The Entra token that a Teams user's exchange carries.
const TEAMS_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.RW50cmEgdG9rZW4gb2YgYSBUZWFtcyB1c2Vy.VGhlIHNpZ25hdHVyZSBvZiBFbnRyYQ";
/// The token that the service issues.
pub(crate) const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.QWNjZXNzIHRva2VuIG9mIGEgY2hhdCB1c2Vy.VGhlIHNpZ25hdHVyZSBvZiBBQ1M";
/// What must be in no error.
pub(crate) const SECRETS: [&str; 3] = [KEY, TEAMS_TOKEN, TOKEN];

pub(crate) const USER: &str = "8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-0ffb879b1130";

pub(crate) fn subject() -> Subject {
    Subject {
        user: USER.parse().unwrap(),
        teams_user: TeamsUserTokenRequest {
            token: TEAMS_TOKEN.into(),
            client_id: "9cdb4dd2-6a2d-4ba4-a8c5-8f2e1d5c7d10".to_owned(),
            user_object_id: "2f2b1f6a-4ac9-4a3b-8a39-5a0e3d9f6a77".to_owned(),
        },
    }
}

/// A request.
pub(crate) struct Asked(pub(crate) String);

impl Asked {
    /// The documented answer to it: a status, and a body unless the status is 204.
    pub(crate) fn documented(&self) -> (u16, String) {
        let token = format!(r#"{{"token":"{TOKEN}","expiresOn":"2099-12-31T23:59:59.1234567+00:00"}}"#);
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
