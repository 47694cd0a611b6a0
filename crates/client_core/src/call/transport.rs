//! The default HTTP transports.

#[cfg(feature = "hyper")]
use super::hyper_transport::{HyperTransport, platform_tls};
#[cfg(feature = "reqwest")]
use crate::error::chain;
use crate::runtime::{self, RuntimeId};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request, Transport},
};
#[cfg(feature = "hyper")]
use hyper_util::client::proxy::matcher::Matcher;
use std::{
    error, fmt,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// The least number of runtimes whose connections are kept. A server can have one per core.
const MIN_CAPACITY: usize = 64;

/// The clients of runtimes, the least recently used first.
type Clients = Vec<(Option<RuntimeId>, Arc<dyn HttpClient>)>;

/// A function that creates an HTTP client.
type Build = Box<dyn Fn() -> Result<Arc<dyn HttpClient>> + Send + Sync>;

/// Creates a transport over `reqwest` like azure_core's own, which panics where it cannot be built.
///
/// # Arguments
///
/// * `configure` - Changes the settings of the client.
///
/// # Errors
///
/// The transport cannot be built, as without CA certificates.
#[cfg(feature = "reqwest")]
pub fn reqwest(
    configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
) -> Result<Transport> {
    per_runtime(move || {
        let client = configure(builder()).build();
        Ok(Arc::new(client.map_err(|error| unusable(&innermost(&error), error))?))
    })
}

/// Creates an HTTP client of `reqwest` for a program, with the bounds of [`reqwest()`].
///
/// # Arguments
///
/// * `configure` - Changes the settings of the client.
///
/// # Errors
///
/// The client cannot be built, as without CA certificates.
#[cfg(feature = "reqwest")]
pub fn http_client(
    configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client> {
    configure(builder()).build().map_err(|error| {
        let text = format!(
            "the HTTP client cannot be created ({}): install the CA certificates of the system, such as Debian's \
             ca-certificates",
            innermost(&error)
        );
        Error::with_error(ErrorKind::Other, error, text)
    })
}

/// Starts a client with the bounds of azure_core's own transport.
#[cfg(feature = "reqwest")]
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(std::time::Duration::from_secs(20))
        .read_timeout(std::time::Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
}

/// Creates a transport over `hyper`, with the platform's certificates and the proxies of the environment.
///
/// # Errors
///
/// The transport cannot be built, as without CA certificates.
#[cfg(feature = "hyper")]
pub fn hyper() -> Result<Transport> {
    let tls = platform_tls().map_err(|error| unusable(&error.to_string(), error))?;
    per_runtime(move || Ok(Arc::new(HyperTransport::new(tls.clone(), Matcher::from_env()))))
}

fn per_runtime(build: impl Fn() -> Result<Arc<dyn HttpClient>> + Send + Sync + 'static) -> Result<Transport> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let clients = ClientPerRuntime {
        build: Box::new(build),
        capacity: MIN_CAPACITY.max(2 * cores),
        clients: Mutex::default(),
    };
    clients.client()?;
    Ok(Transport::new(Arc::new(clients)))
}

/// Creates the error of a transport that cannot be built.
fn unusable(cause: &str, error: impl error::Error + Send + Sync + 'static) -> Error {
    let text = format!(
        "the HTTP transport cannot be built: {cause}. Install the system's CA certificates (the package ca-certificates \
         on Debian and Alpine), or set client_options.transport"
    );
    Error::with_error(ErrorKind::Other, error, text)
}

/// An HTTP client for each async runtime.
///
/// The task of a connection runs on the runtime that opened it. On another one, a request on a kept connection hangs while
/// that runtime is not driven, and fails when it ends, so that a creation's outcome would be unknown.
struct ClientPerRuntime {
    build: Build,
    capacity: usize,
    clients: Mutex<Clients>,
}

impl ClientPerRuntime {
    /// Returns the client of the current runtime, built at its first request.
    fn client(&self) -> Result<Arc<dyn HttpClient>> {
        let current = runtime::current();
        if let Some(client) = self.find(current) {
            return Ok(client);
        }
        let client = (self.build)()?;
        let mut clients = self.clients();
        if clients.len() >= self.capacity {
            clients.remove(0);
        }
        clients.push((current, client.clone()));
        Ok(client)
    }

    /// Returns the client of a runtime, or one that was built outside a runtime, which has no connections yet.
    fn find(&self, current: Option<RuntimeId>) -> Option<Arc<dyn HttpClient>> {
        let mut clients = self.clients();
        let index = clients
            .iter()
            .position(|(runtime, _)| *runtime == current)
            .or_else(|| clients.iter().position(|(runtime, _)| runtime.is_none()))?;
        let (_, client) = clients.get(index)?;
        let client = client.clone();
        if let Some(rest) = clients.get_mut(index..) {
            rest.rotate_left(1);
        }
        if let Some((runtime, _)) = clients.last_mut() {
            *runtime = current;
        }
        Some(client)
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the text of the last source of an error.
#[cfg(feature = "reqwest")]
fn innermost(error: &(dyn error::Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
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
