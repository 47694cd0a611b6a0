//! A double of the *Microsoft Entra SDK for AgentID* sidecar, which runs as a container only and needs a tenant.
//!
//! It behaves as the sidecar's source does (`AzureAD/microsoft-identity-web`, `src/Microsoft.Identity.Web.Sidecar`, commit
//! dfeab823), including what Microsoft's documents leave out or say otherwise:
//!
//! * `DownstreamApi` answers POST only, whatever verb is asked for downstream.
//! * Overrides and agents are ignored on the unauthenticated routes unless [`AllowOverrides`] says otherwise.
//! * Any override sets the verb to GET and the media types to JSON, unless it names others.
//! * A caller's token that is refused is a 401 without a body; a token that cannot be acquired is a 401 with a problem.
//! * An API that is not configured is a 400.
//! * A request that names another host than this one is refused, as it is since version 4.15.0.
//!
//! Tokens are unsigned, and the APIs behind it are closures: no request leaves the process.

mod api;
mod callers;
mod double;
mod fault;
mod layers;
mod overrides;
mod refusal;
mod routes;
mod token;

pub use api::{Acquisition, DownstreamAnswer, DownstreamApi, DownstreamCall};
pub use double::{Received, SidecarDouble, SidecarDoubleBuilder};
pub use fault::Fault;
pub use overrides::{ActingAgent, AllowOverrides, CallOptions};
pub use token::{CLIENT_ID, TENANT_ID, unsigned_token};
