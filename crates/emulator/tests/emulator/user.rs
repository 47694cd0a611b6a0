//! A user of Entra ID that exchanges its token.

use crate::client::{Client, Response};
use acs_identity_emulator::{Emulator, EntraToken, EntraTokenRequest};
use serde_json::Value;

pub(crate) struct User {
    pub(crate) emulator: Emulator,
    pub(crate) https: Client,
    pub(crate) entra: EntraToken,
    /// The exchange that the user calls.
    exchange: &'static str,
    request: EntraTokenRequest,
}

impl User {
    pub(crate) async fn new(emulator: Emulator, request: EntraTokenRequest, exchange: &'static str) -> Self {
        Self {
            https: Client::over_https(&emulator),
            entra: emulator.mint_entra_token(&request).await.unwrap(),
            emulator,
            exchange,
            request,
        }
    }

    /// A token of the same user, or of another if `change` says so.
    pub(crate) async fn mint(&self, change: impl FnOnce(&mut EntraTokenRequest)) -> String {
        let mut request = self.request.clone();
        change(&mut request);
        self.emulator.mint_entra_token(&request).await.unwrap().token
    }

    pub(crate) async fn exchange(&self, token: &str) -> Response {
        self.https.exchange_own(self.exchange, token).await
    }

    /// An access token of the user.
    pub(crate) async fn exchanged(&self) -> String {
        self.exchange(&self.entra.token).await.text("/accessToken/token")
    }

    /// Creates or replaces an assignment as the owner of the resource.
    pub(crate) async fn put(&self, assignment: &str, body: &Value) -> u16 {
        self.https.send("PUT", assignment, &body.to_string()).await.status
    }

    pub(crate) async fn delete(&self, assignment: &str) {
        assert_eq!(self.https.send("DELETE", assignment, "").await.status, 204);
    }
}

#[track_caller]
pub(crate) fn assert_not_valid(response: &Response) {
    response.assert_error(401, "InvalidAccessToken", "Provided access token is not valid.", None);
    assert_eq!(response.header("api-supported-versions"), None);
}

#[track_caller]
pub(crate) fn assert_forbidden(response: &Response, message: &str) {
    response.assert_error(403, "Forbidden", message, None);
    assert_eq!(response.header("api-supported-versions"), None);
}

#[track_caller]
pub(crate) fn assert_not_admitted(response: &Response) {
    assert_forbidden(response, "No assignment admits the user with this application.");
}
