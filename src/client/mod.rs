//! The client of the service.

mod options;
mod teams_extension;
mod tokens;
mod users;

pub use options::CommunicationIdentityClientOptions;

use crate::{
    auth::{AuthenticationPolicy, AzureKeyCredential, Clock, ConnectionString, Plaintext, check_scope, parse_endpoint},
    pipeline::ServicePipeline,
    requests::Service,
};
use azure_core::{Result, credentials::TokenCredential, http::Url, tracing};
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
/// * `Io` when no whole answer came back in time: mostly the request was sent, but the time can also be over while a token
///   credential is asked or between two attempts;
/// * `Credential` when a token credential gave no token;
/// * `DataConversion` when the answer is not what the service documents;
/// * `Other` when an argument was refused before anything was sent.
///
/// After an error of a creation, [`creation_outcome_unknown`](crate::creation_outcome_unknown) says whether a user may
/// exist all the same.
///
/// # Transports and policies of your own
///
/// A transport in [`ClientOptions::transport`](azure_core::http::ClientOptions) must use the kind `Connection` for errors
/// after which nothing was sent, and only for these: a creation is sent again after one. It should use `Io` for all other
/// failures of a connection, which the other operations retry. A transport over `reqwest` or `hyper` keeps its connections
/// on the async runtime that opened them; share it between runtimes only if all of them keep running.
///
/// A policy in `per_try_policies` may fail with any kind. What it refuses before it calls the next policy was not sent;
/// after that, a creation counts as one whose outcome is unknown.
///
/// # Time
///
/// An operation takes no longer than [`timeout`](CommunicationIdentityClientOptions::timeout), two minutes by default, with
/// all of its attempts, which [`ClientOptions::retry`](azure_core::http::ClientOptions) counts and spaces. It never waits
/// longer for the service than [`max_retry_after`](CommunicationIdentityClientOptions::max_retry_after).
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
    service: Service,
    pipeline: ServicePipeline,
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
        let endpoint = parse_endpoint(endpoint, Plaintext::Never)?;
        let options = options.unwrap_or_default();
        check_scope(&options.entra_scope, options.client_options.cloud.as_deref())?;
        let authentication = AuthenticationPolicy::token_credential(credential, &options.entra_scope);
        Self::build(endpoint, authentication, &options, Clock::system())
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
        let endpoint = parse_endpoint(endpoint, Plaintext::Loopback)?;
        Self::build_with_key(endpoint, credential, &options.unwrap_or_default(), Clock::system())
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
        let key = resource.credential().clone();
        Self::build_with_key(
            resource.endpoint().clone(),
            key,
            &options.unwrap_or_default(),
            Clock::system(),
        )
    }

    /// Creates a client whose time is that of `clock`.
    pub(crate) fn build_with_key(
        endpoint: Url,
        key: AzureKeyCredential,
        options: &CommunicationIdentityClientOptions,
        clock: Clock,
    ) -> Result<Self> {
        let authentication = AuthenticationPolicy::access_key(key, clock.clone(), options.correct_clock_skew);
        Self::build(endpoint, authentication, options, clock)
    }

    fn build(
        endpoint: Url,
        authentication: AuthenticationPolicy,
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
            service: Service::new(&endpoint, &options.api_version)?,
            pipeline: ServicePipeline::new(authentication, options, clock)?,
            endpoint,
        })
    }

    /// The endpoint of the resource.
    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The client's clock, corrected by the service's.
    pub(crate) fn clock(&self) -> &Clock {
        self.pipeline.clock()
    }
}
