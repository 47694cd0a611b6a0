// The snippets are compiled and run by tests/readme.rs, which gives them a sidecar.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod agent;
mod base_url;
mod claims;
mod client;
mod credential;
mod error;
mod inbound_token;
pub mod models;
mod pipeline;
mod requests;
mod runtime;
pub mod web;

pub use agent::Agent;
pub use client::{SidecarClient, SidecarClientOptions};
pub use credential::{SidecarCredential, SidecarCredentialOptions, SidecarOnBehalfOfCredential, SidecarScope};
pub use error::{DownstreamError, ProblemDetails, SidecarError, SidecarErrorKind};
pub use inbound_token::InboundToken;
pub use models::{
    AuthorizationHeader, DownstreamRequest, DownstreamResponse, SidecarHealth, TokenOverrides, ValidatedToken,
};
