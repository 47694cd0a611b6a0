//! The options of the client's operations, one type for each.

use super::{
    downstream_request::DownstreamRequest,
    overrides::{Agent, TokenOverrides},
};
use azure_core::{fmt::SafeDebug, http::ClientMethodOptions};

/// Options for [`authorization_header`](crate::SidecarClient::authorization_header) and
/// [`authorization_header_as_app`](crate::SidecarClient::authorization_header_as_app).
#[derive(Clone, Default, SafeDebug)]
pub struct SidecarClientAuthorizationHeaderOptions<'a> {
    /// The agent that the token is for.
    pub agent: Option<Agent>,
    /// Overrides of the token's acquisition.
    pub overrides: TokenOverrides,
    /// The request that the header is for, to which a `PoP` header is bound. Its body is not sent. Default: the configured
    /// request, or, with overrides, a GET of the configured path.
    pub request: Option<DownstreamRequest>,
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`call_downstream_api`](crate::SidecarClient::call_downstream_api) and
/// [`call_downstream_api_as_app`](crate::SidecarClient::call_downstream_api_as_app).
#[derive(Clone, Default, SafeDebug)]
pub struct SidecarClientCallDownstreamApiOptions<'a> {
    /// The agent that the request is sent as.
    pub agent: Option<Agent>,
    /// Overrides of the token's acquisition.
    pub overrides: TokenOverrides,
    /// States that the sidecar's configuration allows overrides in calls as the application
    /// (`Sidecar:AllowOverrides:CallDownstreamApiUnauthenticated`). The sidecar then sends the verb of the request, and an
    /// idempotent one is retried. Default: `false`, which sends every such call once. It has no effect on calls in the name
    /// of a caller.
    pub overrides_are_allowed: bool,
    /// Sends the request once more, with `ForceRefresh`, if the API responds with a 401. Default: `false`.
    ///
    /// The sidecar caches tokens until they expire, also those that the API refuses since they were revoked. A 401 means that the
    /// API did not execute the request, so any verb is sent again. The second request has the client's `timeout` for itself.
    /// [`DownstreamRequest::as_configured`] takes no overrides and is never sent again; nor is a request that sets
    /// `force_refresh`.
    pub refresh_after_401: bool,
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`validate`](crate::SidecarClient::validate).
#[derive(Clone, Default, SafeDebug)]
pub struct SidecarClientValidateOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}

/// Options for [`health`](crate::SidecarClient::health).
#[derive(Clone, Default, SafeDebug)]
pub struct SidecarClientHealthOptions<'a> {
    /// Allows customization of the method call.
    pub method_options: ClientMethodOptions<'a>,
}
