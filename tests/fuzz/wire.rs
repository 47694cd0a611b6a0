//! An emulator, and one connection to it.

#![allow(dead_code, reason = "part of several targets, and each uses some of it")]

use crate::redaction::SECRET;
use acs_identity_emulator::{Emulator, TokenAlgorithm, TokenStatus};
use azure_core::{
    base64,
    time::{OffsetDateTime, to_rfc7231},
};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use std::{cell::RefCell, time::Duration};
use tokio::{net::TcpStream, runtime::Runtime, time::timeout};

/// Far longer than a response takes.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// The number of identities after which another emulator starts.
const MAX_IDENTITIES: usize = 1000;

thread_local! {
    static WIRE: RefCell<Option<Wire>> = const { RefCell::new(None) };
}

/// A response of the emulator.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

/// The sender of a request.
pub(crate) enum Sender<'a> {
    /// A sender without a key or a token.
    Anonymous,
    /// The owner of the resource, by the documented signature.
    Owner,
    /// A sender with this `Authorization`.
    Authorized(&'a HeaderValue),
}

/// Sends a request to an emulator that explains its refusals. Its access key is the secret.
pub(crate) fn send(method: &Method, target: &Uri, sender: &Sender<'_>) -> Response {
    with_wire(|wire| wire.send(method, target, sender))
}

pub(crate) fn token_status(token: &str) -> TokenStatus {
    with_wire(|wire| wire.emulator.token_status(token))
}

fn with_wire<T>(act: impl FnOnce(&mut Wire) -> T) -> T {
    WIRE.with_borrow_mut(|wire| {
        if wire
            .as_ref()
            .is_some_and(|wire| wire.emulator.identity_count() > MAX_IDENTITIES)
        {
            *wire = None;
        }
        act(wire.get_or_insert_with(Wire::start))
    })
}

struct Wire {
    connection: Option<SendRequest<Full<Bytes>>>,
    emulator: Emulator,
    runtime: Runtime,
}

impl Wire {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let builder = Emulator::builder()
            .access_key(SECRET)
            .token_algorithm(TokenAlgorithm::Es256)
            .strict(true)
            .explain(true);
        let emulator = runtime.block_on(builder.start()).unwrap();
        Self {
            connection: None,
            emulator,
            runtime,
        }
    }

    fn host(&self) -> &str {
        self.emulator
            .endpoint()
            .trim_start_matches("http://")
            .trim_end_matches('/')
    }

    fn send(&mut self, method: &Method, target: &Uri, sender: &Sender<'_>) -> Response {
        let request = self.request(method, target, sender);
        let host = self.host().to_owned();
        let connection = &mut self.connection;
        let exchange = async {
            if let Some(open) = connection
                && open.ready().await.is_err()
            {
                *connection = None;
            }
            let sender = match connection {
                Some(open) => open,
                none => none.insert(connect(&host).await),
            };
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            Response {
                status: head.status,
                body: body.collect().await.unwrap().to_bytes().to_vec(),
            }
        };
        self.runtime
            .block_on(async { timeout(RESPONSE_TIMEOUT, exchange).await })
            .unwrap()
    }

    fn request(&self, method: &Method, target: &Uri, sender: &Sender<'_>) -> Request<Full<Bytes>> {
        let (host, date) = (self.host(), to_rfc7231(&OffsetDateTime::now_utc()));
        let body: &[u8] = b"{}";
        let hash = base64::encode(Sha256::digest(body));
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, host)
            .header("content-type", "application/json")
            .header("x-ms-date", &date)
            .header("x-ms-content-sha256", &hash);
        let request = match sender {
            Sender::Anonymous => request,
            Sender::Authorized(value) => request.header(AUTHORIZATION, *value),
            Sender::Owner => {
                let key = base64::decode(SECRET).unwrap();
                let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
                mac.update(format!("{method}\n{target}\n{date};{host};{hash}").as_bytes());
                let signature = base64::encode(mac.finalize().into_bytes());
                let list = "x-ms-date;host;x-ms-content-sha256";
                let value = format!("HMAC-SHA256 SignedHeaders={list}&Signature={signature}");
                request.header(AUTHORIZATION, value)
            }
        };
        request.body(Full::new(Bytes::from_static(body))).unwrap()
    }
}

async fn connect(host: &str) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(host).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}
