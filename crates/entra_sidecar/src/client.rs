//! The client of the sidecar.

use crate::{
    base_url::{base_url_of_environment, parse_base_url},
    models::{
        AuthorizationHeader, DownstreamRequest, DownstreamResponse, InboundToken,
        SidecarClientAuthorizationHeaderOptions, SidecarClientCallDownstreamApiOptions, SidecarClientHealthOptions,
        SidecarClientValidateOptions, SidecarHealth, ValidatedToken,
    },
    options::SidecarClientOptions,
    pipeline::SidecarPipeline,
    requests::{self, Overrides},
};
use azure_core::{
    Result,
    http::{StatusCode, Url},
    tracing,
};
use client_core::call::Idempotency;

/// A client of a *Microsoft Entra SDK for AgentID* sidecar, which acquires tokens for downstream APIs and calls them.
///
/// Create one client and keep it: it is cheap to clone, its clones share connections, and all operations can run at the same
/// time. Every future that it returns is `Send` and can be dropped at any point.
///
/// # Errors
///
/// An operation fails with an [`azure_core::Error`] whose source is a [`SidecarError`](crate::SidecarError). If an argument was
/// refused before anything was sent, the error has kind `Other` and no source. A response of a downstream API with any status is
/// not an error.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// use entra_sidecar::{DownstreamRequest, SidecarClient};
///
/// let client = SidecarClient::new("http://localhost:5000", None)?;
/// # let (sidecar, client, caller) = start().await?;
/// let response = client
///     .call_downstream_api("Graph", &caller, DownstreamRequest::get("me"), None)
///     .await?;
/// assert!(response.status().is_success());
/// # Ok(()) }
/// ```
#[tracing::client]
#[derive(Clone, Debug)]
pub struct SidecarClient {
    base_url: Url,
    pipeline: SidecarPipeline,
}

impl SidecarClient {
    /// Creates a client. Nothing is sent.
    ///
    /// # Arguments
    ///
    /// * `base_url` - The base URL of the sidecar, such as `http://localhost:5000`. Its host must be `localhost` or a loopback
    ///   or private address, unless [`allow_any_host`](SidecarClientOptions::allow_any_host) is set.
    /// * `options` - Options for the client.
    ///
    /// # Errors
    ///
    /// The base URL is malformed, or has another host, a user name, a query or a fragment; an option is not valid; or the
    /// options have no transport and none can be built, because https needs CA certificates and the system has none. The error
    /// does not show the base URL.
    ///
    /// # Examples
    ///
    /// ```
    /// use entra_sidecar::SidecarClient;
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// let client = SidecarClient::new("http://localhost:5000", None)?;
    /// assert_eq!(client.base_url().as_str(), "http://localhost:5000/");
    /// # Ok(()) }
    /// ```
    pub fn new(base_url: &str, options: Option<SidecarClientOptions>) -> Result<Self> {
        let options = options.unwrap_or_default();
        Self::with_base_url(parse_base_url(base_url, options.allow_any_host)?, &options)
    }

    /// Creates a client of the sidecar whose base URL is in the environment variable `SIDECAR_URL`. Without the variable, or if
    /// it is blank, the base URL is `http://localhost:5000`. Nothing is sent.
    ///
    /// # Arguments
    ///
    /// * `options` - Options for the client.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new). An error about the base URL names the variable, and does not show its value.
    ///
    /// # Examples
    ///
    /// ```
    /// use entra_sidecar::SidecarClient;
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// let client = SidecarClient::from_env(None)?;
    /// # Ok(()) }
    /// ```
    pub fn from_env(options: Option<SidecarClientOptions>) -> Result<Self> {
        let options = options.unwrap_or_default();
        Self::with_base_url(base_url_of_environment(options.allow_any_host)?, &options)
    }

    fn with_base_url(base_url: Url, options: &SidecarClientOptions) -> Result<Self> {
        let tracer_provider = &options.client_options.instrumentation.tracer_provider;
        Ok(Self {
            // The sidecar belongs to no resource provider, so its spans have no namespace.
            tracer: tracer_provider
                .as_ref()
                .map(|provider| provider.get_tracer(None, env!("CARGO_PKG_NAME"), Some(env!("CARGO_PKG_VERSION")))),
            pipeline: SidecarPipeline::new(&base_url, options)?,
            base_url,
        })
    }

