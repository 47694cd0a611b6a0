// The snippets are compiled and run by tests/sidecar/readme.rs, which gives them a sidecar.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod base_url;
mod claims;
mod client;
mod credential;
mod error;
pub mod models;
mod options;
mod pipeline;
mod requests;
pub mod web;

pub use client::SidecarClient;
pub use credential::{SidecarCredential, SidecarCredentialOptions, SidecarOnBehalfOfCredential, SidecarScope};
pub use error::{ProblemDetails, SidecarError, SidecarErrorKind};
pub use models::{
    Agent, AuthorizationHeader, DownstreamError, DownstreamRequest, DownstreamResponse, InboundToken, SidecarHealth,
    TokenOverrides, ValidatedToken,
};
pub use options::SidecarClientOptions;
