//! A transport over hyper alone, with neither TLS nor proxies nor compression.

use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        AsyncRawResponse, Body, HttpClient, Request,
        headers::{HeaderName, HeaderValue, Headers},
    },
};
use futures::TryStreamExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

#[derive(Debug)]
pub(crate) struct HyperTransport(Client<HttpConnector, Full<Bytes>>);

impl HyperTransport {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }
}

#[async_trait::async_trait]
impl HttpClient for HyperTransport {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        let Body::Bytes(body) = request.body() else {
            return Err(Error::with_message(ErrorKind::Other, "the body is not in memory"));
        };
        let mut builder = hyper::Request::builder()
            .method(request.method().as_ref())
            .uri(request.url().as_str());
        for (name, value) in request.headers().iter() {
            builder = builder.header(name.as_str(), value.as_str());
        }
        let request = builder
            .body(Full::new(body.clone()))
            .map_err(|error| Error::new(ErrorKind::Other, error))?;
        let response = self.0.request(request).await.map_err(|error| {
            let kind = if error.is_connect() {
                ErrorKind::Connection
            } else {
                ErrorKind::Io
            };
            Error::new(kind, error)
        })?;
        let (head, body) = response.into_parts();
        let mut headers = Headers::new();
        for (name, value) in &head.headers {
            if let Ok(value) = value.to_str() {
                headers.insert(
                    HeaderName::from(name.as_str().to_owned()),
                    HeaderValue::from(value.to_owned()),
                );
            }
        }
        let body = body
            .into_data_stream()
            .map_err(|error| Error::new(ErrorKind::Io, error));
        Ok(AsyncRawResponse::new(
            head.status.as_u16().into(),
            headers,
            Box::pin(body),
        ))
    }
}
