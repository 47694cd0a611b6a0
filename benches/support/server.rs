//! A server that costs as little as possible, so that the client is measured.

use super::Outcome;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::HeaderValue,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use std::{
    io,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// The headers of the recorded responses in `testdata/recordings/`, with the API versions of today, beside `content-length` and
/// `date`, which hyper adds.
const HEADERS: [(&str, &str); 9] = [
    (
        "api-supported-versions",
        "2021-03-07, 2022-06-01, 2022-10-01, 2023-10-01, 2025-03-02-preview, 2025-06-30, 2026-09-23",
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

/// The length of the service's response to a request for a token, in bytes.
const BODY_LEN: usize = 1083;

/// A server on loopback that returns the same response for each request for a token, shaped as the service's, and a new user
/// for each request for a user.
pub(crate) struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    pub(crate) endpoint: String,
}

impl Server {
    /// Takes a free port.
    pub(crate) fn bind() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let tls = None;
        Ok(Self {
            listener,
            tls,
            endpoint,
        })
    }

    /// Takes a free port for TLS; the second is the CA to trust, in PEM.
    pub(crate) fn bind_tls() -> Outcome<(Self, String)> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "CA of a bench");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &ca)?.into();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.serialize_der().try_into()?)?;

        let mut server = Self::bind()?;
        server.tls = Some(Arc::new(config).into());
        server.endpoint = server.endpoint.replace("http:", "https:");
        Ok((server, ca.pem()))
    }

    /// Serves from another thread until the process ends.
    pub(crate) fn serve_in_background(self) -> String {
        let endpoint = self.endpoint.clone();
        thread::spawn(|| self.serve());
        endpoint
    }

    /// Serves from this thread until the process ends.
    pub(crate) fn serve(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            let answers = Answers::new();
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(serve_connection(stream, self.tls.clone(), answers.clone()));
            }
        })
    }
}

async fn serve_connection(stream: TcpStream, tls: Option<TlsAcceptor>, answers: Answers) {
    match tls {
        None => answers.serve(stream).await,
        Some(tls) => {
            // A client may close its connection.
            if let Ok(stream) = tls.accept(stream).await {
                answers.serve(stream).await;
            }
        }
    }
}

#[derive(Clone)]
struct Answers {
    token: Response<Full<Bytes>>,
    users: Arc<AtomicU64>,
}

impl Answers {
    fn new() -> Self {
        let rest = r#"{"token":"","expiresOn":"2026-08-02T00:00:00.1234567+00:00"}"#;
        let token = "e".repeat(BODY_LEN - rest.len());
        Self {
            token: response(rest.replacen(r#""""#, &format!(r#""{token}""#), 1)),
            users: Arc::default(),
        }
    }

    /// Serves a connection until the client closes it.
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request| self.answer(request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connection.await.ok();
    }

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let is_for_user = request.uri().path() == "/identities";
        request.into_body().collect().await.map_err(io::Error::other)?;
        Ok(if is_for_user { self.user() } else { self.token.clone() })
    }

    /// Returns a new user.
    fn user(&self) -> Response<Full<Bytes>> {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        let mut response = response(format!(
            r#"{{"identity":{{"id":"8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-{number:012x}"}}}}"#
        ));
        *response.status_mut() = StatusCode::CREATED;
        response
    }
}

fn response(body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