    /// Returns the base URL of the sidecar.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// Gets an authorization header for a downstream API, in the name of the caller.
    ///
    /// # Arguments
    ///
    /// * `api_name` - The API's name in the sidecar's configuration (`DownstreamApis`).
    /// * `caller` - The token that the caller sent.
    /// * `options` - Options for the operation, with an agent and overrides.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors).
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (sidecar, client, caller) = start().await?;
    /// let header = client.authorization_header("Graph", &caller, None).await?;
    /// assert_eq!(header.scheme(), "Bearer");
    /// # Ok(()) }
    /// ```
    #[tracing::function("EntraSidecar.authorizationHeader")]
    pub async fn authorization_header(
        &self,
        api_name: &str,
        caller: &InboundToken,
        options: Option<SidecarClientAuthorizationHeaderOptions<'_>>,
    ) -> Result<AuthorizationHeader> {
        self.get_header(api_name, Some(caller), options.unwrap_or_default())
            .await
    }

    /// Gets an authorization header for a downstream API, in the name of the application.
    ///
    /// By default, the sidecar ignores agents and overrides here, without an error. Check the claims of the token, as
    /// [`SidecarCredential`](crate::SidecarCredential) does, or use the name of the API alone.
    ///
    /// # Arguments
    ///
    /// * `api_name` - The API's name in the sidecar's configuration (`DownstreamApis`), with `RequestAppToken`.
    /// * `options` - Options for the operation, with an agent and overrides.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors).
    #[tracing::function("EntraSidecar.authorizationHeaderUnauthenticated")]
    pub async fn authorization_header_as_app(
        &self,
        api_name: &str,
        options: Option<SidecarClientAuthorizationHeaderOptions<'_>>,
    ) -> Result<AuthorizationHeader> {
        self.get_header(api_name, None, options.unwrap_or_default()).await
    }

    /// Calls a downstream API through the sidecar, in the name of the caller.
    ///
    /// A request is retried if its verb is idempotent: GET, HEAD, PUT or DELETE. Any other is sent once;
    /// [`SidecarError::may_have_been_executed`](crate::SidecarError::may_have_been_executed) returns whether the API may have
    /// executed it although the operation failed.
    ///
    /// By default, the sidecar honours overrides here. If its configuration does not allow them
    /// (`Sidecar:AllowOverrides:CallDownstreamApi`), it sends the configured verb and path, **not those of the request**: a GET
    /// that this client retries may be a POST there. Send [`DownstreamRequest::as_configured`] to such a sidecar, which is sent
    /// once.
    ///
    /// # Arguments
    ///
    /// * `api_name` - The API's name in the sidecar's configuration (`DownstreamApis`).
    /// * `caller` - The token that the caller sent.
    /// * `request` - The request.
    /// * `options` - Options for the operation, with an agent and overrides.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The request is refused if the sidecar would ignore a part of it.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (sidecar, client, caller) = start().await?;
    /// use entra_sidecar::DownstreamRequest;
    /// use serde_json::json;
    ///
    /// let mail = json!({ "message": { "subject": "Hello" }, "saveToSentItems": false });
    /// let request = DownstreamRequest::post("me/sendMail").json(&mail)?;
    /// let response = client.call_downstream_api("Graph", &caller, request, None).await?;
    /// assert_eq!((u16::from(response.status()), response.text()), (202, None));
    /// # Ok(()) }
    /// ```
    #[tracing::function("EntraSidecar.downstreamApi")]
    pub async fn call_downstream_api(
        &self,
        api_name: &str,
        caller: &InboundToken,
        request: DownstreamRequest,
        options: Option<SidecarClientCallDownstreamApiOptions<'_>>,
    ) -> Result<DownstreamResponse> {
        self.call(api_name, Some(caller), request, options.unwrap_or_default())
            .await
    }

    /// Calls a downstream API through the sidecar, in the name of the application.
    ///
    /// By default, the sidecar ignores agents and overrides here, without an error, **including the verb and the path**: it
    /// sends the configured request. Send [`DownstreamRequest::as_configured`], or allow overrides in its configuration
    /// (`Sidecar:AllowOverrides:CallDownstreamApiUnauthenticated`).
    ///
    /// For the same reason every request is sent once, unless
    /// [`overrides_are_allowed`](SidecarClientCallDownstreamApiOptions::overrides_are_allowed) is set.
    ///
    /// # Arguments
    ///
    /// * `api_name` - The API's name in the sidecar's configuration (`DownstreamApis`), with `RequestAppToken`.
    /// * `request` - The request.
    /// * `options` - Options for the operation, with an agent and overrides.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The request is refused if the sidecar would always ignore a part of it.
    #[tracing::function("EntraSidecar.downstreamApiUnauthenticated")]
    pub async fn call_downstream_api_as_app(
        &self,
        api_name: &str,
        request: DownstreamRequest,
        options: Option<SidecarClientCallDownstreamApiOptions<'_>>,
    ) -> Result<DownstreamResponse> {
        self.call(api_name, None, request, options.unwrap_or_default()).await
    }

