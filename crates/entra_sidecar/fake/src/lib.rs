//! A fake *Microsoft Entra SDK for AgentID* sidecar. The real one runs as a container only, and needs a tenant.
//!
//! It behaves as the sidecar's source does (`AzureAD/microsoft-identity-web`, `src/Microsoft.Identity.Web.Sidecar`, commit
//! dfeab823), including the facts that Microsoft's documents leave out or get wrong:
//!
//! * `DownstreamApi` accepts POST only. The verb of the request to the API is an override.
//! * Overrides and agents are ignored on the unauthenticated routes, unless [`AllowOverrides`] allows them there.
//! * Any override sets the verb to GET and the media types to JSON, unless it names others.
//! * A refused caller's token is a 401 without a body; a token that cannot be acquired is a 401 with a problem.
//! * An API that is not configured is a 400.
//! * Tokens are cached until five minutes before their expiry, unless `ForceRefresh` or `Claims` asks for a new one.
//! * Of an API's headers, those of the content are passed on: a claims challenge is lost, as are those of Entra ID.
//! * Since version 4.15.0, a request to another host name than a local one is refused.
//!
//! Tokens are unsigned, and the APIs behind it are closures: no request leaves the process.

mod api;
mod layers;
mod overrides;
mod routes;
mod sidecar;
mod state;
mod token;

pub use api::{ApiRequest, ApiResponse, DownstreamApi};
pub use overrides::{ActingAgent, AllowOverrides, DownstreamApiOptions};
pub use sidecar::{FakeSidecar, FakeSidecarBuilder};
pub use state::{Fault, RecordedRequest};
pub use token::{Acquisition, CLIENT_ID, TENANT_ID, unsigned_token};
