//! A server that costs as little as one can, so that what is measured is the client.

use super::Outcome;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::HeaderValue,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{io, net::TcpListener, thread};

/// The headers of the recorded answers in `testdata/recordings/`, beside `content-length` and `date`, which hyper adds.
const HEADERS: [(&str, &str); 9] = [
    (
        "api-supported-versions",
        "2020-07-20-preview2, 2021-02-22-preview1, 2021-03-07, 2021-10-31-preview, 2021-11-01, 2022-06-01, 2022-10-01",
    ),
    ("content-type", "application/json; charset=utf-8"),
    ("ms-cv", "ONTHVVmvrUmEvsjZIp4fxw.0"),
    ("request-context", "appId="),
    ("strict-transport-security", "max-age=2592000"),
    ("x-azure-ref", "0Z1sUZAAAAADYKb0nYtJpTJzDfqGP8S1JUFJHMDFFREdFMDkxOQ=="),
    ("x-cache", "CONFIG_NOCACHE"),
    ("x-ms-client-request-id", "5b4f1d2c-1f1f-4f7a-9c6e-0c3e5d1c9a70"),
    ("x-processing-time", "25ms"),
];

/// The length of the service's answers to a request for a token, in bytes.
const BODY_LEN: usize = 1083;

/// A server on loopback that gives every request the same answer, shaped as the service's to a request for a token.
pub(crate) struct Server {
    listener: TcpListener,
    pub(crate) endpoint: String,
}

impl Server {
    /// Takes a free port.
    pub(crate) fn bind() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, endpoint })
    }

    /// Serves from another thread, as long as the process runs.
    pub(crate) fn serve_in_background(self) -> String {
        let endpoint = self.endpoint.clone();
        thread::spawn(|| self.serve());
        endpoint
    }

    /// Serves from this thread, for ever.
    pub(crate) fn serve(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            let response = response();
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let response = response.clone();
                let service = service_fn(move |request| answer(request, response.clone()));
                // A client that closes its connection is no failure.
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        })
    }
}

async fn answer(request: Request<Incoming>, response: Response<Full<Bytes>>) -> io::Result<Response<Full<Bytes>>> {
    request.into_body().collect().await.map_err(io::Error::other)?;
    Ok(response)
}

fn response() -> Response<Full<Bytes>> {
    let rest = r#"{"token":"","expiresOn":"2026-08-02T00:00:00.1234567+00:00"}"#;
    let token = "e".repeat(BODY_LEN - rest.len());
    let body = rest.replacen(r#""""#, &format!(r#""{token}""#), 1);
    let mut response = Response::new(Full::from(body));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
