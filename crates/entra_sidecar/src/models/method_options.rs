//! The options of the client's operations.

use super::{downstream_request::DownstreamRequest, token_overrides::TokenOverrides};
use crate::agent::Agent;
use azure_core::{fmt::SafeDebug, http::ClientMethodOptions};

/// Options for [`authorization_header`](crate::SidecarClient::authorization_header) and
/// [`authorization_header_as_app`](crate::SidecarClient::authorization_header_as_app).
#[derive(Clone, Default, SafeDebug)]
pub struct SidecarClientAuthorizationHeaderOptions<'a> {
    /// The agent that the token is for.
    pub agent: Option<Agent>,
    /// What to change of how the token is acquired.
    pub overrides: TokenOverrides,
    /// The request that the header is for, which a `PoP` header is bound to. Its body is not sent. Default: the one that is
    /// configured, or, with overrides, a GET of the configured path.
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
    /// What to change of how the token is acquired.
    pub overrides: TokenOverrides,
    /// Whether the sidecar's configuration is known to allow overrides to calls as the application
    /// (`Sidecar:AllowOverrides:CallDownstreamApiUnauthenticated`). Then the verb of a request is the one that is sent, and
    /// one that is idempotent is retried. Default: `false`, which sends every such call once. In the name of a caller it
    /// has no effect.
    pub overrides_are_allowed: bool,
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
