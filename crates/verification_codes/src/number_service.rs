//! Client of the third-party service that provides the number in a code.

use crate::{
    azure::{CloudError, http_client_for},
    key_vault::VaultSecret,
};
use reqwest::{
    Client, StatusCode,
    header::{HeaderValue, InvalidHeaderValue},
};
use serde::Deserialize;
use std::{
    fmt::{self, Display, Formatter},
    time::Duration,
};
use url::Url;

/// The header for a key of Azure Functions.
const KEY_HEADER: &str = "x-functions-key";

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

const MAX_BODY_BYTES: usize = 4096;

/// A client of the number service, whose key is in Key Vault.
#[derive(Clone)]
pub(crate) struct NumberService {
    client: Client,
    url: Url,
    key: VaultSecret,
}

#[derive(Deserialize)]
struct NumberBody {
    value: u32,
}

impl NumberService {
    /// Creates a client of the service at `url`, with the secret that holds its key.
    pub(crate) fn new(url: Url, key: VaultSecret) -> azure_core::Result<Self> {
        // Redirects are not followed, as the key is for this service only.
        let client = http_client_for(&url, |builder| builder.timeout(REQUEST_TIMEOUT))?;
        Ok(Self { client, url, key })
    }

    /// Requests a number. If the service refuses the key and Key Vault has another one, retries once with that.
    pub(crate) async fn number(&self) -> Result<u32, NumberError> {
        let key = self.key.get().await?;
        match self.request(key.value.secret()).await {
            Err(NumberError::KeyRefused) => match self.key.newer_than(&key).await? {
                Some(key) => {
                    tracing::info!("the number service refused the key; Key Vault has another one");
                    self.request(key.value.secret()).await
                }
                None => Err(NumberError::KeyRefused),
            },
            result => result,
        }
    }

    async fn request(&self, key: &str) -> Result<u32, NumberError> {
        let mut key = HeaderValue::try_from(key)?;
        key.set_sensitive(true);
        let response = self.client.get(self.url.clone()).header(KEY_HEADER, key).send().await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(NumberError::KeyRefused),
            status => return Err(NumberError::Refused(status)),
        }
        let body = read_body(response).await?;
        let NumberBody { value } = serde_json::from_slice(&body).map_err(|_| NumberError::NoNumber)?;
        Ok(value)
    }
}

async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, NumberError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(NumberError::NoNumber);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A failure to get a number.
#[derive(Debug)]
pub(crate) enum NumberError {
    Vault(CloudError),
    KeyRefused,
    KeyUnusable,
    Refused(StatusCode),
    Unreachable(reqwest::Error),
    NoNumber,
}

impl NumberError {
    /// Returns whether a later request can succeed without a change of the configuration.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Vault(_) | Self::Unreachable(_) => true,
            Self::Refused(status) => [
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ]
            .contains(status),
            Self::KeyRefused | Self::KeyUnusable | Self::NoNumber => false,
        }
    }
}

impl Display for NumberError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(error) => write!(f, "its key cannot be read from Key Vault: {error}"),
            Self::KeyRefused => f.write_str(
                "it does not accept the key that Key Vault has; put the function's key into the secret \
                 that THIRD_PARTY_API_SECRET_NAME names",
            ),
            Self::KeyUnusable => f.write_str("the key that Key Vault has cannot stand in a header"),
            Self::Refused(status) => write!(f, "it answered {status}"),
            Self::Unreachable(error) if error.is_timeout() => f.write_str("it did not answer in time"),
            Self::Unreachable(error) if error.is_connect() => f.write_str("it cannot be reached"),
            Self::Unreachable(_) => f.write_str("the connection to it was lost"),
            Self::NoNumber => f.write_str("it answered something else than a number"),
        }
    }
}

impl From<CloudError> for NumberError {
    fn from(error: CloudError) -> Self {
        Self::Vault(error)
    }
}

impl From<reqwest::Error> for NumberError {
    fn from(error: reqwest::Error) -> Self {
        Self::Unreachable(error.without_url())
    }
}