    /// Validates a caller's token through the sidecar: its signature, issuer, audience and times, and the configured scope.
    ///
    /// # Arguments
    ///
    /// * `caller` - The token that the caller sent.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). A refused token is
    /// [`CallerTokenRejected`](crate::SidecarErrorKind::CallerTokenRejected), one without the scope
    /// [`MissingScope`](crate::SidecarErrorKind::MissingScope).
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (sidecar, client, caller) = start().await?;
    /// let validated = client.validate(&caller, None).await?;
    /// assert!(validated.object_id().is_some());
    /// # Ok(()) }
    /// ```
    #[tracing::function("EntraSidecar.validate")]
    pub async fn validate(
        &self,
        caller: &InboundToken,
        options: Option<SidecarClientValidateOptions<'_>>,
    ) -> Result<ValidatedToken> {
        let context = options.unwrap_or_default().method_options.context;
        let request = requests::validate(&self.base_url, caller)?;
        self.pipeline
            .send(context, request, Idempotency::Idempotent, ValidatedToken::from_body)
            .await
    }

    /// Checks the health of the sidecar. The request is sent once, as a probe needs the present state.
    ///
    /// # Arguments
    ///
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). [`SidecarHealth::Unhealthy`] is not an error.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (sidecar, client, caller) = start().await?;
    /// use entra_sidecar::SidecarHealth;
    ///
    /// assert_eq!(client.health(None).await?, SidecarHealth::Healthy);
    /// # Ok(()) }
    /// ```
    #[tracing::function("EntraSidecar.health")]
    pub async fn health(&self, options: Option<SidecarClientHealthOptions<'_>>) -> Result<SidecarHealth> {
        let context = options.unwrap_or_default().method_options.context;
        let request = requests::health(&self.base_url)?;
        self.pipeline.check_health(context, request).await
    }

    async fn get_header(
        &self,
        api_name: &str,
        caller: Option<&InboundToken>,
        options: SidecarClientAuthorizationHeaderOptions<'_>,
    ) -> Result<AuthorizationHeader> {
        let overrides = Overrides {
            agent: options.agent.as_ref(),
            token: &options.overrides,
        };
        let request =
            requests::authorization_header(&self.base_url, api_name, caller, &overrides, options.request.as_ref())?;
        let context = options.method_options.context;
        self.pipeline
            .send(
                context,
                request,
                Idempotency::Idempotent,
                AuthorizationHeader::from_body,
            )
            .await
    }

    async fn call(
        &self,
        api_name: &str,
        caller: Option<&InboundToken>,
        request: DownstreamRequest,
        options: SidecarClientCallDownstreamApiOptions<'_>,
    ) -> Result<DownstreamResponse> {
        let can_refresh = options.refresh_after_401 && !options.overrides.force_refresh && request.takes_overrides();
        let refreshed = can_refresh.then(|| {
            let mut options = options.clone();
            options.overrides.force_refresh = true;
            (request.clone(), options)
        });
        let response = self.call_once(api_name, caller, request, options).await?;
        match refreshed {
            Some((request, options)) if response.status() == StatusCode::Unauthorized => {
                self.call_once(api_name, caller, request, options).await
            }
            _ => Ok(response),
        }
    }

    async fn call_once(
        &self,
        api_name: &str,
        caller: Option<&InboundToken>,
        request: DownstreamRequest,
        options: SidecarClientCallDownstreamApiOptions<'_>,
    ) -> Result<DownstreamResponse> {
        // A sidecar that ignores overrides may send another verb than the request's.
        let sends_verb = caller.is_some() || options.overrides_are_allowed;
        let idempotency = if sends_verb && request.is_idempotent() {
            Idempotency::Idempotent
        } else {
            Idempotency::AtMostOnce
        };
        let overrides = Overrides {
            agent: options.agent.as_ref(),
            token: &options.overrides,
        };
        let request = requests::downstream_api(&self.base_url, api_name, caller, &overrides, request)?;
        let context = options.method_options.context;
        let is_for_caller = request.is_for_caller;
        self.pipeline
            .send(context, request, idempotency, |body| {
                DownstreamResponse::from_body(api_name, is_for_caller, body)
            })
            .await
    }
}
