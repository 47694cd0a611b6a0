//! The callers that get tokens from the server.

use super::Outcome;
use azure_communication_identity::{
    AzureKeyCredential, CommunicationAccessToken, CommunicationIdentityClient, CommunicationIdentityClientOptions,
    CommunicationTokenScope, CommunicationUserIdentifier, models::CommunicationIdentityClientGetTokenOptions,
};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        ClientOptions, Context, Method, Pipeline, Request, Transport,
        headers::{ACCEPT, AUTHORIZATION, CLIENT_REQUEST_ID, CONTENT_TYPE, MS_DATE},
    },
    time::Duration,
};
use reqwest::header::{HeaderMap, HeaderName};
use std::{fmt, sync::Arc};

pub(crate) const USER: &str = "8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-0ffb879b1130";
pub(crate) const KEY: &str = "c2VjcmV0IGFjY2VzcyBrZXkgb2YgdGhlIHJlc291cmNlIGluIGJhc2U2NA==";
const SCOPES: [CommunicationTokenScope; 2] = [CommunicationTokenScope::Chat, CommunicationTokenScope::Voip];
/// The body of the client's request for them.
const BODY: &str = r#"{"scopes":["chat","voip"],"expiresInMinutes":60}"#;

/// A caller that gets tokens from the server.
#[derive(Clone)]
pub(crate) enum Caller {
    /// This library's client.
    Client {
        client: CommunicationIdentityClient,
        user: CommunicationUserIdentifier,
    },
    /// azure_core's pipeline without any policy of ours, and the client's request, which is built and signed once.
    Pipeline { pipeline: Pipeline, request: Request },
    /// reqwest alone, and the same request.
    Reqwest {
        client: reqwest::Client,
        url: reqwest::Url,
        headers: HeaderMap,
    },
}

impl Caller {
    pub(crate) fn client(endpoint: &str) -> Outcome<Self> {
        Self::client_over(endpoint, transport()?)
    }

    pub(crate) fn client_over(endpoint: &str, transport: Transport) -> Outcome<Self> {
        let options = CommunicationIdentityClientOptions {
            client_options: client_options(transport),
            ..Default::default()
        };
        let key = AzureKeyCredential::new(KEY)?;
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
                client_options(transport()?),
                Vec::new(),
                Vec::new(),
                None,
            ),
            request: request(endpoint)?,
        })
    }

    pub(crate) fn reqwest(endpoint: &str) -> Outcome<Self> {
        let request = request(endpoint)?;
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers().iter() {
            headers.insert(HeaderName::try_from(name.as_str())?, value.as_str().parse()?);
        }
        Ok(Self::Reqwest {
            client: http_client()?,
            url: request.url().clone(),
            headers,
        })
    }

    /// Gets a token. Only the client reads the response.
    pub(crate) async fn get_token(&mut self) -> Result<Option<CommunicationAccessToken>> {
        match self {
            Self::Client { client, user } => {
                let options = CommunicationIdentityClientGetTokenOptions {
                    token_expires_in: Some(Duration::HOUR),
                    ..Default::default()
                };
                let response = client.get_token(user, &SCOPES, Some(options)).await?;
                response.into_model().map(Some)
            }
            Self::Pipeline { pipeline, request } => {
                // Each call gets its own request ID.
                request.headers_mut().remove(CLIENT_REQUEST_ID);
                pipeline.send(&Context::new(), request, None).await?;
                Ok(None)
            }
            Self::Reqwest { client, url, headers } => {
                let request = client.post(url.clone()).headers(headers.clone()).body(BODY);
                let response = request.send().await.and_then(reqwest::Response::error_for_status);
                response.map_err(other)?.bytes().await.map_err(other)?;
                Ok(None)
            }
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Client { .. } => "client",
            Self::Pipeline { .. } => "pipeline",
            Self::Reqwest { .. } => "reqwest",
        })
    }
}

/// azure_core's defaults, over a transport.
fn client_options(transport: Transport) -> ClientOptions {
    ClientOptions {
        transport: Some(transport),
        ..Default::default()
    }
}

/// azure_core's default transport, without proxies.
pub(crate) fn transport() -> Outcome<Transport> {
    Ok(Transport::new(Arc::new(http_client()?)))
}

fn http_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(std::time::Duration::from_secs(20))
        .read_timeout(std::time::Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

fn other(error: reqwest::Error) -> Error {
    Error::new(ErrorKind::Other, error)
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
    request.set_body(BODY);
    Ok(request)
}
