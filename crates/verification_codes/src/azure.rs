//! Access to Azure's services: HTTP clients, credentials, and errors that are fit for a log.

pub(crate) use client_core::host::is_loopback;

use azure_core::{
    Result,
    credentials::TokenCredential,
    error::ErrorKind,
    http::{ClientOptions, Transport},
};
use azure_identity::{
    ClientAssertionCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use client_core::{call::transport::http_client, error::chain};
use reqwest::{Client, ClientBuilder};
use serde::Deserialize;
use std::{
    env,
    error::Error,
    fmt::{self, Display, Formatter},
    sync::Arc,
};
use url::Url;

/// A source of tokens for Azure's services.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CredentialKind {
    DeveloperTools,
    ManagedIdentity,
    WorkloadIdentity,
}

impl CredentialKind {
    /// Creates the credential. `AZURE_CLIENT_ID` names a user-assigned managed identity.
    pub(crate) fn create(self, client_options: ClientOptions) -> Result<Arc<dyn TokenCredential>> {
        Ok(match self {
            Self::DeveloperTools => DeveloperToolsCredential::new(None)?,
            Self::ManagedIdentity => ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: env::var("AZURE_CLIENT_ID").ok().map(UserAssignedId::ClientId),
                client_options,
            }))?,
            Self::WorkloadIdentity => WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                ..Default::default()
            }))?,
        })
    }
}

/// Returns the options of an Azure client for `url`.
pub(crate) fn client_options(url: &Url) -> Result<ClientOptions> {
    let http = http_client_for(url, |builder| builder)?;
    Ok(ClientOptions {
        transport: Some(Transport::new(Arc::new(http))),
        ..ClientOptions::default()
    })
}

/// Builds an HTTP client for `url`. Loopback is reached directly, without the proxies of the environment.
pub(crate) fn http_client_for(url: &Url, configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Client> {
    http_client(|builder| configure(if is_loopback(url) { builder.no_proxy() } else { builder }))
}

/// A failure of an Azure service, for the log: its status and code, or the kind of the failure.
///
/// The messages of the clients' own errors can contain the URL of a queue, and with it a signature.
#[derive(Debug)]
pub(crate) struct CloudError {
    message: String,
    code: Option<String>,
}

impl CloudError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: None,
        }
    }

    /// Returns the service's error code, such as `QueueNotFound`.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

impl From<azure_core::Error> for CloudError {
    fn from(error: azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::HttpResponse { status, error_code, .. } => Self {
                message: format!("it answered {status} {}", error_code.as_deref().unwrap_or_default()),
                code: error_code.clone(),
            },
            ErrorKind::Connection => Self::new("it cannot be reached"),
            ErrorKind::Io => Self::new("the connection to it was lost"),
            ErrorKind::DataConversion => Self::new("its answer cannot be read"),
            // The sources of the error say what the credential tried.
            ErrorKind::Credential => {
                let reason = error.source().map_or_else(|| error.to_string(), reasons);
                Self::new(format!("there is no token for it: {reason}"))
            }
            ErrorKind::Other => Self::new("the request could not be made"),
        }
    }
}

/// Joins the messages of an error and its sources.
fn reasons(error: &(dyn Error + 'static)) -> String {
    let messages: Vec<_> = chain(error).map(ToString::to_string).collect();
    messages.join(": ")
}

impl Display for CloudError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CloudError {}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::{Error, http::StatusCode};

    #[test]
    fn message_of_the_client_is_left_out() {
        let secret = "http://127.0.0.1/codes?sig=c2VjcmV0";
        for (kind, message) in [
            (ErrorKind::Connection, "it cannot be reached"),
            (ErrorKind::Io, "the connection to it was lost"),
            (ErrorKind::DataConversion, "its answer cannot be read"),
            (ErrorKind::Other, "the request could not be made"),
        ] {
            let error = CloudError::from(Error::with_message(kind, secret));
            assert_eq!(error.to_string(), message);
        }
        let response = ErrorKind::HttpResponse {
            status: StatusCode::NotFound,
            error_code: Some("QueueNotFound".to_owned()),
            raw_response: None,
        };
        let error = CloudError::from(Error::with_message(response, secret));
        assert_eq!(error.to_string(), "it answered 404 QueueNotFound");
        assert_eq!(error.code(), Some("QueueNotFound"));
    }

    #[test]
    fn missing_token_is_explained() {
        let reason = Error::with_message(ErrorKind::Other, "run `az login`");
        let error = CloudError::from(Error::new(ErrorKind::Credential, reason));
        assert_eq!(error.to_string(), "there is no token for it: run `az login`");
    }
}
