//! A fake sidecar that listens on loopback.

use crate::{
    api::{ApiRequest, DownstreamApi},
    overrides::AllowOverrides,
    routes,
    state::{Configuration, Fault, RecordedRequest, State},
    token::Acquisition,
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A fake sidecar. It listens on a free port of 127.0.0.1 until it is dropped.
#[derive(Debug)]
pub struct FakeSidecar {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl FakeSidecar {
    /// Returns a builder.
    #[must_use]
    pub fn builder() -> FakeSidecarBuilder {
        FakeSidecarBuilder::default()
    }

    /// Returns the base URL for a client, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Issues the token of a user who calls the API beside the sidecar. The sidecar accepts it.
    ///
    /// # Arguments
    ///
    /// * `object_id` - The user's object ID.
    #[must_use]
    pub fn caller_token(&self, object_id: &str) -> String {
        self.state.issue_caller_token(object_id)
    }

    /// Returns all requests so far, including the refused ones.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.requests.all()
    }

    /// Returns all acquisitions of tokens so far, including the failed ones.
    #[must_use]
    pub fn acquisitions(&self) -> Vec<Acquisition> {
        self.state.acquisitions.all()
    }

    /// Returns all requests to downstream APIs so far.
    #[must_use]
    pub fn api_requests(&self) -> Vec<ApiRequest> {
        self.state.api_requests.all()
    }

    /// Injects faults into the next requests, one each.
    ///
    /// # Arguments
    ///
    /// * `faults` - The faults, in the order of the requests.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.inject(faults);
    }

    /// Sets the health that `/healthz` reports.
    pub fn set_healthy(&self, healthy: bool) {
        self.state.set_healthy(healthy);
    }
}

impl Drop for FakeSidecar {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The configuration of a [`FakeSidecar`].
#[derive(Debug, Default)]
pub struct FakeSidecarBuilder(Configuration);

impl FakeSidecarBuilder {
    /// Adds an API.
    #[must_use]
    pub fn api(mut self, name: impl Into<String>, api: DownstreamApi) -> Self {
        self.0.apis.insert(name.into(), api);
        self
    }

    /// Sets the routes that honour overrides and agents.
    #[must_use]
    pub fn allow_overrides(mut self, allow_overrides: AllowOverrides) -> Self {
        self.0.allow_overrides = allow_overrides;
        self
    }

    /// Accepts more callers' tokens than those of [`FakeSidecar::caller_token`].
    #[must_use]
    pub fn accept_callers(mut self, check: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.0.caller_check = Some(Box::new(check));
        self
    }

    /// Sets the scope that `/Validate` requires of a caller (`AzureAd:Scopes`).
    #[must_use]
    pub fn require_scope(mut self, scope: impl Into<String>) -> Self {
        self.0.required_scope = Some(scope.into());
        self
    }

    /// Passes on all headers of an API's response. The source passes on those of the content only.
    #[must_use]
    pub fn pass_on_headers(mut self) -> Self {
        self.0.passes_on_headers = true;
        self
    }

    /// Starts the sidecar.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn start(self) -> io::Result<FakeSidecar> {
        let state = Arc::new(State::new(self.0));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = routes::router(state.clone());
        let server = tokio::spawn(async move {
            // It ends only by being aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(FakeSidecar { address, state, server })
    }
}
