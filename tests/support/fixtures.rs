//! Values for requests and responses.

pub(crate) use super::fake_service::{API_VERSION, USER};

use azure_communication_identity::{CommunicationTokenScope, CommunicationUserIdentifier, TeamsUserTokenRequest};

pub(crate) const ENDPOINT: &str = "https://contoso.communication.azure.com/";

/// An access key.
pub(crate) const KEY: &str = "dGhlIGFjY2VzcyBrZXkgb2YgdGhlIHJlc291cmNlIGNvbnRvc28=";

/// The connection string of [`ENDPOINT`] and [`KEY`].
pub(crate) const CONNECTION_STRING: &str = "endpoint=https://contoso.communication.azure.com/;\
                                            accesskey=dGhlIGFjY2VzcyBrZXkgb2YgdGhlIHJlc291cmNlIGNvbnRvc28=";

/// The Entra token of a Teams user.
pub(crate) const TEAMS_TOKEN: &str =
    "eyJhbGciOiJSUzI1NiJ9.RW50cmEgdG9rZW4gb2YgYSBUZWFtcyB1c2Vy.VGhlIHNpZ25hdHVyZSBvZiBFbnRyYQ";

/// An access token of the service.
pub(crate) const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.QWNjZXNzIHRva2VuIG9mIGEgY2hhdCB1c2Vy.VGhlIHNpZ25hdHVyZSBvZiBBQ1M";

pub(crate) const SCOPES: [CommunicationTokenScope; 1] = [CommunicationTokenScope::Chat];

pub(crate) fn user() -> CommunicationUserIdentifier {
    USER.parse().unwrap()
}

pub(crate) fn teams_user() -> TeamsUserTokenRequest {
    TeamsUserTokenRequest {
        token: TEAMS_TOKEN.into(),
        client_id: "9cdb4dd2-6a2d-4ba4-a8c5-8f2e1d5c7d10".to_owned(),
        user_object_id: "2f2b1f6a-4ac9-4a3b-8a39-5a0e3d9f6a77".to_owned(),
    }
}
