//! What is asked of the sidecar, what it answers, and the options of the client's operations.

mod authorization_header;
mod downstream_request;
mod downstream_response;
mod health;
pub(crate) mod json;
mod method_options;
mod token_overrides;
mod validated_token;

pub use authorization_header::AuthorizationHeader;
pub use downstream_request::DownstreamRequest;
pub use downstream_response::DownstreamResponse;
pub use health::SidecarHealth;
pub use method_options::{
    SidecarClientAuthorizationHeaderOptions, SidecarClientCallDownstreamApiOptions, SidecarClientHealthOptions,
    SidecarClientValidateOptions,
};
pub use token_overrides::TokenOverrides;
pub use validated_token::ValidatedToken;
