//! The client of the service.

use crate::{
    auth::{AzureKeyCredential, ConnectionString, Credential, parse_endpoint},
    identifiers::CommunicationUserIdentifier,
    models::{
        CommunicationAccessToken, CommunicationIdentityClientCreateOrReplaceTeamsExtensionAssignmentOptions,
        CommunicationIdentityClientCreateUserAndTokenOptions, CommunicationIdentityClientCreateUserOptions,
        CommunicationIdentityClientDeleteTeamsExtensionAssignmentOptions, CommunicationIdentityClientDeleteUserOptions,
        CommunicationIdentityClientGetTeamsExtensionAssignmentOptions,
        CommunicationIdentityClientGetTokenForTeamsExtensionUserOptions,
        CommunicationIdentityClientGetTokenForTeamsUserOptions, CommunicationIdentityClientGetTokenOptions,
        CommunicationIdentityClientRevokeTokensOptions, CommunicationTokenScope, CommunicationUserAndToken,
        ExchangedAccessToken, IdentityFormat, TeamsExtensionAssignment, TeamsExtensionAssignmentId,
        TeamsExtensionPrincipal, TeamsUserTokenRequest,
    },
    options::CommunicationIdentityClientOptions,
    pipeline::ServicePipeline,
    requests::{self, BaseUrl},
};
use azure_core::{
    Result,
    credentials::{Secret, TokenCredential},
    http::{NoFormat, Response, StatusCode, Url},
    tracing,
};
use client_core::clock::Clock;
use std::sync::Arc;

/// A client of the identity service of a Communication Services resource: creates users and their access tokens.
///
/// Create one client and keep it: it is cheap to clone, its clones share connections, and all of its operations can run
/// concurrently. Every future that it returns is `Send` and can be dropped at any point; a creation that is dropped may have
/// been executed.
///
/// # Errors
///
/// An operation fails with an [`azure_core::Error`] of kind
///
/// * `HttpResponse` when the service, or a gateway in front of it, responded with a failure: its source is a
///   [`CommunicationError`](crate::CommunicationError);
/// * `Connection` when the last attempt established no connection, so that it sent nothing;
/// * `Io` when no whole response came back in time: mostly the request was sent, but the time can also be over while a token
///   credential is asked or between two attempts;
/// * `Credential` when a token credential returned no token;
/// * `DataConversion` when the response is not what the service documents;
/// * `Other` when an argument was refused before anything was sent.
///
/// After an error of a creation, [`creation_outcome_unknown`](crate::creation_outcome_unknown) returns whether a user may
/// exist.
///
/// # Retries
///
/// After status 408, 429, 500, 502, 503 or 504, or a failure of the connection, an operation is retried as
/// [`ClientOptions::retry`](azure_core::http::ClientOptions) allows. A creation is retried only if it was certainly not
/// executed, unless [`retry_uncertain_creation`](CommunicationIdentityClientOptions::retry_uncertain_creation) is set.
///
/// An operation takes no longer than [`timeout`](CommunicationIdentityClientOptions::timeout), two minutes by default, with
/// all of its attempts. It never waits longer for the service than
/// [`max_retry_after`](CommunicationIdentityClientOptions::max_retry_after).
///
/// # Custom transports and policies
///
/// A transport in [`ClientOptions::transport`](azure_core::http::ClientOptions) must use the kind `Connection` for errors
/// after which nothing was sent, and only for these: a creation is sent again after one. It should use `Io` for all other
/// failures of a connection, which the other operations retry. A transport over `reqwest` or `hyper` keeps its connections
/// on the async runtime that opened them; share it between runtimes only if all of them keep running.
///
/// A policy in `per_try_policies` may fail with any kind, and may send a request more than once. What it refuses before it
/// calls the next policy was not sent.
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
    base_url: BaseUrl,
    pipeline: Arc<ServicePipeline>,
}

