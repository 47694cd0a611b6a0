//! The client of the service.

mod options;

pub use options::CommunicationIdentityClientOptions;

use crate::{
    auth::{AzureKeyCredential, Clock, ConnectionString, Credential, Plaintext, check_scope, parse_endpoint},
    identifier::CommunicationUserIdentifier,
    models::{
        CommunicationAccessToken, CommunicationIdentityClientCreateUserAndTokenOptions,
        CommunicationIdentityClientCreateUserOptions, CommunicationIdentityClientDeleteUserOptions,
        CommunicationIdentityClientGetTokenForTeamsUserOptions, CommunicationIdentityClientGetTokenOptions,
        CommunicationIdentityClientRevokeTokensOptions, CommunicationTokenScope, CommunicationUserAndToken,
        IdentityFormat, TeamsUserTokenRequest,
    },
    pipeline::ServicePipeline,
    requests,
};
use azure_core::{
    Result,
    credentials::TokenCredential,
    http::{NoFormat, Response, StatusCode, Url},
    tracing,
};
use std::sync::Arc;

/// A client of the identity service of a Communication Services resource, which creates users and their access tokens.
///
/// Create one client and keep it: it is cheap to clone, its clones share connections, and all of its operations can run
/// at the same time. Every future that it returns is `Send` and can be dropped at any point.
///
/// # Errors
///
/// An operation fails with an [`azure_core::Error`] of kind
///
/// * `HttpResponse` when the service, or something in front of it, answered a failure: its source is a
///   [`CommunicationError`](crate::CommunicationError);
/// * `Connection` when no connection was established, so nothing was sent;
/// * `Io` when a request was sent and no whole answer came back;
/// * `Credential` when a token credential gave no token;
/// * `DataConversion` when the answer is not what the service documents;
/// * `Other` when an argument was refused before anything was sent.
///
/// A transport, a policy or a retry policy of your own may add errors of other kinds.
///
/// # Time
///
/// Core retries for about a minute and a half, and waits as long as a `Retry-After` header asks, before it gives up.
/// [`ClientOptions::retry`](azure_core::http::ClientOptions) bounds the one, `tokio::time::timeout` around a call both.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{CommunicationIdentityClient, CommunicationTokenScope};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// # let (emulator, client) = start().await?;
/// # let connection_string = emulator.connection_string();
/// # let its_client = client;
/// let client = CommunicationIdentityClient::with_connection_string(&connection_string, None)?;
/// # let client = its_client;
/// let created = client
///     .create_user_and_token(&[CommunicationTokenScope::Chat], None)
///     .await?
///     .into_model()?;
/// println!("{} may chat until {}", created.user, created.access_token.expires_on);
/// # Ok(()) }
/// ```
#[tracing::client]
#[derive(Clone, Debug)]
pub struct CommunicationIdentityClient {
    endpoint: Url,
    /// The endpoint with the API version in its query.
    service: Url,
    pipeline: ServicePipeline,
}

impl CommunicationIdentityClient {
    /// Creates a client that authenticates with Entra ID.
    ///
    /// # Arguments
    ///
    /// * `endpoint` - The resource's address, `https://<resource>.communication.azure.com`.
    /// * `credential` - A credential of a principal that has a role on the resource, such as *Contributor*; the
    ///   `azure_identity` crate has them.
    /// * `options` - Options for the client.
    ///
    /// # Errors
    ///
    /// The endpoint is not an https URL without path, query or user name, or an option is not valid. Plain http is
    /// refused even for loopback hosts, because an Entra token must not travel in plain text.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::CommunicationIdentityClient;
    /// use azure_identity::ManagedIdentityCredential;
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// let client = CommunicationIdentityClient::new(
    ///     "https://contoso.communication.azure.com",
    ///     ManagedIdentityCredential::new(None)?,
    ///     None,
    /// )?;
    /// # Ok(()) }
    /// ```
    pub fn new(
        endpoint: &str,
        credential: Arc<dyn TokenCredential>,
        options: Option<CommunicationIdentityClientOptions>,
    ) -> Result<Self> {
        let endpoint = parse_endpoint(endpoint, Plaintext::Never)?;
        if let Some(options) = &options {
            check_scope(&options.entra_scope, options.client_options.cloud.as_deref())?;
        }
        Self::build(endpoint, Credential::Entra(credential), options, Clock::system())
    }

    /// Creates a client that signs its requests with an access key of the resource.
    ///
    /// # Arguments
    ///
    /// * `endpoint` - The resource's address, `https://<resource>.communication.azure.com`; plain http is accepted for
    ///   a loopback host, where an emulator listens.
    /// * `credential` - The key.
    /// * `options` - Options for the client.
    ///
    /// # Errors
    ///
    /// The endpoint is not a URL as above, without path, query or user name, or an option is not valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::{AzureKeyCredential, CommunicationIdentityClient};
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// let client = CommunicationIdentityClient::with_key_credential(
    ///     "https://contoso.communication.azure.com",
    ///     AzureKeyCredential::new("a2V5IG9mIHRoZSByZXNvdXJjZQ==")?,
    ///     None,
    /// )?;
    /// # Ok(()) }
    /// ```
    pub fn with_key_credential(
        endpoint: &str,
        credential: AzureKeyCredential,
        options: Option<CommunicationIdentityClientOptions>,
    ) -> Result<Self> {
        let endpoint = parse_endpoint(endpoint, Plaintext::Loopback)?;
        Self::build(endpoint, Credential::AccessKey(credential), options, Clock::system())
    }

