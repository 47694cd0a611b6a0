//! The default HTTP transport.

use crate::runtime::{self, RuntimeId};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request, Transport},
};
use std::{
    fmt,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// The bounds of azure_core's own transport.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The least number of runtimes whose connections are kept. A server can have one per core.
const MIN_CAPACITY: usize = 64;

/// Changes the settings of a transport.
type Configure = Box<dyn Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync>;

/// Creates a transport like azure_core's own, which panics where it cannot be built.
///
/// # Errors
///
/// The transport cannot be built, as without CA certificates.
pub fn default(
    configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
) -> Result<Transport> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let clients = ClientPerRuntime {
        configure: Box::new(configure),
        capacity: MIN_CAPACITY.max(2 * cores),
        clients: Mutex::default(),
    };
    clients.client()?;
    Ok(Transport::new(Arc::new(clients)))
}

/// A `reqwest` client for each async runtime.
///
/// The task of a connection runs on the runtime that opened it. On another one, a request on a kept connection hangs while
/// that runtime is not driven, and fails when it ends, so that a creation's outcome would be unknown.
struct ClientPerRuntime {
    configure: Configure,
    capacity: usize,
    /// The least recently used first.
    clients: Mutex<Vec<(Option<RuntimeId>, reqwest::Client)>>,
}

impl ClientPerRuntime {
    /// Returns the client of the current runtime, built at its first request.
    fn client(&self) -> Result<reqwest::Client> {
        let current = runtime::current();
        if let Some(client) = self.find(current) {
            return Ok(client);
        }
        let client = self.build()?;
        let mut clients = self.clients();
        if clients.len() >= self.capacity {
            clients.remove(0);
        }
        clients.push((current, client.clone()));
        Ok(client)
    }

    /// Returns the client of a runtime, or one that was built outside a runtime, which has no connections yet.
    fn find(&self, current: Option<RuntimeId>) -> Option<reqwest::Client> {
        let mut clients = self.clients();
        let index = clients
            .iter()
            .position(|(runtime, _)| *runtime == current)
            .or_else(|| clients.iter().position(|(runtime, _)| runtime.is_none()))?;
        let (_, client) = clients.remove(index);
        clients.push((current, client.clone()));
        Some(client)
    }

    fn clients(&self) -> MutexGuard<'_, Vec<(Option<RuntimeId>, reqwest::Client)>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(&self) -> Result<reqwest::Client> {
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        (self.configure)(builder).build().map_err(|error| {
            let cause = innermost(&error);
            let text = format!(
                "the HTTP transport cannot be built: {cause}. Install the system's CA certificates (the package \
                 ca-certificates on Debian and Alpine), or set client_options.transport"
            );
            Error::with_error(ErrorKind::Other, error, text)
        })
    }
}

/// Returns the text of the last source of an error.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[async_trait::async_trait]
impl HttpClient for ClientPerRuntime {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        // Of the kind that means that nothing was sent.
        let client = self.client().map_err(|error| {
            let text = error.to_string();
            Error::with_error(ErrorKind::Connection, error, text)
        })?;
        client.execute_request(request).await
    }
}

impl fmt::Debug for ClientPerRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientPerRuntime")
    }
}
