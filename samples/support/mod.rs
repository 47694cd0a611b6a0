//! The parts that samples share. They find the service in Azure if the environment names a resource, and otherwise start
//! an emulator in this process.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a sample shows what it does")]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "part of every sample, and each uses some of it"
)]

use acs_identity_emulator::{Emulator, EntraTokenRequest};
use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationIdentityClientOptions, TeamsUserTokenRequest, default_transport,
};
use azure_core::{
    Error, Result,
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport},
    time::{Duration, OffsetDateTime},
};
use azure_identity::{
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
};
use std::{env, process::ExitCode, sync::Arc};

pub const CONNECTION_STRING: &str = "COMMUNICATION_SAMPLES_CONNECTION_STRING";
pub const ENDPOINT: &str = "AZURE_COMMUNICATION_SERVICE_ENDPOINT";
pub const TEAMS_TOKEN: &str = "COMMUNICATION_SAMPLES_TEAMS_TOKEN";
pub const TEAMS_CLIENT_ID: &str = "COMMUNICATION_SAMPLES_TEAMS_CLIENT_ID";
pub const TEAMS_USER_OBJECT_ID: &str = "COMMUNICATION_SAMPLES_TEAMS_USER_OBJECT_ID";

pub type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The usage of a sample.
pub struct Usage {
    /// The name of the sample and, in brackets, the arguments that it takes.
    pub command: &'static str,
    /// `true` if it uses a resource in Azure that the environment names.
    pub uses_azure: bool,
    pub about: &'static str,
}

impl Usage {
    /// Returns an error with the fault of the arguments, and the usage.
    pub fn refuse(&self, reason: &str) -> Box<dyn std::error::Error> {
        format!("{reason}; usage: cargo run --example {}", self.command).into()
    }
}

