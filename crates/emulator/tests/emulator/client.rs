//! A minimal client of the service.

use crate::signer::{self, ToSign};
use acs_identity_emulator::{Emulator, EmulatorBuilder, TokenAlgorithm, TokenKey};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, Method};
use reqwest::{Certificate, RequestBuilder};
use serde_json::{Value, json};
use std::sync::LazyLock;

static TOKEN_KEY: LazyLock<TokenKey> = LazyLock::new(|| TokenKey::generate(TokenAlgorithm::Rs256));

/// All api-versions of the service, oldest first.
pub(crate) const VERSIONS: [&str; 7] = [
    "2021-03-07",
    "2022-06-01",
    "2022-10-01",
    "2023-10-01",
    "2025-03-02-preview",
    "2025-06-30",
    "2026-09-23",
];

/// The newest of them, as a query.
pub(crate) const VERSION: &str = "?api-version=2026-09-23";
pub(crate) const PREVIEW: &str = "?api-version=2025-03-02-preview";

/// Stable versions as `api-supported-versions` lists them.
pub(crate) fn listed_stable(is_supported: impl Fn(&str) -> bool) -> String {
    listed(|version| !version.ends_with("-preview") && is_supported(version))
}

/// Versions as `api-supported-versions` lists them.
pub(crate) fn listed(is_supported: impl Fn(&str) -> bool) -> String {
    let supported = VERSIONS.into_iter().filter(|version| is_supported(version));
    supported.collect::<Vec<_>>().join(", ")
}

/// Options of an emulator with the token key that all tests share.
pub(crate) fn builder() -> EmulatorBuilder {
    Emulator::builder().token_key(TOKEN_KEY.clone())
}

pub(crate) async fn start() -> Emulator {
    builder().start().await.unwrap()
}

/// An http client that ignores the proxies of the environment.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// An http client that also trusts only these CA certificates.
pub(crate) fn http_trusting(ca_pem: &str) -> reqwest::Client {
    let ca = Certificate::from_pem_bundle(ca_pem.as_bytes()).unwrap();
    let builder = reqwest::Client::builder().no_proxy().tls_certs_only(ca);
    builder.build().unwrap()
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Response {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        Self { status, headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    pub(crate) fn text(&self, pointer: &str) -> String {
        let value = self.body.pointer(pointer).and_then(Value::as_str);
        value
            .unwrap_or_else(|| panic!("no {pointer} in {}", self.body))
            .to_owned()
    }

    /// Asserts the status and the whole body of an error.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str, message: &str, target: Option<&str>) {
        let mut error = json!({"code": code, "message": message});
        if let Some(target) = target {
            error["target"] = target.into();
        }
        assert_eq!((self.status, &self.body), (status, &json!({"error": error})));
    }

    /// Asserts that the control surface refuses a body, and names this remedy.
    #[track_caller]
    pub(crate) fn assert_invalid_request(&self, remedy: &str) {
        let (code, message) = (self.text("/error/code"), self.text("/error/message"));
        assert_eq!((self.status, code.as_str()), (400, "InvalidRequest"), "{message}");
        assert!(message.contains(remedy), "{remedy}: {message}");
    }
}

/// Sends requests to one endpoint, signed with one access key.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) origin: String,
    pub(crate) access_key: String,
}

impl Client {
    pub(crate) fn new(http: reqwest::Client, endpoint: &str, access_key: &str) -> Self {
        Self {
            http,
            origin: endpoint.trim_end_matches('/').to_owned(),
            access_key: access_key.to_owned(),
        }
    }

    pub(crate) fn over_http(emulator: &Emulator) -> Self {
        Self::new(http(), emulator.endpoint(), &emulator.access_key())
    }

    /// Trusts only the emulator's CA.
    pub(crate) fn over_https(emulator: &Emulator) -> Self {
        let http = http_trusting(emulator.ca_pem());
        Self::new(http, emulator.https_endpoint(), &emulator.access_key())
    }

    pub(crate) fn host(&self) -> &str {
        self.origin.split_once("://").unwrap().1
    }

    pub(crate) fn unsigned(&self, method: &str, target: &str, body: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{target}", self.origin));
        request.header("content-type", "application/json").body(body.to_owned())
    }

    /// A request to this endpoint, signed as `to_sign`, which may name another host.
    pub(crate) fn signed_as(&self, to_sign: &ToSign<'_>) -> RequestBuilder {
        self.unsigned(to_sign.method, to_sign.target, str::from_utf8(to_sign.body).unwrap())
            .header("x-ms-date", to_sign.date)
            .header("x-ms-content-sha256", to_sign.content_hash())
            .header("authorization", to_sign.authorization(&self.access_key))
    }

    /// A request signed at `date`.
    pub(crate) fn signed_at(&self, date: &str, method: &str, target: &str, body: &str) -> RequestBuilder {
        self.signed_as(&ToSign {
            method,
            target,
            host: self.host(),
            date,
            body: body.as_bytes(),
        })
    }

    pub(crate) fn signed(&self, method: &str, target: &str, body: &str) -> RequestBuilder {
        self.signed_at(&signer::now(), method, target, body)
    }

    pub(crate) async fn send(&self, method: &str, target: &str, body: &str) -> Response {
        Response::of(self.signed(method, target, body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.send("POST", &format!("{path}{VERSION}"), &body.to_string()).await
    }

    /// Exchanges a user's own Entra ID token.
    pub(crate) async fn exchange_own(&self, target: &str, token: &str) -> Response {
        Response::of(self.unsigned("POST", target, "{}").bearer_auth(token)).await
    }

    pub(crate) async fn create(&self) -> String {
        self.send("POST", &format!("/identities{VERSION}"), "")
            .await
            .text("/identity/id")
    }

    pub(crate) async fn issue(&self, id: &str, body: Value) -> Response {
        self.post(&format!("/identities/{id}/:issueAccessToken"), body).await
    }

    pub(crate) async fn issue_chat(&self, id: &str) -> String {
        self.issue(id, json!({"scopes": ["chat"]})).await.text("/token")
    }

    pub(crate) async fn revoke(&self, id: &str) -> Response {
        self.send("POST", &format!("/identities/{id}/:revokeAccessTokens{VERSION}"), "")
            .await
    }

    pub(crate) async fn delete(&self, id: &str) -> Response {
        self.send("DELETE", &format!("/identities/{id}{VERSION}"), "").await
    }
}

/// Part 0 or 1 of a token: its header or its claims.
pub(crate) fn decode(token: &str, part: usize) -> Value {
    serde_json::from_slice(&decode_bytes(token, part)).unwrap()
}

pub(crate) fn decode_bytes(token: &str, part: usize) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD
        .decode(token.split('.').nth(part).unwrap())
        .unwrap()
}

/// The claims of a user's token, in the order of the service's own.
pub(crate) const USER_CLAIMS: [&str; 9] = [
    "skypeid",
    "scp",
    "csi",
    "exp",
    "rgn",
    "acsScope",
    "resourceId",
    "resourceLocation",
    "iat",
];

/// The names of a JSON object's members in the order of the text.
pub(crate) fn names_in_order(token: &str, part: usize) -> Vec<String> {
    let text = String::from_utf8(decode_bytes(token, part)).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    names.sort_by_key(|name| text.find(&format!("\"{name}\":")));
    names
}
