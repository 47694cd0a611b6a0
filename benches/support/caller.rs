//! The ways to ask the server for a token.

use super::Outcome;
use azure_communication_identity::{
    AzureKeyCredential, CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope,
    CommunicationUserIdentifier, models::CommunicationIdentityClientGetTokenOptions,
};
use azure_core::{
    Result,
    http::{
        ClientOptions, Context, Method, Pipeline, Request, Transport,
        headers::{ACCEPT, AUTHORIZATION, CLIENT_REQUEST_ID, CONTENT_TYPE, MS_DATE},
    },
    time::Duration,
};
use std::{fmt, sync::Arc};

const USER: &str = "8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-0ffb879b1130";
const SCOPES: [CommunicationTokenScope; 2] = [CommunicationTokenScope::Chat, CommunicationTokenScope::Voip];

/// A way to ask the server for a token.
#[derive(Clone)]
pub(crate) enum Caller {
    /// This library's client.
    Client {
        client: CommunicationIdentityClient,
        user: CommunicationUserIdentifier,
    },
    /// azure_core's pipeline without any policy of ours, and the client's request, which is built and signed once.
    Pipeline { pipeline: Pipeline, request: Request },
}

impl Caller {
    pub(crate) fn client(endpoint: &str) -> Outcome<Self> {
        let options = CommunicationIdentityClientOptions {
            client_options: client_options()?,
            ..Default::default()
        };
        let key = AzureKeyCredential::new("c2VjcmV0IGFjY2VzcyBrZXkgb2YgdGhlIHJlc291cmNlIGluIGJhc2U2NA==")?;
        Ok(Self::Client {
            client: CommunicationIdentityClient::with_key_credential(endpoint, key, Some(options))?,
            user: USER.parse()?,
        })
    }

    pub(crate) fn pipeline(endpoint: &str) -> Outcome<Self> {
        Ok(Self::Pipeline {
            pipeline: Pipeline::new(
                Some("azure_communication_identity"),
                option_env!("CARGO_PKG_VERSION"),
                client_options()?,
                Vec::new(),
                Vec::new(),
                None,
            ),
            request: request(endpoint)?,
        })
    }

    /// Gets a token. The client reads the answer, too.
    pub(crate) async fn get_token(&mut self) -> Result<()> {
        match self {
            Self::Client { client, user } => {
                let options = CommunicationIdentityClientGetTokenOptions {
                    token_expires_in: Some(Duration::HOUR),
                    ..Default::default()
                };
                client.get_token(user, &SCOPES, Some(options)).await?.into_model()?;
            }
            Self::Pipeline { pipeline, request } => {
                // So that every call gets an id of its own.
                request.headers_mut().remove(CLIENT_REQUEST_ID);
                pipeline.send(&Context::new(), request, None).await?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Client { .. } => "client",
            Self::Pipeline { .. } => "pipeline",
        })
    }
}

/// azure_core's defaults, but never a proxy on the way to loopback.
fn client_options() -> Outcome<ClientOptions> {
    let http_client = reqwest::Client::builder()
        .no_proxy()
        // As azure_core's own HTTP client has them.
        .connect_timeout(std::time::Duration::from_secs(20))
        .read_timeout(std::time::Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    Ok(ClientOptions {
        transport: Some(Transport::new(Arc::new(http_client))),
        ..Default::default()
    })
}

/// The client's request, as it goes on the wire but for the headers that the pipeline adds.
fn request(endpoint: &str) -> Outcome<Request> {
    let url = format!("{endpoint}/identities/{USER}/:issueAccessToken?api-version=2025-06-30");
    let mut request = Request::new(url.parse()?, Method::Post);
    request.insert_header(ACCEPT, "application/json");
    request.insert_header(CONTENT_TYPE, "application/json");
    request.insert_header(MS_DATE, "Sat, 01 Aug 2026 00:00:00 GMT");
    request.insert_header("x-ms-content-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    request.insert_header(
        AUTHORIZATION,
        "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&\
         Signature=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    );
    request.set_body(r#"{"scopes":["chat","voip"],"expiresInMinutes":60}"#);
    Ok(request)
}
