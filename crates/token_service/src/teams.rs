//! Exchange of a Teams user's Entra token for a token of Azure Communication Services.

use crate::{acs::Acs, error::ApiError};
use axum::http::{HeaderMap, StatusCode};
use azure_communication_identity::{CommunicationAccessToken, TeamsUserTokenRequest};
use azure_core::credentials::Secret;
use entra_sidecar::{InboundToken, SidecarClient, SidecarError, SidecarErrorKind, web::HandlerError};
use jsonwebtoken::dangerous::insecure_decode_claims;
use serde::Deserialize;
use token_guard::Caller;
use tracing::{debug, warn};

/// The header with the Teams user's Entra token, as in Microsoft's sample.
pub(crate) const TEAMS_TOKEN_HEADER: &str = "teams-user-aad-token";

/// The longest Entra token that is parsed.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Exchanges Entra tokens of Teams users, with the permissions `Teams.ManageCalls` and `Teams.ManageChats`. The caller sends
/// the Entra token, or the sidecar acquires it on behalf of the caller.
///
/// The Entra token must be the caller's: its `oid` is compared with that of the caller's checked token. Azure Communication
/// Services checks the rest.
///
/// # Examples
///
/// ```
/// use entra_sidecar::SidecarClient;
/// use token_service::TeamsExchange;
///
/// let sidecar = SidecarClient::new("http://localhost:5000", None)?;
/// let teams = TeamsExchange::new("a2b1d60e-50ea-47e7-8eb1-5cbb8b1c1a71").on_behalf_of(sidecar, "AcsTeams");
/// # let _ = teams;
/// # Ok::<(), azure_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TeamsExchange {
    client_id: String,
    sidecar: Option<(SidecarClient, String)>,
}

#[derive(Deserialize)]
struct Claims {
    oid: Option<String>,
}

impl TeamsExchange {
    /// Creates an exchange of the tokens that callers send.
    ///
    /// # Arguments
    ///
    /// * `client_id` - The application that the Entra tokens are issued to: their `appid`.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            sidecar: None,
        }
    }

    /// Lets the sidecar acquire the token of a caller who sends none.
    ///
    /// # Arguments
    ///
    /// * `sidecar` - The client of the sidecar.
    /// * `api` - The name, in the sidecar's configuration, of the scopes
    ///   `https://auth.msft.communication.azure.com/Teams.ManageCalls` and `.../Teams.ManageChats`.
    #[must_use]
    pub fn on_behalf_of(mut self, sidecar: SidecarClient, api: impl Into<String>) -> Self {
        self.sidecar = Some((sidecar, api.into()));
        self
    }

    /// Returns a token for the caller, whose object id this is.
    pub(crate) async fn token(
        &self,
        acs: &Acs,
        caller: &Caller,
        object_id: &str,
        headers: &HeaderMap,
    ) -> Result<CommunicationAccessToken, ApiError> {
        let token = match headers.get(TEAMS_TOKEN_HEADER) {
            Some(token) => token.to_str().map_err(|_| malformed())?.to_owned(),
            None => self.acquire(caller).await?,
        };
        if object_id_of(&token)?.as_deref() != Some(object_id) {
            let message = "the Teams user's Entra token is not the caller's: its oid is another one";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "other_user", message));
        }
        acs.exchange(TeamsUserTokenRequest {
            token: Secret::new(token),
            client_id: self.client_id.clone(),
            user_object_id: object_id.to_owned(),
        })
        .await
    }

    /// Acquires the caller's token for Teams, by the on-behalf-of flow.
    async fn acquire(&self, caller: &Caller) -> Result<String, ApiError> {
        let Some((sidecar, api)) = &self.sidecar else {
            let message = "send the Teams user's Entra token in the header teams-user-aad-token";
            return Err(ApiError::bad_request(message));
        };
        let inbound = InboundToken::bearer(caller.token().secret().to_owned()).map_err(|_| ApiError::internal())?;
        let header = sidecar
            .authorization_header(api, &inbound, None)
            .await
            .map_err(|error| {
                let kind = SidecarError::from_error(&error).map(SidecarError::kind);
                if kind == Some(SidecarErrorKind::CallerTokenRejected) {
                    // A caller can cause this at will, with a token that the guard accepts and the sidecar refuses.
                    debug!(%error, "the sidecar refused a caller's token");
                } else {
                    warn!(%error, "the sidecar acquired no token for a Teams user");
                }
                ApiError::from(HandlerError::from(error))
            })?;
        Ok(header.token().secret().to_owned())
    }
}

/// Returns the `oid` of a token that Azure Communication Services will check.
fn object_id_of(token: &str) -> Result<Option<String>, ApiError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(malformed());
    }
    let claims: Claims = insecure_decode_claims(token).map_err(|_| malformed())?;
    Ok(claims.oid)
}

fn malformed() -> ApiError {
    ApiError::bad_request("teams-user-aad-token is not a JSON web token")
}
