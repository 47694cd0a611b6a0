//! Clients for the tests.

use crate::fake_service::{AttemptResponse, FakeService, respond};
use azure_core::{
    http::{ClientOptions, FixedRetryOptions, RetryOptions, Transport},
    time::Duration,
};
use entra_sidecar::{InboundToken, SidecarClient, SidecarClientOptions};
use fake_entra_sidecar::{DownstreamApi, FakeSidecar, FakeSidecarBuilder};
use std::{net::Ipv4Addr, sync::Arc};
use tokio::net::TcpSocket;

/// The object ID of the user who calls.
pub(crate) const USER: &str = "7d0f1b0e-2a55-4ed8-9f83-5a1fb1cf7a01";

/// Options without proxies, which retry twice and at once.
pub(crate) fn options() -> SidecarClientOptions {
    let http_client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    with_transport(Transport::new(Arc::new(http_client)))
}

/// Options that retry twice and at once.
pub(crate) fn with_transport(transport: Transport) -> SidecarClientOptions {
    SidecarClientOptions {
        client_options: ClientOptions {
            transport: Some(transport),
            retry: RetryOptions::fixed(FixedRetryOptions {
                delay: Duration::milliseconds(1),
                max_retries: 2,
                max_total_elapsed: Duration::hours(1),
            }),
            ..Default::default()
        },
        ..Default::default()
    }
}

/// A transport that gives these responses, and options with it.
pub(crate) fn scripted_options(
    responses: impl IntoIterator<Item = AttemptResponse>,
) -> (Arc<FakeService>, SidecarClientOptions) {
    let transport = FakeService::new(responses);
    let options = with_transport(Transport::new(transport.clone()));
    (transport, options)
}

/// A transport that gives these responses, and a client of it.
pub(crate) fn scripted(responses: impl IntoIterator<Item = AttemptResponse>) -> (Arc<FakeService>, SidecarClient) {
    let (transport, options) = scripted_options(responses);
    (transport, client(options))
}

/// A client that never reaches its base URL, because the options have a transport.
pub(crate) fn client(options: SidecarClientOptions) -> SidecarClient {
    SidecarClient::new("http://localhost:5000", Some(options)).unwrap()
}

pub(crate) fn response(status: u16, body: &'static str) -> AttemptResponse {
    respond(status.into(), &[], body)
}

/// A caller's token that a fake sidecar would refuse.
pub(crate) fn any_caller() -> InboundToken {
    InboundToken::bearer("t").unwrap()
}

/// A port of 127.0.0.1 that refuses connections as long as this is kept.
pub(crate) struct ClosedPort(TcpSocket);

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self(socket)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}

/// A fake sidecar with a client of it and a caller.
pub(crate) struct Setup {
    pub(crate) sidecar: FakeSidecar,
    pub(crate) client: SidecarClient,
    pub(crate) caller: InboundToken,
}

impl Setup {
    /// Starts a sidecar with the API `Graph`, which echoes requests.
    pub(crate) async fn new() -> Self {
        Self::of(echoing()).await
    }

    pub(crate) async fn of(builder: FakeSidecarBuilder) -> Self {
        let sidecar = builder.start().await.unwrap();
        Self {
            client: SidecarClient::new(&sidecar.url(), Some(options())).unwrap(),
            caller: InboundToken::bearer(sidecar.caller_token(USER)).unwrap(),
            sidecar,
        }
    }
}

pub(crate) fn echoing() -> FakeSidecarBuilder {
    FakeSidecar::builder().api("Graph", DownstreamApi::new(["User.Read"]))
}