impl From<InvalidHeaderValue> for NumberError {
    fn from(_: InvalidHeaderValue) -> Self {
        Self::KeyUnusable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{FakeKeyVault, FakeNumberService};
    use axum::Router;
    use reqwest::header::LOCATION;
    use tokio::{net::TcpListener, task::JoinSet};

    struct Setup {
        vault: FakeKeyVault,
        numbers: FakeNumberService,
        service: NumberService,
    }

    impl Setup {
        async fn new() -> Self {
            let vault = FakeKeyVault::start("third-party-api-key", "d0c5atM1cr0s0ft").unwrap();
            let numbers = FakeNumberService::start("d0c5atM1cr0s0ft").await.unwrap();
            let key = key_in(&vault);
            let service = NumberService::new(numbers.url().clone(), key).unwrap();
            Self {
                vault,
                numbers,
                service,
            }
        }
    }

    fn key_in(vault: &FakeKeyVault) -> VaultSecret {
        VaultSecret::new(vault.client().unwrap(), "third-party-api-key".to_owned())
    }

    /// Starts a service with a fixed response.
    async fn respond_with(status: u16, body: &str) -> Url {
        let location = [(LOCATION, "/elsewhere")];
        let response = (StatusCode::from_u16(status).unwrap(), location, body.to_owned());
        let router = Router::new().fallback(async move || response);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url.parse().unwrap()
    }

    #[tokio::test]
    async fn key_is_fetched_once() {
        let setup = Setup::new().await;
        for _ in 0..3 {
            assert!((1..=1000).contains(&setup.service.number().await.unwrap()));
        }
        assert_eq!(setup.vault.reads(), 1);
    }

    #[tokio::test]
    async fn replaced_key_is_fetched_again() {
        let setup = Setup::new().await;
        setup.service.number().await.unwrap();
        setup.numbers.set_key("another");
        setup.vault.set_secret("another");
        setup.service.number().await.unwrap();
        setup.service.number().await.unwrap();
        assert_eq!(setup.vault.reads(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn concurrent_requests_share_a_fetch_of_the_key() {
        let setup = Setup::new().await;
        setup.service.number().await.unwrap();
        setup.numbers.set_key("another");
        setup.vault.set_secret("another");
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let service = setup.service.clone();
            tasks.spawn(async move { service.number().await.unwrap() });
        }
        tasks.join_all().await;
        assert_eq!(setup.vault.reads(), 2);
    }

    #[tokio::test]
    async fn refused_key_is_fetched_again_once() {
        let setup = Setup::new().await;
        setup.numbers.set_key("another");
        let error = setup.service.number().await.unwrap_err();
        assert!(matches!(error, NumberError::KeyRefused), "{error}");
        assert!(!error.is_temporary());
        assert!(error.to_string().contains("does not accept the key"));
        assert_eq!(setup.vault.reads(), 2);
    }

    #[tokio::test]
    async fn key_unfit_for_a_header_is_not_shown() {
        let setup = Setup::new().await;
        setup.vault.set_secret("d0c5at\nM1cr0s0ft");
        let error = setup.service.number().await.unwrap_err();
        assert!(matches!(error, NumberError::KeyUnusable), "{error}");
        assert!(!format!("{error} {error:?}").contains("d0c5at"));
    }

    #[tokio::test]
    async fn other_failures_are_distinguished() {
        let setup = Setup::new().await;
        let long = " ".repeat(4096);
        for (status, body, message, is_temporary) in [
            (500, "", "it answered 500 Internal Server Error", false),
            (503, "", "it answered 503 Service Unavailable", true),
            (429, "", "it answered 429 Too Many Requests", true),
            (302, "", "it answered 302 Found", false),
            (200, "", "it answered something else than a number", false),
            (200, "{}", "it answered something else than a number", false),
            (
                200,
                r#"{"value":"161"}"#,
                "it answered something else than a number",
                false,
            ),
            (
                200,
                r#"{"value":-1}"#,
                "it answered something else than a number",
                false,
            ),
            (
                200,
                &format!(r#"{{"value":1{long}}}"#),
                "it answered something else than a number",
                false,
            ),
        ] {
            let url = respond_with(status, body).await;
            let service = NumberService::new(url, key_in(&setup.vault)).unwrap();
            let error = service.number().await.unwrap_err();
            assert_eq!(error.to_string(), message, "{body}");
            assert_eq!(error.is_temporary(), is_temporary, "{status}");
        }
    }

    #[tokio::test]
    async fn unreachable_service_is_temporary() {
        let Setup {
            vault,
            numbers,
            service,
        } = Setup::new().await;
        drop(numbers);
        let error = service.number().await.unwrap_err();
        assert_eq!(error.to_string(), "it cannot be reached");
        assert!(error.is_temporary());
        vault.remove_secret();
        let service = NumberService::new("http://127.0.0.1:1/".parse().unwrap(), key_in(&vault)).unwrap();
        let error = service.number().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "its key cannot be read from Key Vault: it answered 404 SecretNotFound"
        );
        assert!(error.is_temporary());
    }
}