    /// Creates a client from a connection string, which holds the resource's address and an access key.
    ///
    /// # Arguments
    ///
    /// * `connection_string` - `endpoint=https://<resource>.communication.azure.com/;accesskey=<key>`, as the Azure
    ///   portal shows it under *Keys*. The names may be in any case and order.
    /// * `options` - Options for the client.
    ///
    /// # Errors
    ///
    /// A part is missing, empty, there twice or not valid, or an option is not valid. The error names the part and
    /// never shows its value.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::CommunicationIdentityClient;
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// let client = CommunicationIdentityClient::with_connection_string(
    ///     "endpoint=https://contoso.communication.azure.com/;accesskey=a2V5IG9mIHRoZSByZXNvdXJjZQ==",
    ///     None,
    /// )?;
    /// assert_eq!(client.endpoint().as_str(), "https://contoso.communication.azure.com/");
    /// # Ok(()) }
    /// ```
    pub fn with_connection_string(
        connection_string: &str,
        options: Option<CommunicationIdentityClientOptions>,
    ) -> Result<Self> {
        let parts = ConnectionString::parse(connection_string)?;
        Self::with_key_credential(parts.endpoint, parts.access_key, options)
    }

    pub(crate) fn build(
        endpoint: Url,
        credential: Credential,
        options: Option<CommunicationIdentityClientOptions>,
        clock: Clock,
    ) -> Result<Self> {
        let options = options.unwrap_or_default();
        let tracer_provider = &options.client_options.instrumentation.tracer_provider;
        Ok(Self {
            tracer: tracer_provider.as_ref().map(|provider| {
                provider.get_tracer(
                    Some("Microsoft.Communication"),
                    env!("CARGO_PKG_NAME"),
                    Some(env!("CARGO_PKG_VERSION")),
                )
            }),
            service: requests::service_url(&endpoint, &options.api_version)?,
            pipeline: ServicePipeline::new(credential, &options, clock)?,
            endpoint,
        })
    }

    /// The address of the resource.
    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Creates a user.
    ///
    /// The request is executed at most once, unless
    /// [`retry_uncertain_creation`](CommunicationIdentityClientOptions::retry_uncertain_creation) says otherwise.
    ///
    /// # Arguments
    ///
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). After some of them a user may exist all the same:
    /// [`creation_outcome_unknown`](crate::creation_outcome_unknown) tells.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// let user = client.create_user(None).await?.into_model()?;
    /// println!("{user}");
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.createUser")]
    pub async fn create_user(
        &self,
        options: Option<CommunicationIdentityClientCreateUserOptions<'_>>,
    ) -> Result<Response<CommunicationUserIdentifier, IdentityFormat>> {
        let options = options.unwrap_or_default();
        let request = requests::create_user(&self.service);
        let context = &options.method_options.context;
        Ok(self.pipeline.create(context, request).await?.into())
    }

    /// Creates a user and a token of theirs with one request.
    ///
    /// The request is executed at most once, unless
    /// [`retry_uncertain_creation`](CommunicationIdentityClientOptions::retry_uncertain_creation) says otherwise.
    ///
    /// # Arguments
    ///
    /// * `scopes` - What the token is for; at least one.
    /// * `options` - Options for the operation, with the token's lifetime.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). `scopes` is empty, or the lifetime is not a whole number of minutes from 60 to
    /// 1440. After some errors a user may exist all the same:
    /// [`creation_outcome_unknown`](crate::creation_outcome_unknown) tells. If the answer holds no token, the source of
    /// [`into_model`](Response::into_model)'s error is a [`UserWithoutToken`](crate::UserWithoutToken), which names the
    /// user.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// use azure_communication_identity::{
    ///     CommunicationTokenScope, models::CommunicationIdentityClientCreateUserAndTokenOptions,
    /// };
    /// use azure_core::time::Duration;
    ///
    /// let options = CommunicationIdentityClientCreateUserAndTokenOptions {
    ///     token_expires_in: Some(Duration::hours(1)),
    ///     ..Default::default()
    /// };
    /// let created = client
    ///     .create_user_and_token(&[CommunicationTokenScope::Voip], Some(options))
    ///     .await?
    ///     .into_model()?;
    /// println!("{} may call until {}", created.user, created.access_token.expires_on);
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.createUserAndToken")]
    pub async fn create_user_and_token(
        &self,
        scopes: &[CommunicationTokenScope],
        options: Option<CommunicationIdentityClientCreateUserAndTokenOptions<'_>>,
    ) -> Result<Response<CommunicationUserAndToken>> {
        let options = options.unwrap_or_default();
        let request = requests::create_user_and_token(&self.service, scopes, options.token_expires_in)?;
        let context = &options.method_options.context;
        Ok(self.pipeline.create(context, request).await?.into())
    }

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
        let context = &options.method_options.context;
        let response = self.pipeline.send(context, request, StatusCode::Ok).await?;
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
        let context = &options.method_options.context;
        let response = self.pipeline.send(context, request, StatusCode::NoContent).await?;
        Ok(response.into())
    }

    /// Deletes a user, revokes their tokens, and deletes what they left in the service, such as chat messages.
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
    /// documented. A call that is retried after it was executed is one for a deleted user.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let user = client.create_user(None).await?.into_model()?;
    /// client.delete_user(&user, None).await?;
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.deleteUser")]
    pub async fn delete_user(
        &self,
        user: &CommunicationUserIdentifier,
        options: Option<CommunicationIdentityClientDeleteUserOptions<'_>>,
    ) -> Result<Response<(), NoFormat>> {
        let options = options.unwrap_or_default();
        let request = requests::delete_user(&self.service, user);
        let context = &options.method_options.context;
        let response = self.pipeline.send(context, request, StatusCode::NoContent).await?;
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
        let request = requests::get_token_for_teams_user(&self.service, &request)?;
        let context = &options.method_options.context;
        let response = self.pipeline.send(context, request, StatusCode::Ok).await?;
        Ok(response.into())
    }
}
