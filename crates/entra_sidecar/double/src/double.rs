//! A running double.

use crate::{
    api::{Acquisition, DownstreamApi, DownstreamCall},
    callers::{Callers, Check},
    fault::Fault,
    overrides::AllowOverrides,
    routes,
};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A request that the double got.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path, as it came.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// What is configured, and what happened.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) apis: BTreeMap<String, DownstreamApi>,
    pub(crate) allow_overrides: AllowOverrides,
    pub(crate) callers: Callers,
    pub(crate) required_scope: Option<String>,
    pub(crate) unhealthy: AtomicBool,
    requests: Mutex<Vec<Received>>,
    acquisitions: Mutex<Vec<Acquisition>>,
    calls: Mutex<Vec<DownstreamCall>>,
    faults: Mutex<VecDeque<Fault>>,
}

impl State {
    pub(crate) fn receive(&self, request: Received) {
        lock(&self.requests).push(request);
    }

    pub(crate) fn acquire(&self, acquisition: Acquisition) {
        lock(&self.acquisitions).push(acquisition);
    }

    pub(crate) fn call(&self, call: DownstreamCall) {
        lock(&self.calls).push(call);
    }

    pub(crate) fn next_fault(&self) -> Option<Fault> {
        lock(&self.faults).pop_front()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A double that listens on a port of 127.0.0.1 until it is dropped.
#[derive(Debug)]
pub struct SidecarDouble {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl SidecarDouble {
    /// A double to be configured.
    #[must_use]
    pub fn builder() -> SidecarDoubleBuilder {
        SidecarDoubleBuilder::default()
    }

    /// The address to give to a client, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token of a user who calls the API that the sidecar stands beside. The double accepts it.
    ///
    /// # Arguments
    ///
    /// * `object_id` - The user's object id.
    #[must_use]
    pub fn caller_token(&self, object_id: &str) -> String {
        self.state.callers.issue(object_id)
    }

    /// The requests so far, those that were refused included.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.state.requests).clone()
    }

    /// The tokens that were asked for so far.
    #[must_use]
    pub fn acquisitions(&self) -> Vec<Acquisition> {
        lock(&self.state.acquisitions).clone()
    }

    /// The requests to APIs so far.
    #[must_use]
    pub fn calls(&self) -> Vec<DownstreamCall> {
        lock(&self.state.calls).clone()
    }

    /// Has the next requests fail, one fault for each.
    ///
    /// # Arguments
    ///
    /// * `faults` - The failures, in the order of the requests.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state.faults).extend(faults);
    }

    /// Sets what `/healthz` says.
    pub fn set_healthy(&self, healthy: bool) {
        self.state.unhealthy.store(!healthy, Ordering::Relaxed);
    }
}

impl Drop for SidecarDouble {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The configuration of a [`SidecarDouble`].
#[derive(Default)]
pub struct SidecarDoubleBuilder {
    apis: BTreeMap<String, DownstreamApi>,
    allow_overrides: AllowOverrides,
    check: Option<Check>,
    required_scope: Option<String>,
}

impl SidecarDoubleBuilder {
    /// Adds an API.
    #[must_use]
    pub fn api(mut self, name: impl Into<String>, api: DownstreamApi) -> Self {
        self.apis.insert(name.into(), api);
        self
    }

    /// Sets the routes that honour overrides and agents.
    #[must_use]
    pub fn allow_overrides(mut self, allow_overrides: AllowOverrides) -> Self {
        self.allow_overrides = allow_overrides;
        self
    }

    /// Accepts more callers' tokens than those of [`SidecarDouble::caller_token`].
    #[must_use]
    pub fn accept_callers(mut self, check: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Sets the scope that `/Validate` asks of a caller (`AzureAd:Scopes`).
    #[must_use]
    pub fn require_scope(mut self, scope: impl Into<String>) -> Self {
        self.required_scope = Some(scope.into());
        self
    }

    /// Starts the double.
    ///
    /// # Errors
    ///
    /// There is no port to listen on.
    pub async fn start(self) -> io::Result<SidecarDouble> {
        let state = Arc::new(State {
            apis: self.apis,
            allow_overrides: self.allow_overrides,
            callers: Callers::new(self.check),
            required_scope: self.required_scope,
            ..State::default()
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = routes::router(state.clone());
        let server = tokio::spawn(async move {
            // It ends only by being aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(SidecarDouble { address, state, server })
    }
}

impl fmt::Debug for SidecarDoubleBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SidecarDoubleBuilder")
            .field("apis", &self.apis)
            .field("allow_overrides", &self.allow_overrides)
            .finish_non_exhaustive()
    }
}
