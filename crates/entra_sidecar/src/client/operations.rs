//! The client's operations.

use super::SidecarClient;
use crate::{
    error::Failure,
    inbound_token::InboundToken,
    models::{
        AuthorizationHeader, DownstreamRequest, DownstreamResponse, SidecarClientAuthorizationHeaderOptions,
        SidecarClientCallDownstreamApiOptions, SidecarClientHealthOptions, SidecarClientValidateOptions, SidecarHealth,
        ValidatedToken,
    },
    pipeline::{Repetition, unreadable},
    requests::{self, Overrides, Route},
};
use azure_core::{Result, tracing};

impl SidecarClient {
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
    /// By default, the sidecar ignores agents and overrides here without a word: check that the token is for what you
    /// asked, as [`SidecarCredential`](crate::SidecarCredential) does, or rely on the name of the API alone.
    ///
    /// # Arguments
    ///
    /// * `api_name` - The API's name in the sidecar's configuration (`DownstreamApis`), which says `RequestAppToken`.
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

    /// Has the sidecar call a downstream API, in the name of the caller.
    ///
    /// A request is retried if its verb is idempotent: GET, HEAD, PUT or DELETE. Any other is sent once, and
    /// [`SidecarError::may_have_been_executed`](crate::SidecarError::may_have_been_executed) tells whether it may have
    /// arrived when an error says that it failed.
    ///
    /// By default, the sidecar honours overrides here. If its configuration turns them off
    /// (`Sidecar:AllowOverrides:CallDownstreamApi`), it sends the verb and the path that it is configured with, **whatever
    /// the request's**, and a GET that is retried here may be a POST there: send [`DownstreamRequest::as_configured`] to
    /// such a sidecar, which is sent once.
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

    /// Has the sidecar call a downstream API, in the name of the application.
    ///
    /// By default, the sidecar ignores agents and overrides here without a word, **the verb and the path included**: it
    /// sends the request that it is configured with. Send [`DownstreamRequest::as_configured`], or allow overrides in its
    /// configuration (`Sidecar:AllowOverrides:CallDownstreamApiUnauthenticated`).
    ///
    /// For the same reason a request is sent once, whatever its verb, unless
    /// [`overrides_are_allowed`](SidecarClientCallDownstreamApiOptions::overrides_are_allowed) says that the verb counts.
    ///
    /// # Arguments
    ///
    /// * `api_name` - The API's name in the sidecar's configuration (`DownstreamApis`), which says `RequestAppToken`.
    /// * `request` - The request.
    /// * `options` - Options for the operation, with an agent and overrides.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The request is refused if the sidecar would ignore a part of it always.
    #[tracing::function("EntraSidecar.downstreamApiUnauthenticated")]
    pub async fn call_downstream_api_as_app(
        &self,
        api_name: &str,
        request: DownstreamRequest,
        options: Option<SidecarClientCallDownstreamApiOptions<'_>>,
    ) -> Result<DownstreamResponse> {
        self.call(api_name, None, request, options.unwrap_or_default()).await
    }

    /// Has the sidecar check a caller's token: its signature, issuer, audience and times, and the scope that is
    /// configured.
    ///
    /// # Arguments
    ///
    /// * `caller` - The token that the caller sent.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). A token that is not valid is
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
        let response = self
            .pipeline
            .send(context, request, Route::Validate, Repetition::Harmless)
            .await?;
        ValidatedToken::from_body(response.body()).map_err(|error| unreadable(&error, false))
    }

    /// Asks how the sidecar is. The request is sent once: a probe wants to know how it is now.
    ///
    /// # Arguments
    ///
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). A sidecar that says that it is unhealthy is no error.
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
        let response = self
            .pipeline
            .exchange(context, request, Route::Health, Repetition::Forbidden)
            .await?;
        SidecarHealth::read(response.status(), response.body()).ok_or_else(|| {
            let failure = Failure {
                route: Route::Health,
                at_most_once: false,
            };
            failure.into_error(response)
        })
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
        let route = match caller {
            Some(_) => Route::AuthorizationHeader,
            None => Route::AuthorizationHeaderUnauthenticated,
        };
        let context = options.method_options.context;
        let response = self
            .pipeline
            .send(context, request, route, Repetition::Harmless)
            .await?;
        AuthorizationHeader::from_body(response.body()).map_err(|error| unreadable(&error, false))
    }

    async fn call(
        &self,
        api_name: &str,
        caller: Option<&InboundToken>,
        request: DownstreamRequest,
        options: SidecarClientCallDownstreamApiOptions<'_>,
    ) -> Result<DownstreamResponse> {
        // Where the sidecar may ignore overrides, it may send another verb than the request's.
        let is_verb_sent = caller.is_some() || options.overrides_are_allowed;
        let repetition = if is_verb_sent && request.is_idempotent() {
            Repetition::Harmless
        } else {
            Repetition::Forbidden
        };
        let overrides = Overrides {
            agent: options.agent.as_ref(),
            token: &options.overrides,
        };
        let request = requests::downstream_api(&self.base_url, api_name, caller, &overrides, request)?;
        let route = match caller {
            Some(_) => Route::DownstreamApi,
            None => Route::DownstreamApiUnauthenticated,
        };
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, route, repetition).await?;
        DownstreamResponse::from_body(api_name, response.body())
            .map_err(|error| unreadable(&error, repetition == Repetition::Forbidden))
    }
}
