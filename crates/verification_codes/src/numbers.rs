//! The number service of somebody else, around whose number a code is made.

use crate::{cloud_error::CloudError, http, vault::VaultSecret};
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

/// The header in which Azure Functions expects a key.
const KEY_HEADER: &str = "x-functions-key";

const LONGEST_REQUEST: Duration = Duration::from_secs(5);

/// The most of an answer that is read, in bytes.
const LONGEST_ANSWER: usize = 4096;

/// A client of the number service, whose key Key Vault keeps.
#[derive(Clone)]
pub(crate) struct NumberService {
    client: Client,
    url: Url,
    key: VaultSecret,
}

#[derive(Deserialize)]
struct Answer {
    value: u32,
}

impl NumberService {
    /// The service at a URL. If it is on this machine, it is reached directly, whatever proxy there is.
    pub(crate) fn new(url: Url, key: VaultSecret) -> Result<Self, String> {
        // It follows no redirect: the key is for this service alone.
        let client = http::build(http::builder(&url).timeout(LONGEST_REQUEST))?;
        Ok(Self { client, url, key })
    }

    /// A number. If the service does not accept the key, it is read from Key Vault again, and the service asked once more.
    pub(crate) async fn number(&self) -> Result<u32, NumberError> {
        let key = self.key.get().await?;
        match self.ask(key.value.secret()).await {
            Err(NumberError::KeyRefused) => {
                tracing::info!("the number service does not accept the key; it is read from Key Vault again");
                let key = self.key.later_than(&key).await?;
                self.ask(key.value.secret()).await
            }
            result => result,
        }
    }

    async fn ask(&self, key: &str) -> Result<u32, NumberError> {
        let mut key = HeaderValue::try_from(key)?;
        key.set_sensitive(true);
        let response = self.client.get(self.url.clone()).header(KEY_HEADER, key).send().await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(NumberError::KeyRefused),
            status => return Err(NumberError::Refused(status)),
        }
        let body = read(response).await?;
        let Answer { value } = serde_json::from_slice(&body).map_err(|_| NumberError::NoNumber)?;
        Ok(value)
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, NumberError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(NumberError::NoNumber);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why there is no number.
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
    /// Whether it may be over in a moment.
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
    use crate::local::{numbers::NumberDouble, vault::VaultDouble};
    use axum::Router;
    use reqwest::header::LOCATION;
    use tokio::{net::TcpListener, task::JoinSet};

    struct Setup {
        vault: VaultDouble,
        double: NumberDouble,
        service: NumberService,
    }

    impl Setup {
        async fn new() -> Self {
            let vault = VaultDouble::start("third-party-api-key", "d0c5atM1cr0s0ft").unwrap();
            let double = NumberDouble::start("d0c5atM1cr0s0ft").await.unwrap();
            let key = vault.secret().unwrap();
            let service = NumberService::new(double.url().clone(), key).unwrap();
            Self { vault, double, service }
        }
    }

    /// Starts a service that always answers this.
    async fn answering(status: u16, body: &str) -> Url {
        let location = [(LOCATION, "/elsewhere")];
        let answer = (StatusCode::from_u16(status).unwrap(), location, body.to_owned());
        let router = Router::new().fallback(async move || answer);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url.parse().unwrap()
    }

    #[tokio::test]
    async fn the_key_is_read_once() {
        let setup = Setup::new().await;
        for _ in 0..3 {
            assert!((1..=1000).contains(&setup.service.number().await.unwrap()));
        }
        assert_eq!(setup.vault.readings(), 1);
    }

    #[tokio::test]
    async fn a_key_that_was_replaced_is_read_again() {
        let setup = Setup::new().await;
        setup.service.number().await.unwrap();
        setup.double.accept("another");
        setup.vault.keep("another");
        setup.service.number().await.unwrap();
        setup.service.number().await.unwrap();
        assert_eq!(setup.vault.readings(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_who_find_the_key_replaced_share_a_reading() {
        let setup = Setup::new().await;
        setup.service.number().await.unwrap();
        setup.double.accept("another");
        setup.vault.keep("another");
        let mut asking = JoinSet::new();
        for _ in 0..20 {
            let service = setup.service.clone();
            asking.spawn(async move { service.number().await.unwrap() });
        }
        asking.join_all().await;
        assert_eq!(setup.vault.readings(), 2);
    }

    #[tokio::test]
    async fn a_key_that_is_not_accepted_is_read_again_once() {
        let setup = Setup::new().await;
        setup.double.accept("another");
        let error = setup.service.number().await.unwrap_err();
        assert!(matches!(error, NumberError::KeyRefused), "{error}");
        assert!(!error.is_temporary());
        assert!(error.to_string().contains("does not accept the key"));
        assert_eq!(setup.vault.readings(), 2);
    }

    #[tokio::test]
    async fn a_key_that_cannot_stand_in_a_header_is_told_and_not_shown() {
        let setup = Setup::new().await;
        setup.vault.keep("d0c5at\nM1cr0s0ft");
        let error = setup.service.number().await.unwrap_err();
        assert!(matches!(error, NumberError::KeyUnusable), "{error}");
        assert!(!format!("{error} {error:?}").contains("d0c5at"));
    }

    #[tokio::test]
    async fn what_else_goes_wrong_is_told_apart() {
        let setup = Setup::new().await;
        let long = " ".repeat(4096);
        for (status, body, told, is_temporary) in [
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
            let url = answering(status, body).await;
            let service = NumberService::new(url, setup.vault.secret().unwrap()).unwrap();
            let error = service.number().await.unwrap_err();
            assert_eq!(error.to_string(), told, "{body}");
            assert_eq!(error.is_temporary(), is_temporary, "{status}");
        }
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_unavailable() {
        let Setup { vault, double, service } = Setup::new().await;
        drop(double);
        let error = service.number().await.unwrap_err();
        assert_eq!(error.to_string(), "it cannot be reached");
        assert!(error.is_temporary());
        vault.lose();
        let service = NumberService::new("http://127.0.0.1:1/".parse().unwrap(), vault.secret().unwrap()).unwrap();
        let error = service.number().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "its key cannot be read from Key Vault: it answered 404 SecretNotFound"
        );
        assert!(error.is_temporary());
    }
}
