//! An HTTP transport over hyper: http/1.1, the platform's certificates, and the proxies of the environment.

use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{AsyncRawResponse, Body, HttpClient, Request},
};
use futures::{FutureExt as _, future::BoxFuture, stream};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Uri,
    body::{Bytes, Incoming},
    header::{HeaderMap, HeaderName, HeaderValue},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::{
        legacy::{
            Client,
            connect::{HttpConnector, proxy::Tunnel},
        },
        proxy::matcher::Matcher,
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::{ClientConfig, crypto::aws_lc_rs};
use rustls_platform_verifier::BuilderVerifierExt;
use std::{
    collections::HashMap,
    error,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

/// The bounds of azure_core's own transport.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The time after which an idle connection is closed, and that between probes of one in use, as reqwest has them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The initial capacity of the headers of a request.
const HEADERS: usize = 12;

type BoxError = Box<dyn error::Error + Send + Sync>;

/// Returns TLS settings with the platform's certificates.
pub(super) fn platform_tls() -> std::result::Result<ClientConfig, rustls::Error> {
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)?;
    Ok(tls.with_no_client_auth())
}

/// A transport over hyper.
#[derive(Debug)]
pub struct HyperTransport(Client<Connector, Full<Bytes>>);

impl HyperTransport {
    /// Creates a transport.
    ///
    /// # Arguments
    ///
    /// * `tls` - The settings of TLS, with the certificates to trust.
    /// * `proxies` - The proxies of URLs.
    #[must_use]
    pub fn new(tls: ClientConfig, proxies: Matcher) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        let proxies = Arc::new(proxies);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Proxied { tcp, proxies });
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(Connector(connector));
        Self(client)
    }
}

#[async_trait::async_trait]
impl HttpClient for HyperTransport {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        let Body::Bytes(body) = request.body() else {
            return Err(Error::with_message(ErrorKind::Other, "the body is a stream"));
        };
        let request = build(request, body.clone())
            .map_err(|error| Error::with_error(ErrorKind::Other, error, "the request cannot be built"))?;
        let response = timeout(READ_TIMEOUT, self.0.request(request)).await;
        let response = response.map_err(|elapsed| Error::with_error(ErrorKind::Io, elapsed, "no response came"))?;
        let response = response.map_err(|error| {
            let kind = if error.is_connect() {
                ErrorKind::Connection
            } else {
                ErrorKind::Io
            };
            Error::with_error(kind, error, "the request failed")
        })?;
        let (head, body) = response.into_parts();
        let mut headers = HashMap::with_capacity(head.headers.len());
        for (name, value) in &head.headers {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned().into(), value.to_owned().into());
            }
        }
        let body = Box::pin(stream::try_unfold(body, next_chunk));
        Ok(AsyncRawResponse::new(head.status.as_u16().into(), headers.into(), body))
    }
}

/// Converts a request.
fn build(request: &Request, body: Bytes) -> hyper::http::Result<hyper::Request<Full<Bytes>>> {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    for (name, value) in request.headers().iter() {
        let name = HeaderName::try_from(name.as_str())?;
        headers.insert(name, HeaderValue::try_from(value.as_str())?);
    }
    let mut builder = hyper::Request::builder()
        .method(request.method().as_str())
        .uri(request.url().as_str());
    if let Some(empty) = builder.headers_mut() {
        *empty = headers;
    }
    builder.body(Full::new(body))
}

/// Reads on in a body.
async fn next_chunk(mut body: Incoming) -> Result<Option<(Bytes, Incoming)>> {
    while let Some(frame) = timeout(READ_TIMEOUT, body.frame())
        .await
        .map_err(|elapsed| Error::with_error(ErrorKind::Io, elapsed, "the body stalled"))?
    {
        let frame = frame.map_err(|error| Error::with_error(ErrorKind::Io, error, "the body broke off"))?;
        if let Ok(chunk) = frame.into_data() {
            return Ok(Some((chunk, body)));
        }
    }
    Ok(None)
}

/// Opens connections within a time, with TLS for https.
#[derive(Clone)]
struct Connector(HttpsConnector<Proxied>);

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<Proxied> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let connecting = self.0.call(url);
        async { timeout(CONNECT_TIMEOUT, connecting).await? }.boxed()
    }
}

/// Opens TCP connections, through a tunnel of the proxy that the environment names for a URL.
#[derive(Clone)]
struct Proxied {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Service<Uri> for Proxied {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.intercept(&url) else {
            let mut tcp = self.tcp.clone();
            tcp.enforce_http(false);
            return async move { Ok(tcp.call(url).await?) }.boxed();
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        async move { Ok(tunnel.call(url).await?) }.boxed()
    }
}
