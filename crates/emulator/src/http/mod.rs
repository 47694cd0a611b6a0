//! The service over HTTP: its listeners, the layers that every request passes, and its operations.
//!
//! A request passes `listener`, `router`, `record`, `headers`, `authentication` and `api_version`, in this order, before
//! it reaches one of the `operations`.

mod addresses;
mod api_version;
mod authentication;
mod certificate;
mod cross_origin;
mod fault_injection;
mod headers;
mod json_body;
mod listener;
mod operations;
mod rate_limits;
mod record;
mod request;
mod response;
mod router;

use crate::{
    auth::{ControlToken, signature::Tolerance},
    faults::{Fault, Faults},
    identities::{EmulatorState, InvalidState},
    resource::Resource,
    storage::{NotPersisted, Receipt},
};
use axum::extract::FromRef;
use std::{
    borrow::Cow,
    fmt::{self, Display, Formatter},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use time::Duration;

pub use addresses::InvalidHost;
pub(crate) use addresses::{Addresses, BindError, Hosts};
pub use api_version::UnknownVersion;
pub(crate) use api_version::{API_VERSIONS, WithdrawnVersions};
pub(crate) use certificate::Certificate;
pub(crate) use headers::header_text;
pub(crate) use listener::{Peer, Server};
pub(crate) use rate_limits::RateLimits;
pub(crate) use record::{RequestLog, RequestRecord};
pub(crate) use request::RequestBody;
pub(crate) use response::{Identity, JsonResponse, Refusal, ServiceError};
pub(crate) use router::router;

/// The state that requests share: the resource, and how the emulator serves it.
pub(crate) struct Service {
    pub(crate) resource: Resource,
    pub(crate) addresses: Addresses,
    /// The secret that opens the control surface to other machines.
    pub(crate) control_token: Option<ControlToken>,
    pub(crate) tolerance: Tolerance,
    pub(crate) accept_unverified_bearer: bool,
    /// True if the message of a 401 contains its explanation.
    pub(crate) explain: bool,
    pub(crate) faults: Faults,
    pub(crate) rate_limits: RateLimits,
    pub(crate) request_log: RequestLog,
    pub(crate) withdrawn_versions: WithdrawnVersions,
    pub(crate) initial: InitialState,
    /// The numbers of imports and resets since the start.
    pub(crate) imports: AtomicU64,
    pub(crate) resets: AtomicU64,
}

/// The state and the settings with which the emulator starts, and to which it is reset.
#[derive(Default)]
pub(crate) struct InitialState {
    pub(crate) state: EmulatorState,
    pub(crate) faults: Vec<Fault>,
    pub(crate) clock_offset: Duration,
    pub(crate) revocation_delay: Duration,
    pub(crate) withdrawn_versions: Vec<String>,
}

/// The service as one listener offers it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) scheme: Scheme,
    pub(crate) service: Arc<Service>,
}

impl Service {
    /// Replaces identities, assignments and revocations.
    pub(crate) fn import(&self, state: &EmulatorState) -> Result<Receipt, InvalidState> {
        let receipt = self.resource.import(state, |_| {})?;
        self.imports.fetch_add(1, Ordering::Relaxed);
        Ok(receipt)
    }

    /// Returns to the initial state and settings. Access keys and the key of tokens stay, and so do connection strings.
    pub(crate) async fn reset(&self) -> Result<(), NotPersisted> {
        let InitialState {
            state,
            faults,
            clock_offset,
            revocation_delay,
            withdrawn_versions,
        } = &self.initial;
        self.faults.clear();
        for fault in faults {
            // It was valid when the emulator was started, as were the versions and the state.
            self.faults.inject(fault.clone()).ok();
        }
        self.withdrawn_versions.set(withdrawn_versions).ok();
        self.resource.clock.set_offset(*clock_offset);
        self.resource.revocation_delay.set(*revocation_delay);
        let receipt = self.resource.import(state, |_| {}).unwrap_or_default();
        self.resource.issued.clear();
        self.rate_limits.clear();
        self.request_log.clear();
        self.resets.fetch_add(1, Ordering::Relaxed);
        self.resource.store.wait(receipt).await
    }

    /// Redacts the secrets of the emulator in a text of a request.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = self.resource.access_keys.redact(text);
        match &self.control_token {
            Some(token) => token.redact(text),
            None => text,
        }
    }
}

impl FromRef<Endpoint> for Arc<Service> {
    fn from_ref(endpoint: &Endpoint) -> Self {
        endpoint.service.clone()
    }
}

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Display for Scheme {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// The connection string of an endpoint.
pub(crate) fn connection_string(endpoint: &str, access_key: &str) -> String {
    format!("endpoint={endpoint};accesskey={access_key}")
}
