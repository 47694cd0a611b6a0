//! Models: the arguments of the client's operations, and their results.

mod downstream_request;
mod downstream_response;
mod inbound_token;
mod method_options;
mod overrides;
mod responses;

pub use downstream_request::DownstreamRequest;
pub use downstream_response::{DownstreamError, DownstreamResponse};
pub use inbound_token::InboundToken;
pub use method_options::{
    SidecarClientAuthorizationHeaderOptions, SidecarClientCallDownstreamApiOptions, SidecarClientHealthOptions,
    SidecarClientValidateOptions,
};
pub use overrides::{Agent, TokenOverrides};
pub use responses::{AuthorizationHeader, SidecarHealth, ValidatedToken};
