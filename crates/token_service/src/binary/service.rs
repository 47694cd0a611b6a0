//! Construction of the service from its configuration.

use crate::{
    certificate::CertificateAssertion,
    config::{Application, Authentication, Config, Credential, Database, DatabaseCredential},
    http,
};
use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use azure_core::{
    credentials::TokenCredential,
    error::ErrorKind,
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport, Url},
};
use azure_identity::{
    ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use entra_sidecar::{SidecarClient, SidecarCredential, SidecarScope};
use std::{env, error::Error, sync::Arc, time::Duration};
use token_service::{
    CredentialFingerprint, ServiceLimits, Store, StoreError, StoreErrorKind, TeamsExchange, TeamsPhoneExchange,
    TokenService, TraceHeaders,
};
use tokio::time::{Instant, sleep};
use tracing::warn;

/// The longest `Retry-After` that the client waits for. With a longer one, the caller gets a failure at once.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);
/// The retries of a call. With azure_core's backoff, they take about four seconds.
const MAX_RETRIES: u32 = 3;

/// The time for which the start waits for the database, which often starts at the same moment.
const CONNECT_PERIOD: Duration = Duration::from_mins(1);
/// The first and the longest pause between two attempts.
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Connects to the database, builds the service, and verifies that both are of one resource.
pub(crate) async fn build(config: &Config) -> Result<TokenService, Box<dyn Error>> {
    let service = assemble(config).await?;
    service.verify_resource().await?;
    Ok(service)
}

/// Connects to the database, and builds the service.
pub(crate) async fn assemble(config: &Config) -> Result<TokenService, Box<dyn Error>> {
    let limits = ServiceLimits::new(config.acs.replicas, config.acs.queue);
    // First, as its error names the remedy for missing CA certificates.
    let transport = http::transport(http::client(config.acs.authentication.is_on_loopback())?);
    let sidecar = match &config.sidecar {
        Some(sidecar) => Some(sidecar.client(None)?),
        None => None,
    };
    let identities = identity_client(config, &limits, transport, sidecar.as_ref())?;
    let guards = config.issuers.guards(None)?;
    let store = connect(&config.database).await?;
    let mut builder = TokenService::builder(identities, guards.users, store)
        .user_id_claims(config.issuers.user_id_claims)
        .service_limits(&limits)
        .token_policy(config.tokens.policy()?)
        .audit_ids(config.operators.audit_ids)
        .allow_origins(
            config
                .origins
                .iter()
                .map(|origin| origin.parse())
                .collect::<Result<Vec<_>, _>>()?,
        )
        .allow_private_network(config.allow_private_network)
        .requests_per_minute(config.limits.requests_per_minute)
        .fresh_tokens_per_hour(config.limits.fresh_tokens_per_hour)
        .acs_costs_per_hour(config.limits.acs_costs_per_hour)
        .request_timeout(config.limits.request)
        .body_limit(config.limits.body_bytes);
    if let Some(keys) = &config.tokens.sealing_keys {
        builder = builder.sealing_keys(keys.clone(), fingerprint(&config.acs.authentication));
    }
    if let Some((issuer, aliases)) = config.issuers.aliases() {
        builder = builder.issuer_aliases(&issuer, aliases);
    }
    if let Some(access) = config.operators.access(guards.operators) {
        builder = builder.admin(access);
    }
    if let Some(client_id) = &config.teams.client_id {
        let mut teams = TeamsExchange::new(client_id.clone());
        if let (Some(sidecar), Some(api)) = (&sidecar, &config.teams.sidecar_api) {
            teams = teams.on_behalf_of(sidecar.clone(), api.clone());
        }
        builder = builder.teams(teams);
    }
    if config.teams.phone {
        let mut phone = TeamsPhoneExchange::new();
        if let (Some(sidecar), Some(api)) = (sidecar, &config.teams.phone_sidecar_api) {
            phone = phone.on_behalf_of(sidecar, api.clone());
        }
        builder = builder.teams_phone(phone);
    }
    Ok(builder.build())
}

fn fingerprint(authentication: &Authentication) -> CredentialFingerprint {
    match authentication {
        Authentication::ConnectionString { text, .. } => CredentialFingerprint::of_connection_string(text.secret()),
        Authentication::Entra { .. } => CredentialFingerprint::of_entra(),
    }
}

/// Connects to the database, with a password of its URL or of its credential. While it is unavailable, this goes on for
/// [`CONNECT_PERIOD`].
pub(crate) async fn connect(database: &Database) -> Result<Store, Box<dyn Error>> {
    let Database {
        max_connections,
        migrate,
        ..
    } = *database;
    let url = database.url.secret();
    let credential = match &database.credential {
        Some(DatabaseCredential { credential, scope }) => {
            let transport = http::transport(http::client(false)?);
            Some((token_credential(credential, transport, None)?, scope))
        }
        None => None,
    };
    let connected = retry(CONNECT_PERIOD, async || match &credential {
        Some((credential, scope)) => {
            Store::connect_with_credential(url, max_connections, migrate, credential.clone(), scope).await
        }
        None if migrate => Store::connect(url, max_connections).await,
        None => Store::connect_without_migration(url, max_connections).await,
    });
    Ok(connected.await?)
}

/// Repeats an attempt that finds the database unavailable, with a log line for each.
async fn retry<T>(period: Duration, attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let started = Instant::now();
    let mut pause = MIN_PAUSE;
    loop {
        match attempt().await {
            Err(error) if error.kind() == StoreErrorKind::Unavailable && started.elapsed() + pause < period => {
                warn!(%error, pause_ms = pause.as_millis(), "the database is not there yet, and is tried again");
            }
            outcome => return outcome,
        }
        sleep(pause).await;
        pause = MAX_PAUSE.min(pause * 2);
    }
}

pub(crate) fn identity_client(
    config: &Config,
    limits: &ServiceLimits,
    transport: Transport,
    sidecar: Option<&SidecarClient>,
) -> azure_core::Result<CommunicationIdentityClient> {
    let options = client_options(limits, config.limits.request, transport.clone())?;
    match &config.acs.authentication {
        Authentication::ConnectionString { text, .. } => {
            CommunicationIdentityClient::with_connection_string(text.secret(), Some(options))
        }
        Authentication::Entra { endpoint, credential } => {
            let credential = token_credential(credential, transport, sidecar)?;
            CommunicationIdentityClient::new(endpoint, credential, Some(options))
        }
    }
}

/// Returns the options of the identity client, with the limits and the trace's headers as policies of each attempt.
///
/// The timeout of a call is two thirds of the `request_timeout`, so that the caller gets the failure and a `Retry-After`.
pub(crate) fn client_options(
    limits: &ServiceLimits,
    request_timeout: Duration,
    transport: Transport,
) -> azure_core::Result<CommunicationIdentityClientOptions> {
    let timeout = request_timeout * 2 / 3;
    let mut options = CommunicationIdentityClientOptions {
        timeout: Some(timeout.try_into().map_err(invalid)?),
        max_retry_after: MAX_RETRY_AFTER.min(timeout / 2).try_into().map_err(invalid)?,
        ..CommunicationIdentityClientOptions::default()
    };
    options.client_options.retry = RetryOptions::exponential(ExponentialRetryOptions {
        max_retries: MAX_RETRIES,
        ..ExponentialRetryOptions::default()
    });
    options.client_options.per_try_policies = vec![Arc::new(limits.clone()), Arc::new(TraceHeaders)];
    options.client_options.transport = Some(transport);
    Ok(options)
}

fn invalid(error: impl Error + Send + Sync + 'static) -> azure_core::Error {
    azure_core::Error::new(ErrorKind::Other, error)
}

pub(crate) fn token_credential(
    credential: &Credential,
    transport: Transport,
    sidecar: Option<&SidecarClient>,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let client_options = ClientOptions {
        transport: Some(transport),
        ..ClientOptions::default()
    };
    Ok(match (credential, sidecar) {
        (Credential::ManagedIdentity { client_id }, _) => {
            ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                client_options,
            }))?
        }
        (Credential::WorkloadIdentity, _) => {
            WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                ..WorkloadIdentityCredentialOptions::default()
            }))?
        }
        (Credential::Sidecar { api }, Some(sidecar)) => {
            let scope = CommunicationIdentityClientOptions::default().entra_scope;
            SidecarCredential::new(sidecar.clone(), [SidecarScope::new(scope, api)], None)?
        }
        (Credential::Sidecar { .. }, None) => {
            let message = "there is no sidecar to ask for tokens";
            return Err(azure_core::Error::with_message(ErrorKind::Other, message));
        }
        (Credential::ClientSecret { application, secret }, _) => ClientSecretCredential::new(
            &application.tenant_id,
            application.client_id.clone(),
            secret.clone(),
            Some(ClientSecretCredentialOptions { client_options }),
        )?,
        (
            Credential::ClientCertificate {
                application,
                certificate,
            },
            _,
        ) => {
            let Application { tenant_id, client_id } = application;
            let assertion = CertificateAssertion::new(certificate.clone(), &authority()?, tenant_id, client_id);
            ClientAssertionCredential::new(
                tenant_id.clone(),
                client_id.clone(),
                assertion,
                Some(ClientAssertionCredentialOptions { client_options }),
            )?
        }
    })
}