/// Runs a sample with its arguments, and prints its error by `Display`. A `main` that returns the error would print
/// `Debug`.
pub async fn run<F: Future<Output = Outcome>>(usage: Usage, sample: impl FnOnce(Vec<String>) -> F) -> ExitCode {
    let arguments = env::args_os().skip(1);
    let arguments: Vec<String> = arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        println!("{}\n\nUsage: cargo run --example {}", usage.about, usage.command);
        if usage.uses_azure {
            println!("\nIt uses the resource in Azure that one of these variables names, and otherwise an emulator:");
            println!("  {CONNECTION_STRING}\n  {ENDPOINT}");
        }
        return ExitCode::SUCCESS;
    }
    let accepted = usage.command.matches('[').count();
    let option = arguments.iter().find(|argument| argument.starts_with('-'));
    let outcome = match option.or_else(|| arguments.get(accepted)) {
        Some(unexpected) => Err(usage.refuse(&format!("unexpected argument {unexpected:?}"))),
        None => sample(arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The service that a sample calls.
pub enum Service {
    /// A resource in Azure, with a connection string.
    Azure { connection_string: String },
    /// A resource in Azure, with Entra ID.
    AzureWithEntra { endpoint: String },
    /// The emulator; it ends with the sample.
    Emulator(Arc<Emulator>),
}

impl Service {
    /// Finds the service of the environment, or starts an emulator, and prints which it is.
    pub async fn find() -> Outcome<Self> {
        if let Some(connection_string) = variable(CONNECTION_STRING) {
            println!("Using the Azure resource of {CONNECTION_STRING}.\n");
            return Ok(Self::Azure { connection_string });
        }
        if let Some(endpoint) = variable(ENDPOINT) {
            println!("Using the Azure resource of {ENDPOINT}, with Entra ID.\n");
            return Ok(Self::AzureWithEntra { endpoint });
        }
        let emulator = Emulator::builder().start().await?;
        println!("Using an emulator in this process. Set {CONNECTION_STRING} or {ENDPOINT} to use Azure.\n");
        Ok(Self::Emulator(Arc::new(emulator)))
    }

    /// Creates a client.
    pub fn client(&self) -> Result<CommunicationIdentityClient> {
        match self {
            Self::Azure { connection_string } => {
                CommunicationIdentityClient::with_connection_string(connection_string, Some(azure_options()?))
            }
            Self::AzureWithEntra { endpoint } => {
                let options = azure_options()?;
                let credential = entra_credential(options.client_options.transport.clone())?;
                CommunicationIdentityClient::new(endpoint, credential, Some(options))
            }
            Self::Emulator(emulator) => CommunicationIdentityClient::with_connection_string(
                &emulator.connection_string(),
                Some(emulator_options(emulator)?),
            ),
        }
    }

    /// Returns the Entra token of a Teams user, if there is one: the emulator issues it; for Azure it is in the environment,
    /// because only the user can obtain it.
    pub async fn teams_user(&self) -> Option<TeamsUserTokenRequest> {
        if let Self::Emulator(emulator) = self {
            let minted = emulator.mint_entra_token(&EntraTokenRequest::teams_user()).await.ok()?;
            return Some(TeamsUserTokenRequest {
                token: minted.token.into(),
                client_id: minted.app_id.to_string(),
                user_object_id: minted.user_id.to_string(),
            });
        }
        let teams_user = TeamsUserTokenRequest {
            token: variable(TEAMS_TOKEN)?.into(),
            client_id: variable(TEAMS_CLIENT_ID)?,
            user_object_id: variable(TEAMS_USER_OBJECT_ID)?,
        };
        Some(teams_user)
    }
}

/// Returns a variable of the environment. An empty one is treated as absent.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Creates a credential of the service principal in `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`, or of the
/// machine's managed identity. It shares the client's transport: without one, it panics where there are no CA certificates.
///
/// The account of a developer who has signed in with the Azure CLI does not work: this service does not accept the CLI's
/// tokens.
pub fn entra_credential(transport: Option<Transport>) -> Result<Arc<dyn TokenCredential>> {
    let client_options = ClientOptions {
        transport,
        ..Default::default()
    };
    let principal = (
        variable("AZURE_TENANT_ID"),
        variable("AZURE_CLIENT_ID"),
        variable("AZURE_CLIENT_SECRET"),
    );
    if let (Some(tenant_id), Some(client_id), Some(secret)) = principal {
        let options = ClientSecretCredentialOptions { client_options };
        return Ok(ClientSecretCredential::new(
            &tenant_id,
            client_id,
            secret.into(),
            Some(options),
        )?);
    }
    let options = ManagedIdentityCredentialOptions {
        client_options,
        ..Default::default()
    };
    Ok(ManagedIdentityCredential::new(Some(options))?)
}

/// Returns options that give up after seconds, not after a minute and a half.
pub fn azure_options() -> Result<CommunicationIdentityClientOptions> {
    Ok(CommunicationIdentityClientOptions {
        client_options: ClientOptions {
            transport: Some(default_transport()?),
            retry: RetryOptions::exponential(ExponentialRetryOptions {
                max_retries: 3,
                ..Default::default()
            }),
            ..Default::default()
        },
        ..Default::default()
    })
}

/// Creates a transport for an emulator: without proxies, and with its certificate trusted.
pub fn emulator_transport(emulator: &Emulator) -> Result<Transport> {
    let certificate = reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes());
    let http_client = certificate.and_then(|certificate| {
        reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([certificate])
            .connect_timeout(std::time::Duration::from_secs(20))
            .read_timeout(std::time::Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .build()
    });
    let http_client = http_client.map_err(|error| Error::new(ErrorKind::Other, error))?;
    Ok(Transport::new(Arc::new(http_client)))
}

/// Returns options for an emulator: its transport, and no retries.
pub fn emulator_options(emulator: &Emulator) -> Result<CommunicationIdentityClientOptions> {
    Ok(CommunicationIdentityClientOptions {
        client_options: ClientOptions {
            transport: Some(emulator_transport(emulator)?),
            retry: RetryOptions::none(),
            ..Default::default()
        },
        ..Default::default()
    })
}

/// A credential for the emulator, which issues the Entra tokens that it accepts.
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

/// The credential of a user who has signed in to the emulator's Entra ID. It caches its token as those of `azure_identity`
/// do.
#[derive(Debug)]
pub struct UserCredential(AccessToken);

impl UserCredential {
    pub async fn new(emulator: &Emulator, user: EntraTokenRequest) -> Outcome<Self> {
        let minted = emulator.mint_entra_token(&user).await?;
        let expires_in = Duration::seconds(user.expires_in_seconds.into());
        Ok(Self(AccessToken::new(
            minted.token,
            OffsetDateTime::now_utc() + expires_in,
        )))
    }
}

#[async_trait::async_trait]
impl TokenCredential for UserCredential {
    async fn get_token(&self, _scopes: &[&str], _options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        Ok(self.0.clone())
    }
}

/// Returns the beginning of a token: enough to distinguish two, and too little to use.
pub fn shorten(token: &Secret) -> String {
    let token = token.secret();
    format!(
        "{}… ({} characters)",
        token.chars().take(8).collect::<String>(),
        token.len()
    )
}
