//! A credential that exchanges Entra tokens.

use super::{
    CommunicationTokenCredential, EntraCommunicationTokenCredentialOptions, Source,
    cache::{checked, loggable},
    schedule::{self, Failures, Jitter, random_jitter},
};
use crate::{
    auth::{Credential, DistinctCredential, parse_endpoint},
    constants::{API_VERSION, ENTRA_EXCHANGE_API_VERSION},
    error::invalid_argument,
    models::{CommunicationAccessToken, ExchangedAccessToken},
    options::CommunicationIdentityClientOptions,
    pipeline::ServicePipeline,
    requests::{self, BaseUrl},
};
use azure_core::{
    Error, Result,
    credentials::{Secret, TokenCredential},
    error::ErrorKind,
    http::{Context, Response, Url},
    time::OffsetDateTime,
};
use client_core::{
    clock::Clock,
    runtime::Task,
    single_flight::{SharedError, SharedResult, SingleFlight, catch_panic},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

impl CommunicationTokenCredential {
    /// Creates a credential that exchanges the Entra tokens of a user for access tokens of Communication Services.
    ///
    /// This is for an application that a user has signed in to with Entra ID; it needs no backend that issues tokens. An
    /// administrator must [admit the users and the application to the resource][entra] first. For Teams Phone extensibility,
    /// set its scope in the options.
    ///
    /// Each [`get_token`](Self::get_token) asks the Entra credential, which is expected to cache its token as those of
    /// `azure_identity` do. A token that differs from the last one is exchanged at once. The same one is exchanged again, in
    /// the background, two minutes before its access token expires or, if it never had that much, after half of its life; a
    /// random part of up to 3 % of the life makes it earlier. Until then, and while that fails, callers get the access token
    /// of the last exchange. Concurrent callers share one exchange. When the service asks for a wait by `Retry-After`, callers
    /// without a valid token get its failure until then, an hour at most. Nothing is sent before the first call.
    ///
    /// [entra]: https://learn.microsoft.com/azure/communication-services/quickstarts/identity/entra-id-authentication-integration
    ///
    /// # Arguments
    ///
    /// * `endpoint` - The resource's endpoint, `https://<resource>.communication.azure.com`.
    /// * `credential` - A credential of the user, not of a service or a machine.
    /// * `options` - The scopes, and options for the requests.
    ///
    /// # Errors
    ///
    /// The endpoint is not an https URL without path, query or user name; the scopes are empty or do not belong together;
    /// or an option is not valid.
    ///
    /// Later, [`get_token`](Self::get_token) fails with kind `Credential` when the Entra credential does or the access token
    /// has already expired, and otherwise as the operations of [the client](crate::CommunicationIdentityClient#errors) do.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::CommunicationTokenCredential;
    /// use azure_core::credentials::TokenCredential;
    /// use std::sync::Arc;
    ///
    /// fn sign_in(user: Arc<dyn TokenCredential>) -> azure_core::Result<CommunicationTokenCredential> {
    ///     CommunicationTokenCredential::with_entra_credential("https://contoso.communication.azure.com", user, None)
    /// }
    /// ```
    pub fn with_entra_credential(
        endpoint: &str,
        credential: Arc<dyn TokenCredential>,
        options: Option<EntraCommunicationTokenCredentialOptions>,
    ) -> Result<Self> {
        let source = EntraSource::new(
            endpoint,
            credential,
            options.unwrap_or_default(),
            Clock::system(),
            random_jitter,
        )?;
        Ok(Self(Source::Entra(Arc::new(source))))
    }
}

/// An Entra credential, and the token that its token was last exchanged for.
pub(super) struct EntraSource {
    credential: DistinctCredential,
    scopes: Vec<String>,
    exchange: Arc<Exchange>,
    clock: Clock,
    jitter: Jitter,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exchanged: Option<Exchanged>,
    failures: Failures,
    in_flight: SingleFlight<CommunicationAccessToken>,
}

/// The result of an exchange.
struct Exchanged {
    entra_token: Secret,
    token: CommunicationAccessToken,
    /// The time of the next exchange of the same Entra token.
    refresh_at: OffsetDateTime,
    /// An exchange in the background.
    refresh: Option<Task>,
}

impl EntraSource {
    pub(super) fn new(
        endpoint: &str,
        credential: Arc<dyn TokenCredential>,
        options: EntraCommunicationTokenCredentialOptions,
        clock: Clock,
        jitter: Jitter,
    ) -> Result<Self> {
        let endpoint = parse_endpoint(endpoint, &Credential::UserToken)?;
        Ok(Self {
            credential: DistinctCredential(credential),
            exchange: Arc::new(Exchange::new(&endpoint, &options, clock.clone())?),
            scopes: options.scopes,
            clock,
            jitter,
            state: Mutex::default(),
        })
    }

    pub(super) async fn token(self: &Arc<Self>) -> Result<CommunicationAccessToken> {
        let source = Arc::clone(self);
        let token = self.state().in_flight.join(|| async move { source.get_token().await });
        token.result().await.map_err(SharedError::into_error)
    }

    async fn get_token(self: &Arc<Self>) -> SharedResult<CommunicationAccessToken> {
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let entra_token = self.credential.get_token(&scopes, None).await?.token;
        if entra_token.secret().is_empty() {
            let text = "the Entra credential gave an empty token";
            return Err(Error::with_message(ErrorKind::Credential, text).into());
        }
        if let Some(token) = self.last_exchanged(&entra_token) {
            return Ok(token);
        }
        if let Some(error) = self.state().failures.held(self.clock.elapsed()) {
            return Err(error);
        }
        let result = self.exchange.exchange(&entra_token).await;
        self.complete(entra_token, result)
    }

    /// Returns the valid token that an Entra token was exchanged for, and starts the next exchange when it is due.
    fn last_exchanged(self: &Arc<Self>, entra_token: &Secret) -> Option<CommunicationAccessToken> {
        let now = self.clock.now();
        let mut state = self.state();
        let is_backing_off = state.failures.wait(self.clock.elapsed()).is_positive();
        let exchanged = state.exchanged.as_mut();
        let exchanged = exchanged.filter(|exchanged| exchanged.is_valid(entra_token, now))?;
        let is_refreshing = exchanged.refresh.as_ref().is_some_and(Task::is_running);
        if now >= exchanged.refresh_at && !is_backing_off && !is_refreshing {
            // Where no task can be spawned, the token is exchanged when it has expired.
            let refresh = refresh(Arc::downgrade(self), Arc::clone(&self.exchange), entra_token.clone());
            exchanged.refresh = Task::spawn(refresh).ok();
        }
        Some(exchanged.token.clone())
    }

    /// Stores the result of an exchange that callers wait for.
    fn complete(
        &self,
        entra_token: Secret,
        result: Result<CommunicationAccessToken>,
    ) -> SharedResult<CommunicationAccessToken> {
        let exchanged = self.exchanged(entra_token, result);
        let mut state = self.state();
        match exchanged {
            Ok(exchanged) => {
                let token = exchanged.token.clone();
                state.exchanged = Some(exchanged);
                state.failures = Failures::default();
                Ok(token)
            }
            Err(error) => {
                let error = SharedError::from(error);
                state.failures.add(&error, self.clock.elapsed(), (self.jitter)());
                Err(error)
            }
        }
    }

    /// Stores the result of an exchange in the background, unless another Entra token was exchanged meanwhile.
    fn complete_refresh(&self, entra_token: Secret, result: Result<CommunicationAccessToken>) {
        let mut state = self.state();
        let is_current = |exchanged: &&mut Exchanged| exchanged.entra_token == entra_token;
        let Some(current) = state.exchanged.as_mut().filter(is_current) else {
            return;
        };
        match self.exchanged(entra_token, result) {
            Ok(exchanged) => {
                *current = exchanged;
                state.failures = Failures::default();
            }
            Err(error) => {
                tracing::warn!(
                    error = loggable(&error),
                    "an Entra token could not be exchanged again; the last access token is used while it is valid"
                );
                current.refresh = None;
                state.failures.add(&error.into(), self.clock.elapsed(), (self.jitter)());
            }
        }
    }

    /// Checks the result of an exchange, and plans the next.
    fn exchanged(&self, entra_token: Secret, result: Result<CommunicationAccessToken>) -> Result<Exchanged> {
        let now = self.clock.now();
        let token = checked(result?, now, "the exchange of the Entra token")?;
        Ok(Exchanged {
            entra_token,
            refresh_at: schedule::refresh_at(token.expires_on, now, schedule::ON_DEMAND, (self.jitter)()),
            token,
            refresh: None,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exchanges an Entra token again, for a source that may be gone when the result arrives.
async fn refresh(source: Weak<EntraSource>, exchange: Arc<Exchange>, entra_token: Secret) {
    let result = catch_panic(exchange.exchange(&entra_token)).await;
    if let Some(source) = source.upgrade() {
        source.complete_refresh(entra_token, result);
    }
}

impl Exchanged {
    fn is_valid(&self, entra_token: &Secret, now: OffsetDateTime) -> bool {
        self.entra_token == *entra_token && self.token.expires_on > now
    }
}

/// The beginning of the scopes of an Entra user.
const CLIENTS: &str = "https://communication.azure.com/clients/";

/// The beginning of the scopes of Teams Phone extensibility.
const TEAMS_EXTENSION: &str = "https://auth.msft.communication.azure.com/";

/// The same in the cloud of the United States government.
const TEAMS_EXTENSION_US: &str = "https://auth.msft.communication.azure.us/";

/// An operation of the service that exchanges an Entra token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExchangeOperation {
    EntraUser,
    TeamsExtensionUser,
}

impl ExchangeOperation {
    /// Returns the operation that all scopes belong to.
    fn from_scopes(scopes: &[String]) -> Result<Self> {
        let all = |prefixes: &[&str]| {
            !scopes.is_empty()
                && scopes
                    .iter()
                    .all(|scope| prefixes.iter().any(|prefix| scope.starts_with(prefix)))
        };
        if all(&[CLIENTS]) {
            Ok(Self::EntraUser)
        } else if all(&[TEAMS_EXTENSION, TEAMS_EXTENSION_US]) {
            Ok(Self::TeamsExtensionUser)
        } else {
            Err(invalid_argument(format!(
                "scopes must not be empty, and must all start with {CLIENTS}, or all with {TEAMS_EXTENSION} or \
                 {TEAMS_EXTENSION_US}"
            )))
        }
    }

    fn api_version(self) -> &'static str {
        match self {
            Self::EntraUser => ENTRA_EXCHANGE_API_VERSION,
            Self::TeamsExtensionUser => API_VERSION,
        }
    }
}

/// Exchanges Entra tokens at a resource.
#[derive(Debug)]
struct Exchange {
    operation: ExchangeOperation,
    base_url: BaseUrl,
    pipeline: ServicePipeline,
}

impl Exchange {
    fn new(endpoint: &Url, options: &EntraCommunicationTokenCredentialOptions, clock: Clock) -> Result<Self> {
        let operation = ExchangeOperation::from_scopes(&options.scopes)?;
        let options = CommunicationIdentityClientOptions {
            api_version: operation.api_version().to_owned(),
            timeout: options.timeout,
            max_retry_after: options.max_retry_after,
            client_options: options.client_options.clone(),
            ..Default::default()
        };
        Ok(Self {
            operation,
            base_url: BaseUrl::new(endpoint, &options.api_version)?,
            pipeline: ServicePipeline::new(Credential::UserToken, &options, clock)?,
        })
    }

    async fn exchange(&self, entra_token: &Secret) -> Result<CommunicationAccessToken> {
        let request = match self.operation {
            ExchangeOperation::EntraUser => requests::exchange_entra_token(&self.base_url),
            ExchangeOperation::TeamsExtensionUser => requests::exchange_teams_extension_token(&self.base_url),
        };
        let response = self
            .pipeline
            .send_for_user(Context::new(), request?, entra_token.clone());
        let response: Response<ExchangedAccessToken> = response.await?.into();
        Ok(response.into_model()?.access_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(scopes: &[&str]) -> Result<ExchangeOperation> {
        ExchangeOperation::from_scopes(&scopes.iter().map(|&scope| scope.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_scopes_select_the_operation() {
        for scopes in [
            &["https://communication.azure.com/clients/.default"][..],
            &[
                "https://communication.azure.com/clients/Chat",
                "https://communication.azure.com/clients/VoIP",
            ],
        ] {
            assert_eq!(operation(scopes).unwrap(), ExchangeOperation::EntraUser);
        }
        for scopes in [
            &["https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls"][..],
            &["https://auth.msft.communication.azure.us/TeamsExtension.ManageCalls"],
        ] {
            assert_eq!(operation(scopes).unwrap(), ExchangeOperation::TeamsExtensionUser);
        }
    }

    #[test]
    fn other_scopes_are_refused_with_the_known_ones() {
        for scopes in [
            &[][..],
            &[""],
            &["https://communication.azure.com/clients"],
            &["https://communication.azure.com//.default"],
            &["https://auth.msft.communication.azure.com.contoso.com/.default"],
            &[
                "https://communication.azure.com/clients/Chat",
                "https://graph.microsoft.com/.default",
            ],
            &[
                "https://communication.azure.com/clients/Chat",
                "https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls",
            ],
        ] {
            let error = operation(scopes).unwrap_err().to_string();
            for prefix in [CLIENTS, TEAMS_EXTENSION] {
                assert!(error.contains(prefix), "{error}");
            }
        }
    }
}