/// Returns the address of the cloud, as `azure_identity` chooses it.
fn authority() -> azure_core::Result<Url> {
    let authority = env::var("AZURE_AUTHORITY_HOST");
    authority
        .as_deref()
        .unwrap_or("https://login.microsoftonline.com")
        .parse()
        .map_err(|_| {
            azure_core::Error::with_message(
                ErrorKind::Other,
                "AZURE_AUTHORITY_HOST must be a URL that begins with https://",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::net::TcpListener;

    #[tokio::test(start_paused = true)]
    async fn unavailable_database_is_retried_for_a_minute() {
        let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let (started, attempts) = (Instant::now(), Cell::new(0));
        let refused = retry(CONNECT_PERIOD, async || {
            attempts.set(attempts.get() + 1);
            Store::connect(&format!("postgres://app@{free}/users"), 1).await
        });
        assert_eq!(refused.await.unwrap_err().kind(), StoreErrorKind::Unavailable);
        assert!(started.elapsed() + 2 * MAX_PAUSE > CONNECT_PERIOD && started.elapsed() < CONNECT_PERIOD * 2);
        assert!((10..=20).contains(&attempts.get()), "{attempts:?}");
    }

    #[tokio::test]
    async fn unusable_url_is_not_retried() {
        let attempts = Cell::new(0);
        let refused = retry(CONNECT_PERIOD, async || {
            attempts.set(attempts.get() + 1);
            Store::connect("mysql://db/users", 1).await
        });
        assert_eq!(refused.await.unwrap_err().kind(), StoreErrorKind::Configuration);
        assert_eq!(attempts.get(), 1);
    }
}
