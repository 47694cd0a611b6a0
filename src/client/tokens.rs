//! Operations on access tokens.

use super::CommunicationIdentityClient;
use crate::{
    identifier::CommunicationUserIdentifier,
    models::{
        CommunicationAccessToken, CommunicationIdentityClientGetTokenForTeamsExtensionUserOptions,
        CommunicationIdentityClientGetTokenForTeamsUserOptions, CommunicationIdentityClientGetTokenOptions,
        CommunicationIdentityClientRevokeTokensOptions, CommunicationTokenScope, ExchangedAccessToken,
        TeamsUserTokenRequest,
    },
    requests,
};
use azure_core::{
    Result,
    credentials::Secret,
    http::{NoFormat, Response, StatusCode},
    tracing,
};

impl CommunicationIdentityClient {
    /// Issues an access token for a user.
    ///
    /// A user can have several tokens at a time. Get a new one when the old one is about to expire; the user stays the
    /// same.
    ///
    /// # Arguments
    ///
    /// * `user` - The user.
    /// * `scopes` - What the token is for; at least one.
    /// * `options` - Options for the operation, with the token's lifetime.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). `scopes` is empty, or the lifetime is not a whole number of minutes from 60 to
    /// 1440. For a user of another resource the service answers
    /// [`IdentityNotOwned`](crate::CommunicationErrorCode::IdentityNotOwned); what it answers for a deleted one is not
    /// documented.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let stored_id = client.create_user(None).await?.into_model()?.to_string();
    /// use azure_communication_identity::CommunicationTokenScope;
    ///
    /// let user = stored_id.parse()?;
    /// let token = client
    ///     .get_token(&user, &[CommunicationTokenScope::Chat, CommunicationTokenScope::Voip], None)
    ///     .await?
    ///     .into_model()?;
    /// println!("expires on {}", token.expires_on);
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.getToken")]
    pub async fn get_token(
        &self,
        user: &CommunicationUserIdentifier,
        scopes: &[CommunicationTokenScope],
        options: Option<CommunicationIdentityClientGetTokenOptions<'_>>,
    ) -> Result<Response<CommunicationAccessToken>> {
        let options = options.unwrap_or_default();
        let request = requests::get_token(&self.service, user, scopes, options.token_expires_in)?;
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::Ok]).await?;
        Ok(response.into())
    }

    /// Revokes all access tokens of a user.
    ///
    /// The service says that it can take up to 15 minutes until a revoked token is refused everywhere.
    ///
    /// # Arguments
    ///
    /// * `user` - The user.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). For a user of another resource the service answers
    /// [`IdentityNotOwned`](crate::CommunicationErrorCode::IdentityNotOwned); what it answers for a deleted one is not
    /// documented.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let user = client.create_user(None).await?.into_model()?;
    /// client.revoke_tokens(&user, None).await?;
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.revokeTokens")]
    pub async fn revoke_tokens(
        &self,
        user: &CommunicationUserIdentifier,
        options: Option<CommunicationIdentityClientRevokeTokensOptions<'_>>,
    ) -> Result<Response<(), NoFormat>> {
        let options = options.unwrap_or_default();
        let request = requests::revoke_tokens(&self.service, user);
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::NoContent]).await?;
        Ok(response.into())
    }

    /// Exchanges the Entra access token of a Teams user for an access token of Communication Services, with which
    /// they call as themselves.
    ///
    /// The token expires when the Entra token does.
    ///
    /// # Arguments
    ///
    /// * `request` - The Entra token and whom it was issued to.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The service answers
    /// [`InvalidAccessToken`](crate::CommunicationErrorCode::InvalidAccessToken) for an Entra token that is not valid,
    /// and [`ValidationError`](crate::CommunicationErrorCode::ValidationError) with target `appId` or `userId` for an
    /// application or user that the token was not issued to.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let minted = emulator.mint_entra_token(&acs_identity_emulator::EntraTokenRequest::teams_user()).await?;
    /// # let (client_id, user_object_id) = (minted.app_id.to_string(), minted.user_id.to_string());
    /// # let entra_token = minted.token;
    /// use azure_communication_identity::TeamsUserTokenRequest;
    ///
    /// let token = client
    ///     .get_token_for_teams_user(
    ///         TeamsUserTokenRequest { token: entra_token.into(), client_id, user_object_id },
    ///         None,
    ///     )
    ///     .await?
    ///     .into_model()?;
    /// println!("expires on {}", token.expires_on);
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.getTokenForTeamsUser")]
    pub async fn get_token_for_teams_user(
        &self,
        request: TeamsUserTokenRequest,
        options: Option<CommunicationIdentityClientGetTokenForTeamsUserOptions<'_>>,
    ) -> Result<Response<CommunicationAccessToken>> {
        let options = options.unwrap_or_default();
        let request = requests::exchange_teams_user_token(&self.service, &request)?;
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::Ok]).await?;
        Ok(response.into())
    }

    /// Exchanges the Entra access token of a Teams user for an access token of Communication Services, with which they call
    /// by Teams Phone extensibility.
    ///
    /// An [assignment](Self::create_or_replace_teams_extension_assignment) has to admit the user. The Entra token itself
    /// authenticates the request; the client's own credential is not used. The token that comes back expires with it.
    ///
    /// # Arguments
    ///
    /// * `entra_token` - The user's Entra access token, for the scope
    ///   `https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls`.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The client's endpoint is one of plain http, which no Entra token must travel over. API
    /// versions before 2025-06-30 do not have the operation.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use azure_communication_identity::{CommunicationIdentifier, CommunicationIdentityClient};
    ///
    /// # async fn exchange(client: CommunicationIdentityClient, entra_token: String) -> azure_core::Result<()> {
    /// let exchanged = client
    ///     .get_token_for_teams_extension_user(entra_token.into(), None)
    ///     .await?
    ///     .into_model()?;
    /// if let CommunicationIdentifier::TeamsExtensionUser(user) = &exchanged.identity {
    ///     println!("{} may call until {}", user.raw_id(), exchanged.access_token.expires_on);
    /// }
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.getTokenForTeamsExtensionUser")]
    pub async fn get_token_for_teams_extension_user(
        &self,
        entra_token: Secret,
        options: Option<CommunicationIdentityClientGetTokenForTeamsExtensionUserOptions<'_>>,
    ) -> Result<Response<ExchangedAccessToken>> {
        let options = options.unwrap_or_default();
        let request = requests::exchange_teams_extension_token(&self.service)?;
        let context = options.method_options.context;
        Ok(self.pipeline.send_for_user(context, request, entra_token).await?.into())
    }
}
