//! Construction of the service from its configuration.

use crate::{
    config::{Authentication, Config, Credential, IssuerKind},
    http,
};
use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use azure_core::{
    credentials::TokenCredential,
    error::ErrorKind,
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport},
};
use azure_identity::{
    ClientAssertionCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use entra_sidecar::{SidecarClient, SidecarCredential, SidecarScope};
use std::{error::Error, sync::Arc, time::Duration};
use token_service::{CredentialFingerprint, ServiceLimits, TeamsExchange, TokenService, UserIdClaims};

/// The scope for which the identity client requests Entra tokens.
const ACS_SCOPE: &str = "https://communication.azure.com//.default";
/// The longest `Retry-After` that the client waits for. With a longer one, the caller gets a failure at once.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);
/// The retries of a call. With azure_core's backoff, they take about four seconds.
const MAX_RETRIES: u32 = 3;

/// Connects to the database, builds the service, and verifies that both are of one resource.
pub(crate) async fn build(config: &Config) -> Result<TokenService, Box<dyn Error>> {
    let limits = ServiceLimits::new(config.acs.replicas, config.acs.queue);
    // First, as its error names the remedy for missing CA certificates.
    let transport = http::transport(http::client(config.acs.authentication.is_on_loopback())?);
    let sidecar = match &config.sidecar {
        Some(sidecar) => Some(sidecar.client(None)?),
        None => None,
    };
    let identities = identity_client(config, &limits, transport, sidecar.as_ref())?;
    let guard = config.issuer.guard(None)?;
    let store = config.database.connect().await?;
    let user_id_claims = match config.issuer.kind {
        IssuerKind::Entra { .. } => UserIdClaims::EntraObject,
        IssuerKind::Oidc { .. } | IssuerKind::Logto { .. } => UserIdClaims::Subject,
    };
    let mut builder = TokenService::builder(identities, guard, store)
        .user_id_claims(user_id_claims)
        .service_limits(&limits)
        .token_policy(config.tokens.policy()?)
        .allow_origins(
            config
                .origins
                .iter()
                .map(|origin| origin.parse())
                .collect::<Result<Vec<_>, _>>()?,
        )
        .requests_per_minute(config.limits.requests_per_minute)
        .fresh_tokens_per_hour(config.limits.fresh_tokens_per_hour)
        .acs_costs_per_hour(config.limits.acs_costs_per_hour)
        .request_timeout(config.limits.request)
        .body_limit(config.limits.body_bytes);
    if let Some(keys) = &config.tokens.sealing_keys {
        builder = builder.sealing_keys(keys.clone(), fingerprint(&config.acs.authentication));
    }
    if let Some((issuer, aliases)) = config.issuer.names() {
        builder = builder.issuer_aliases(&issuer, aliases);
    }
    if let Some(teams) = &config.teams {
        let mut exchange = TeamsExchange::new(teams.client_id.clone());
        if let (Some(sidecar), Some(api)) = (sidecar, &teams.sidecar_api) {
            exchange = exchange.on_behalf_of(sidecar, api.clone());
        }
        builder = builder.teams(exchange);
    }
    let service = builder.build();
    service.verify_resource().await?;
    Ok(service)
}

fn fingerprint(authentication: &Authentication) -> CredentialFingerprint {
    match authentication {
        Authentication::ConnectionString { text, .. } => CredentialFingerprint::of_connection_string(text.secret()),
        Authentication::Entra { .. } => CredentialFingerprint::of_entra(),
    }
}

fn identity_client(
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

/// Returns the options of the identity client, with the limits as a policy of each attempt.
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
    options.client_options.per_try_policies.push(Arc::new(limits.clone()));
    options.client_options.transport = Some(transport);
    Ok(options)
}

fn invalid(error: impl Error + Send + Sync + 'static) -> azure_core::Error {
    azure_core::Error::new(ErrorKind::Other, error)
}

fn token_credential(
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
            SidecarCredential::new(sidecar.clone(), [SidecarScope::new(ACS_SCOPE, api)], None)?
        }
        (Credential::Sidecar { .. }, None) => {
            let message = "there is no sidecar to ask for tokens";
            return Err(azure_core::Error::with_message(ErrorKind::Other, message));
        }
        (Credential::DeveloperTools, _) => DeveloperToolsCredential::new(None)?,
    })
}
