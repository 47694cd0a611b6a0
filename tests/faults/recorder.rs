//! A transport that counts requests, and records their signatures.

use crate::{request::SECRETS, support::retries::AtOnce};
use azure_communication_identity::{
    AzureKeyCredential, CommunicationIdentityClient, CommunicationIdentityClientOptions,
};
use azure_core::{
    Result,
    http::{AsyncRawResponse, HttpClient, Method, Request, RetryOptions, Transport, headers::AUTHORIZATION},
};
use std::{
    fmt,
    sync::{Arc, Mutex},
};

/// The most attempts of a call, by the options of each back end.
pub(crate) const ATTEMPTS: usize = 3;

pub(crate) struct Recorder {
    http_client: Arc<dyn HttpClient>,
    signatures: Mutex<Vec<String>>,
    creations: Mutex<usize>,
}

impl Recorder {
    pub(crate) fn new(http_client: &Arc<dyn HttpClient>) -> Arc<Self> {
        Arc::new(Self {
            http_client: http_client.clone(),
            signatures: Mutex::default(),
            creations: Mutex::default(),
        })
    }

    /// Returns the number of requests.
    pub(crate) fn sent(&self) -> usize {
        self.signatures.lock().unwrap().len()
    }

    /// Returns the number of requests that create a user.
    pub(crate) fn creations_sent(&self) -> usize {
        *self.creations.lock().unwrap()
    }

    /// Returns the secrets that no error may contain: those of the raw servers, and the signatures.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let signatures = self.signatures.lock().unwrap();
        SECRETS
            .map(str::to_owned)
            .into_iter()
            .chain(signatures.iter().cloned())
            .collect()
    }

    /// Returns options that send through this transport, and retry at once.
    pub(crate) fn options(self: &Arc<Self>) -> CommunicationIdentityClientOptions {
        let mut options = CommunicationIdentityClientOptions::default();
        options.client_options.transport = Some(Transport::new(self.clone()));
        options.client_options.retry = RetryOptions::custom(Arc::new(AtOnce::new(ATTEMPTS)));
        options
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

#[async_trait::async_trait]
impl HttpClient for Recorder {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        let authorization = request.headers().get_str(&AUTHORIZATION)?;
        let (_, signature) = authorization.split_once("Signature=").unwrap();
        self.signatures.lock().unwrap().push(signature.to_owned());
        if request.method() == Method::Post && request.url().path() == "/identities" {
            *self.creations.lock().unwrap() += 1;
        }
        self.http_client.execute_request(request).await
    }
}

pub(crate) fn client(
    endpoint: &str,
    key: &str,
    options: CommunicationIdentityClientOptions,
) -> CommunicationIdentityClient {
    let key = AzureKeyCredential::new(key).unwrap();
    CommunicationIdentityClient::with_key_credential(endpoint, key, Some(options)).unwrap()
}
