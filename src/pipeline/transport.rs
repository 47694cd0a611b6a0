//! The default HTTP transport.

use crate::runtime::{self, RuntimeId};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request, Transport},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The bounds of azure_core's own transport.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The most runtimes whose connections are kept.
const MAX_RUNTIMES: usize = 8;

/// Creates a transport like azure_core's own, which panics where it cannot be built.
pub(super) fn default() -> Result<Transport> {
    let first = Client {
        runtime: runtime::current(),
        http_client: build()?,
    };
    Ok(Transport::new(Arc::new(PerRuntime(Mutex::new(vec![first])))))
}

fn build() -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    builder.build().map_err(|error| {
        let cause = innermost(&error);
        let text = format!(
            "the HTTP transport cannot be built: {cause}. Install the system's CA certificates (the package \
             ca-certificates on Debian and Alpine), or set client_options.transport"
        );
        Error::with_error(ErrorKind::Other, error, text)
    })
}

/// The text of the last source of an error.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// A `reqwest` client for each async runtime.
///
/// The task of a connection runs on the runtime that opened it. On another one, a request on a kept connection hangs while
/// that runtime is not driven, and fails when it ends, so that a creation's outcome would be unknown.
#[derive(Debug)]
struct PerRuntime(Mutex<Vec<Client>>);

#[derive(Debug)]
struct Client {
    runtime: Option<RuntimeId>,
    http_client: reqwest::Client,
}

impl PerRuntime {
    /// The client of the current runtime. The oldest one makes room for a new one.
    fn client(&self) -> Result<reqwest::Client> {
        let runtime = runtime::current();
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.iter().find(|client| client.runtime == runtime) {
            return Ok(client.http_client.clone());
        }
        // One that was built outside a runtime has no connections yet.
        if let Some(unused) = clients.iter_mut().find(|client| client.runtime.is_none()) {
            unused.runtime = runtime;
            return Ok(unused.http_client.clone());
        }
        let http_client = build()?;
        if clients.len() == MAX_RUNTIMES {
            clients.remove(0);
        }
        clients.push(Client {
            runtime,
            http_client: http_client.clone(),
        });
        Ok(http_client)
    }
}

#[async_trait::async_trait]
impl HttpClient for PerRuntime {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        // Of the kind that means that nothing was sent.
        let http_client = self.client().map_err(|error| {
            let text = error.to_string();
            Error::with_error(ErrorKind::Connection, error, text)
        })?;
        HttpClient::execute_request(&http_client, request).await
    }
}
