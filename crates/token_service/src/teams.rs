//! Exchanges of a Teams user's Entra token for a token of Azure Communication Services: of that Teams user, or for Teams Phone.

use crate::{acs::Acs, error::ApiError, user::EntraUser};
use axum::http::{HeaderMap, StatusCode};
use azure_communication_identity::{CommunicationAccessToken, ExchangedAccessToken, TeamsUserTokenRequest};
use azure_core::credentials::Secret;
use client_core::jwt::unverified_claims;
use entra_sidecar::{InboundToken, SidecarClient, SidecarError, SidecarErrorKind, web::HandlerError};
use token_guard::Caller;
use tracing::{debug, warn};

/// The header with the Teams user's Entra token, as in Microsoft's sample.
pub(crate) const TEAMS_TOKEN_HEADER: &str = "teams-user-aad-token";

/// Exchanges Entra tokens of Teams users, with the permissions `Teams.ManageCalls` and `Teams.ManageChats`. The caller sends
/// the Entra token, or the sidecar acquires it on behalf of the caller.
///
/// The Entra token must be the caller's: its `tid` and `oid` are compared with those of the caller's checked token. Azure
/// Communication Services checks the rest.
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
    tokens: EntraTokens,
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
            tokens: EntraTokens::default(),
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
        self.tokens.sidecar = Some((sidecar, api.into()));
        self
    }

    /// Returns a token for the caller, who is this user.
    pub(crate) async fn token(
        &self,
        acs: &Acs,
        caller: &Caller,
        user: EntraUser<'_>,
        headers: &HeaderMap,
    ) -> Result<CommunicationAccessToken, ApiError> {
        acs.exchange(TeamsUserTokenRequest {
            token: self.tokens.of(caller, user, headers).await?,
            client_id: self.client_id.clone(),
            user_object_id: user.object_id.to_owned(),
        })
        .await
    }
}

/// Exchanges Entra tokens of Teams users for tokens of Teams Phone extensibility, with the permission
/// `TeamsExtension.ManageCalls`. The caller sends the Entra token, or the sidecar acquires it on behalf of the caller.
///
/// The Entra token must be the caller's, as with [`TeamsExchange`]. It authenticates the exchange itself, so the identity
/// client must use https. An [assignment][guide] must admit the user to the resource.
///
/// [guide]: https://learn.microsoft.com/azure/communication-services/quickstarts/tpe/teams-phone-extensibility-access-teams-phone
///
/// # Examples
///
/// ```
/// use entra_sidecar::SidecarClient;
/// use token_service::TeamsPhoneExchange;
///
/// let sidecar = SidecarClient::new("http://localhost:5000", None)?;
/// let phone = TeamsPhoneExchange::new().on_behalf_of(sidecar, "AcsTeamsPhone");
/// # let _ = phone;
/// # Ok::<(), azure_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TeamsPhoneExchange {
    tokens: EntraTokens,
}

impl TeamsPhoneExchange {
    /// Creates an exchange of the tokens that callers send.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the sidecar acquire the token of a caller who sends none.
    ///
    /// # Arguments
    ///
    /// * `sidecar` - The client of the sidecar.
    /// * `api` - The name, in the sidecar's configuration, of the scope
    ///   `https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls`.
    #[must_use]
    pub fn on_behalf_of(mut self, sidecar: SidecarClient, api: impl Into<String>) -> Self {
        self.tokens.sidecar = Some((sidecar, api.into()));
        self
    }

    /// Returns a token for the caller, who is this user.
    pub(crate) async fn token(
        &self,
        acs: &Acs,
        caller: &Caller,
        user: EntraUser<'_>,
        headers: &HeaderMap,
    ) -> Result<ExchangedAccessToken, ApiError> {
        acs.exchange_for_phone(self.tokens.of(caller, user, headers).await?)
            .await
    }
}

/// The source of callers' Entra tokens: a header or, with its name for their scopes, the sidecar.
#[derive(Clone, Debug, Default)]
struct EntraTokens {
    sidecar: Option<(SidecarClient, String)>,
}

impl EntraTokens {
    /// Returns an Entra token of the caller, who is this user. Azure Communication Services will verify it.
    async fn of(&self, caller: &Caller, user: EntraUser<'_>, headers: &HeaderMap) -> Result<Secret, ApiError> {
        let token = match headers.get(TEAMS_TOKEN_HEADER) {
            Some(token) => token.to_str().map_err(|_| malformed())?.to_owned(),
            None => self.acquire(caller).await?,
        };
        let claims = unverified_claims(&token).map_err(|_| malformed())?;
        let claim = |name: &str| claims.get(name).and_then(|claim| claim.as_str());
        if claim("tid") != Some(user.tenant_id) || claim("oid") != Some(user.object_id) {
            let message = "the Teams user's Entra token is not the caller's: its tid or its oid is another one";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "other_user", message));
        }
        Ok(Secret::new(token))
    }

    /// Acquires the caller's token, by the on-behalf-of flow.
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

fn malformed() -> ApiError {
    ApiError::bad_request("teams-user-aad-token is not a JSON web token")
}