impl CommunicationIdentityClient {
    /// Creates a client that authenticates with Entra ID.
    ///
    /// # Arguments
    ///
    /// * `endpoint` - The resource's endpoint, `https://<resource>.communication.azure.com`.
    /// * `credential` - A credential of a principal that has a role on the resource, such as *Contributor*; the
    ///   `azure_identity` crate has them.
    /// * `options` - Options for the client.
    ///
    /// # Errors
    ///
    /// The endpoint is not an https URL without path, query or user name, an option is not valid, or the default transport
    /// cannot be built, as without CA certificates. Plain http is refused even for loopback hosts, because an Entra token
    /// must not travel in plain text.
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
        let options = options.unwrap_or_default();
        let cloud = options.client_options.cloud.as_deref();
        let credential = Credential::token_credential(credential, &options.entra_scope, cloud)?;
        let endpoint = parse_endpoint(endpoint, &credential)?;
        Self::build(endpoint, credential, &options, Clock::system())
    }

    /// Creates a client that signs its requests with an access key of the resource.
    ///
    /// # Arguments
    ///
    /// * `endpoint` - The resource's endpoint, `https://<resource>.communication.azure.com`; plain http is accepted for
    ///   a loopback host, where an emulator listens.
    /// * `credential` - The key.
    /// * `options` - Options for the client.
    ///
    /// # Errors
    ///
    /// The endpoint is not a URL as above, without path, query or user name, an option is not valid, or the default
    /// transport cannot be built, as without CA certificates.
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
        let credential = Credential::AccessKey(credential);
        let endpoint = parse_endpoint(endpoint, &credential)?;
        Self::build(endpoint, credential, &options.unwrap_or_default(), Clock::system())
    }

    /// Creates a client from a connection string, which holds the resource's endpoint and an access key.
    ///
    /// # Arguments
    ///
    /// * `connection_string` - `endpoint=https://<resource>.communication.azure.com/;accesskey=<key>`, as the Azure
    ///   portal shows it under *Keys*. The names may be in any case and order.
    /// * `options` - Options for the client.
    ///
    /// # Errors
    ///
    /// A part is missing, empty, there twice or not valid, an option is not valid, or the default transport cannot be
    /// built, as without CA certificates. The error names the part and never shows its value.
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
        let resource = ConnectionString::parse(connection_string)?;
        Self::build_with_key(
            resource.endpoint().clone(),
            resource.credential().clone(),
            &options.unwrap_or_default(),
            Clock::system(),
        )
    }

    /// Creates a client that shows the time of `clock`.
    pub(crate) fn build_with_key(
        endpoint: Url,
        key: AzureKeyCredential,
        options: &CommunicationIdentityClientOptions,
        clock: Clock,
    ) -> Result<Self> {
        Self::build(endpoint, Credential::AccessKey(key), options, clock)
    }

    fn build(
        endpoint: Url,
        credential: Credential,
        options: &CommunicationIdentityClientOptions,
        clock: Clock,
    ) -> Result<Self> {
        let tracer_provider = &options.client_options.instrumentation.tracer_provider;
        Ok(Self {
            tracer: tracer_provider.as_ref().map(|provider| {
                provider.get_tracer(
                    Some("Microsoft.Communication"),
                    env!("CARGO_PKG_NAME"),
                    Some(env!("CARGO_PKG_VERSION")),
                )
            }),
            base_url: BaseUrl::new(&endpoint, &options.api_version)?,
            pipeline: Arc::new(ServicePipeline::new(credential, options, clock)?),
            endpoint,
        })
    }

    /// Returns the endpoint of the resource.
    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Returns the client's clock, corrected by the service's.
    pub(crate) fn clock(&self) -> &Clock {
        self.pipeline.clock()
    }

    /// Creates a user.
    ///
    /// The request is executed at most once, unless
    /// [`retry_uncertain_creation`](crate::CommunicationIdentityClientOptions::retry_uncertain_creation) is set.
    ///
    /// # Arguments
    ///
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). After some errors a user may exist:
    /// [`creation_outcome_unknown`](crate::creation_outcome_unknown) returns `true` for them.
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
        let request = requests::create_user(&self.base_url);
        let context = options.method_options.context;
        Ok(self.pipeline.create(context, request).await?.into())
    }

    /// Creates a user and an access token for the user in one request.
    ///
    /// The request is executed at most once, unless
    /// [`retry_uncertain_creation`](crate::CommunicationIdentityClientOptions::retry_uncertain_creation) is set.
    ///
    /// # Arguments
    ///
    /// * `scopes` - The permissions of the token; at least one.
    /// * `options` - Options for the operation, with the token's lifetime.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). `scopes` is empty, or the lifetime is not a whole number of minutes from 60 to
    /// 1440. After some errors a user may exist: [`creation_outcome_unknown`](crate::creation_outcome_unknown) returns `true`
    /// for them. If the response holds no token, the source of [`into_model`](Response::into_model)'s error is a
    /// [`UserWithoutToken`](crate::UserWithoutToken), which has the user.
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
        let request = requests::create_user_and_token(&self.base_url, scopes, options.token_expires_in)?;
        let context = options.method_options.context;
        Ok(self.pipeline.create(context, request).await?.into())
    }

    /// Issues an access token for a user.
    ///
    /// A user can have several tokens at a time. Get a new one before the old one expires.
    ///
    /// # Arguments
    ///
    /// * `user` - The user.
    /// * `scopes` - The permissions of the token; at least one.
    /// * `options` - Options for the operation, with the token's lifetime.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). `scopes` is empty, or the lifetime is not a whole number of minutes from 60 to
    /// 1440. For a user of another resource the error code is
    /// [`IdentityNotOwned`](crate::CommunicationErrorCode::IdentityNotOwned); that for a deleted user is not documented.
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
        let request = requests::get_token(&self.base_url, user, scopes, options.token_expires_in)?;
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::Ok]).await?;
        Ok(response.into())
    }

    /// Revokes all access tokens of a user.
    ///
    /// It can take up to 15 minutes until a revoked token is refused everywhere.
    ///
    /// # Arguments
    ///
    /// * `user` - The user.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). For a user of another resource the error code is
    /// [`IdentityNotOwned`](crate::CommunicationErrorCode::IdentityNotOwned); that for a deleted user is not documented.
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
        let request = requests::revoke_tokens(&self.base_url, user);
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::NoContent]).await?;
        Ok(response.into())
    }

    /// Deletes a user, revokes the user's tokens, and deletes the user's data in the service, such as chat messages.
    ///
    /// # Arguments
    ///
    /// * `user` - The user.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). For a user of another resource the error code is
    /// [`IdentityNotOwned`](crate::CommunicationErrorCode::IdentityNotOwned); that for a deleted user is not documented. A
    /// call that is retried after it was executed is one for a deleted user.
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
        let request = requests::delete_user(&self.base_url, user);
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::NoContent]).await?;
        Ok(response.into())
    }

    /// Exchanges the Entra access token of a Teams user for an access token of Communication Services.
    ///
    /// With it, the user calls under their own Teams identity. It expires when the Entra token does.
    ///
    /// # Arguments
    ///
    /// * `request` - The Entra token, and the application and user that it was issued for.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The error code is
    /// [`InvalidAccessToken`](crate::CommunicationErrorCode::InvalidAccessToken) for an Entra token that is not valid, and
    /// [`ValidationError`](crate::CommunicationErrorCode::ValidationError) with target `appId` or `userId` for an application
    /// or user that the token was not issued for.
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
        let request = requests::exchange_teams_user_token(&self.base_url, &request)?;
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::Ok]).await?;
        Ok(response.into())
    }

    /// Exchanges the Entra access token of a Teams user for an access token of Teams Phone extensibility.
    ///
    /// An [assignment](Self::create_or_replace_teams_extension_assignment) must admit the user. The Entra token itself
    /// authenticates the request, not the client's own credential. The access token expires when the Entra token does.
    ///
    /// # Arguments
    ///
    /// * `entra_token` - The user's Entra access token, for the scope
    ///   `https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls`.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The client's endpoint uses plain http, over which no Entra token must travel. API
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
        let request = requests::exchange_teams_extension_token(&self.base_url)?;
        let context = options.method_options.context;
        Ok(self.pipeline.send_for_user(context, request, entra_token).await?.into())
    }

    /// Creates or replaces an assignment of Teams Phone extensibility, which admits a Teams user or resource account to the
    /// resource. See [the setup guide][teams-phone].
    ///
    /// The status of the response is 201 if the assignment is new, and 200 if it replaces one.
    ///
    /// [teams-phone]: https://learn.microsoft.com/azure/communication-services/quickstarts/tpe/teams-phone-extensibility-access-teams-phone
    ///
    /// # Arguments
    ///
    /// * `assignment` - The assignment's ID.
    /// * `principal` - The principal that it admits.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). API versions before 2025-06-30 do not have the operation.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let (tenant_id, object_id) = (azure_core::Uuid::new_v4(), azure_core::Uuid::new_v4());
    /// use azure_communication_identity::{
    ///     TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
    /// };
    ///
    /// let assignment = TeamsExtensionAssignmentId { tenant_id, object_id };
    /// let principal = TeamsExtensionPrincipal {
    ///     principal_type: TeamsExtensionPrincipalType::User,
    ///     client_ids: vec!["1d7e5dfb-7f3a-4a25-8bd8-9d2bd0e1a1b5".to_owned()],
    /// };
    /// client
    ///     .create_or_replace_teams_extension_assignment(&assignment, &principal, None)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.createOrReplaceTeamsExtensionAssignment")]
    pub async fn create_or_replace_teams_extension_assignment(
        &self,
        assignment: &TeamsExtensionAssignmentId,
        principal: &TeamsExtensionPrincipal,
        options: Option<CommunicationIdentityClientCreateOrReplaceTeamsExtensionAssignmentOptions<'_>>,
    ) -> Result<Response<TeamsExtensionAssignment>> {
        let options = options.unwrap_or_default();
        let request = requests::create_or_replace_assignment(&self.base_url, assignment, principal)?;
        let context = options.method_options.context;
        let success = &[StatusCode::Created, StatusCode::Ok];
        Ok(self.pipeline.send(context, request, success).await?.into())
    }

    /// Gets an assignment of Teams Phone extensibility.
    ///
    /// # Arguments
    ///
    /// * `assignment` - The assignment's ID.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The status is 404 if there is no such assignment. API versions before 2025-06-30 do not
    /// have the operation.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let (tenant_id, object_id) = (azure_core::Uuid::new_v4(), azure_core::Uuid::new_v4());
    /// # use azure_communication_identity::{TeamsExtensionPrincipal, TeamsExtensionPrincipalType};
    /// use azure_communication_identity::TeamsExtensionAssignmentId;
    ///
    /// let assignment = TeamsExtensionAssignmentId { tenant_id, object_id };
    /// # let principal = TeamsExtensionPrincipal {
    /// #     principal_type: TeamsExtensionPrincipalType::User, client_ids: Vec::new(),
    /// # };
    /// # client.create_or_replace_teams_extension_assignment(&assignment, &principal, None).await?;
    /// let found = client
    ///     .get_teams_extension_assignment(&assignment, None)
    ///     .await?
    ///     .into_model()?;
    /// println!("admits a {}", found.principal.principal_type);
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.getTeamsExtensionAssignment")]
    pub async fn get_teams_extension_assignment(
        &self,
        assignment: &TeamsExtensionAssignmentId,
        options: Option<CommunicationIdentityClientGetTeamsExtensionAssignmentOptions<'_>>,
    ) -> Result<Response<TeamsExtensionAssignment>> {
        let options = options.unwrap_or_default();
        let request = requests::get_assignment(&self.base_url, assignment);
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::Ok]).await?;
        Ok(response.into())
    }

    /// Deletes an assignment of Teams Phone extensibility, and revokes the access tokens of its principal.
    ///
    /// # Arguments
    ///
    /// * `assignment` - The assignment's ID.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The response for an assignment that does not exist is not documented. API versions before
    /// 2025-06-30 do not have the operation.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let (tenant_id, object_id) = (azure_core::Uuid::new_v4(), azure_core::Uuid::new_v4());
    /// # use azure_communication_identity::{TeamsExtensionPrincipal, TeamsExtensionPrincipalType};
    /// use azure_communication_identity::TeamsExtensionAssignmentId;
    ///
    /// let assignment = TeamsExtensionAssignmentId { tenant_id, object_id };
    /// # let principal = TeamsExtensionPrincipal {
    /// #     principal_type: TeamsExtensionPrincipalType::User, client_ids: Vec::new(),
    /// # };
    /// # client.create_or_replace_teams_extension_assignment(&assignment, &principal, None).await?;
    /// client.delete_teams_extension_assignment(&assignment, None).await?;
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.deleteTeamsExtensionAssignment")]
    pub async fn delete_teams_extension_assignment(
        &self,
        assignment: &TeamsExtensionAssignmentId,
        options: Option<CommunicationIdentityClientDeleteTeamsExtensionAssignmentOptions<'_>>,
    ) -> Result<Response<(), NoFormat>> {
        let options = options.unwrap_or_default();
        let request = requests::delete_assignment(&self.base_url, assignment);
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::NoContent]).await?;
        Ok(response.into())
    }
}
