//! Where a sample finds the service: in Azure if the environment names a resource, otherwise in the emulator, which is
//! started in this process.

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "part of every sample, and each uses some of it"
)]

use acs_identity_emulator::{Emulator, EntraTokenRequest};
use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationIdentityClientOptions, TeamsUserTokenRequest,
};
use azure_core::{
    Error, Result,
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{ClientOptions, RetryOptions, Transport},
    time::{Duration, OffsetDateTime},
};
use azure_identity::DeveloperToolsCredential;
use std::{env, sync::Arc};

pub const CONNECTION_STRING: &str = "COMMUNICATION_SAMPLES_CONNECTION_STRING";
pub const ENDPOINT: &str = "AZURE_COMMUNICATION_SERVICE_ENDPOINT";
pub const TEAMS_TOKEN: &str = "COMMUNICATION_SAMPLES_TEAMS_TOKEN";
pub const TEAMS_CLIENT_ID: &str = "COMMUNICATION_SAMPLES_TEAMS_CLIENT_ID";
pub const TEAMS_USER_OBJECT_ID: &str = "COMMUNICATION_SAMPLES_TEAMS_USER_OBJECT_ID";

/// The service that a sample talks to.
pub enum Service {
    /// A resource in Azure, with a connection string.
    Azure { connection_string: String },
    /// A resource in Azure, with the developer's own Entra credential.
    AzureWithEntra { endpoint: String },
    /// The emulator; it ends with the sample.
    Emulator(Arc<Emulator>),
}

impl Service {
    /// Looks into the environment, says what it found, and starts the emulator if that is nothing.
    pub async fn find() -> std::result::Result<Self, Box<dyn std::error::Error>> {
        if let Ok(connection_string) = env::var(CONNECTION_STRING) {
            println!("Using the Azure resource of {CONNECTION_STRING}.\n");
            return Ok(Self::Azure { connection_string });
        }
        if let Ok(endpoint) = env::var(ENDPOINT) {
            println!("Using the Azure resource of {ENDPOINT}, signed in with the developer tools' account.\n");
            return Ok(Self::AzureWithEntra { endpoint });
        }
        let emulator = Emulator::builder().start().await?;
        println!("Using an emulator in this process. Set {CONNECTION_STRING} or {ENDPOINT} to use Azure.\n");
        Ok(Self::Emulator(Arc::new(emulator)))
    }

    /// A client of this service.
    pub fn client(&self) -> Result<CommunicationIdentityClient> {
        match self {
            Self::Azure { connection_string } => {
                CommunicationIdentityClient::with_connection_string(connection_string, None)
            }
            Self::AzureWithEntra { endpoint } => {
                CommunicationIdentityClient::new(endpoint, DeveloperToolsCredential::new(None)?, None)
            }
            Self::Emulator(emulator) => CommunicationIdentityClient::with_connection_string(
                &emulator.connection_string(),
                Some(emulator_options(emulator)?),
            ),
        }
    }
}

impl Service {
    /// The Entra token of a Teams user, if there is one: the emulator mints it; for Azure it is in the environment, since
    /// only the user can obtain it.
    pub async fn teams_user(&self) -> Option<TeamsUserTokenRequest> {
        if let Self::Emulator(emulator) = self {
            let minted = emulator.mint_entra_token(&EntraTokenRequest::teams_user()).await.ok()?;
            return Some(TeamsUserTokenRequest {
                token: minted.token.into(),
                client_id: minted.app_id.to_string(),
                user_object_id: minted.user_id.to_string(),
            });
        }
        Some(TeamsUserTokenRequest {
            token: env::var(TEAMS_TOKEN).ok()?.into(),
            client_id: env::var(TEAMS_CLIENT_ID).ok()?,
            user_object_id: env::var(TEAMS_USER_OBJECT_ID).ok()?,
        })
    }
}

/// Options that suit an emulator: no proxy on the way, its certificate trusted, and no minute of retries when it is not
/// there.
pub fn emulator_options(emulator: &Emulator) -> Result<CommunicationIdentityClientOptions> {
    let certificate = reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes());
    let http_client = certificate
        .and_then(|certificate| {
            reqwest::Client::builder()
                .no_proxy()
                .tls_certs_only([certificate])
                .build()
        })
        .map_err(|error| Error::new(ErrorKind::Other, error))?;
    Ok(CommunicationIdentityClientOptions {
        client_options: ClientOptions {
            transport: Some(Transport::new(Arc::new(http_client))),
            retry: RetryOptions::none(),
            ..Default::default()
        },
        ..Default::default()
    })
}

/// A credential for the emulator, which mints the Entra tokens that it accepts.
#[derive(Debug)]
pub struct EmulatorCredential(pub Arc<Emulator>);

#[async_trait::async_trait]
impl TokenCredential for EmulatorCredential {
    async fn get_token(&self, _scopes: &[&str], _options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        let token = self.0.mint_entra_token(&EntraTokenRequest::service()).await;
        let token = token.map_err(|error| Error::new(ErrorKind::Credential, error))?;
        Ok(AccessToken::new(
            token.token,
            OffsetDateTime::now_utc() + Duration::HOUR,
        ))
    }
}

/// The beginning of a token: enough to tell two apart, and of no use to whoever reads it.
pub fn shorten(token: &Secret) -> String {
    let token = token.secret();
    format!(
        "{}… ({} characters)",
        token.chars().take(8).collect::<String>(),
        token.len()
    )
}
