//! A credential that exchanges Entra tokens.

mod exchange;
mod options;
#[cfg(test)]
mod tests;

pub use options::EntraCommunicationTokenCredentialOptions;

use super::{
    CommunicationTokenCredential, Source,
    background::loggable,
    cache::Hold,
    check,
    schedule::{self, Failures, Jitter, random_jitter},
    shared_error::{SharedError, SharedResult},
    single_flight::{SingleFlight, unpanicked},
};
use crate::{
    auth::{Clock, DistinctCredential, Plaintext, parse_endpoint},
    models::CommunicationAccessToken,
    runtime::Task,
};
use azure_core::{
    Error, Result,
    credentials::{Secret, TokenCredential},
    error::ErrorKind,
    time::OffsetDateTime,
};
use exchange::Exchange;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

impl CommunicationTokenCredential {
    /// Creates a credential that exchanges the Entra tokens of a user for access tokens of Communication Services.
    ///
    /// This is for an application that a user has signed in to with Entra ID; it needs no backend that issues tokens. An
    /// administrator has to [admit the users and the application to the resource][entra] first. For Teams Phone
    /// extensibility, set its scope in the options.
    ///
    /// Each [`get_token`](Self::get_token) asks the Entra credential, which is expected to cache its token as those of
    /// `azure_identity` do. A token that differs from the last one is exchanged at once. The same one is exchanged again, in
    /// the background, when its access token has two minutes to live or, if it never had more, half of its life; a random
    /// part of up to 3 % of the life makes it earlier. Until then, and while that fails, callers get the access token that
    /// they got before. Callers that come while a token is asked for or exchanged share the outcome. When the service answers
    /// an exchange with `Retry-After`, callers without a valid token get that failure until its time, an hour at most.
    /// Nothing is sent before the first call.
    ///
    /// [entra]: https://learn.microsoft.com/azure/communication-services/quickstarts/identity/entra-id-authentication-integration
    ///
    /// # Arguments
    ///
    /// * `endpoint` - The resource's address, `https://<resource>.communication.azure.com`.
    /// * `credential` - A credential of the user, not of a service or a machine.
    /// * `options` - The scopes, and options for the requests.
    ///
    /// # Errors
    ///
    /// The endpoint is not an https URL without path, query or user name; the scopes are empty or do not belong together;
    /// or an option is not valid.
    ///
    /// Later, [`get_token`](Self::get_token) fails with kind `Credential` when the Entra credential does or the token that
    /// comes back has already expired, and otherwise as the operations of
    /// [the client](crate::CommunicationIdentityClient#errors) do.
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
    /// The failure of the last exchange, until the service may be asked again.
    hold: Option<Hold>,
    answer: SingleFlight<CommunicationAccessToken>,
}

/// The result of an exchange.
struct Exchanged {
    entra_token: Secret,
    token: CommunicationAccessToken,
    /// When the same Entra token is to be exchanged again.
    refresh_at: OffsetDateTime,
    /// The exchanges of it that have failed since.
    failures: Failures,
    /// An exchange in the background.
    refresh: Option<Task>,
}

impl EntraSource {
    fn new(
        endpoint: &str,
        credential: Arc<dyn TokenCredential>,
        options: EntraCommunicationTokenCredentialOptions,
        clock: Clock,
        jitter: Jitter,
    ) -> Result<Self> {
        let endpoint = parse_endpoint(endpoint, Plaintext::Never)?;
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
        let answer = self.state().answer.join(|| async move { source.ask().await });
        answer.wait().await.map_err(SharedError::into_error)
    }

    async fn ask(self: &Arc<Self>) -> SharedResult<CommunicationAccessToken> {
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let entra_token = self.credential.get_token(&scopes, None).await?.token;
        if entra_token.secret().is_empty() {
            let text = "the Entra credential gave an empty token";
            return Err(Error::with_message(ErrorKind::Credential, text).into());
        }
        if let Some(token) = self.exchanged_already(&entra_token) {
            return Ok(token);
        }
        let held = self.state().hold.as_ref().and_then(|hold| hold.error(self.clock.now()));
        if let Some(error) = held {
            return Err(error);
        }
        let outcome = self.exchange.exchange(&entra_token).await;
        self.complete(entra_token, outcome)
    }

    /// The valid token that this very Entra token was exchanged for. When it is time to exchange it again, that begins.
    fn exchanged_already(self: &Arc<Self>, entra_token: &Secret) -> Option<CommunicationAccessToken> {
        let now = self.clock.now();
        let mut state = self.state();
        let exchanged = state.exchanged.as_mut();
        let exchanged = exchanged.filter(|exchanged| exchanged.is_valid(entra_token, now))?;
        let is_refreshing = exchanged.refresh.as_ref().is_some_and(Task::is_running);
        if now >= exchanged.refresh_at && !is_refreshing {
            // Where no task can be spawned, the token is exchanged when it has expired.
            let refresh = refresh(Arc::downgrade(self), Arc::clone(&self.exchange), entra_token.clone());
            exchanged.refresh = Task::spawn(refresh).ok();
        }
        Some(exchanged.token.clone())
    }

    /// Stores the outcome of an exchange that callers wait for.
    fn complete(
        &self,
        entra_token: Secret,
        outcome: Result<CommunicationAccessToken>,
    ) -> SharedResult<CommunicationAccessToken> {
        let now = self.clock.now();
        let mut state = self.state();
        match self.exchanged(entra_token, outcome, now) {
            Ok(exchanged) => {
                let token = exchanged.token.clone();
                state.exchanged = Some(exchanged);
                state.hold = None;
                Ok(token)
            }
            Err(error) => {
                let error = SharedError::from(error);
                state.hold = Hold::after(&error, now);
                Err(error)
            }
        }
    }

    /// Stores the outcome of an exchange in the background, unless another Entra token has come meanwhile.
    fn complete_refresh(&self, entra_token: Secret, outcome: Result<CommunicationAccessToken>) {
        let now = self.clock.now();
        let mut state = self.state();
        let is_current = |exchanged: &&mut Exchanged| exchanged.entra_token == entra_token;
        let Some(current) = state.exchanged.as_mut().filter(is_current) else {
            return;
        };
        match self.exchanged(entra_token, outcome, now) {
            Ok(exchanged) => *current = exchanged,
            Err(error) => {
                current.refresh_at = current.failures.add(&error, now, (self.jitter)());
                current.refresh = None;
                tracing::warn!(
                    error = loggable(&error),
                    "an Entra token could not be exchanged again; the last access token is used while it is valid"
                );
            }
        }
    }

    /// Checks the outcome of an exchange, and plans the next.
    fn exchanged(
        &self,
        entra_token: Secret,
        outcome: Result<CommunicationAccessToken>,
        now: OffsetDateTime,
    ) -> Result<Exchanged> {
        let token = check::obtained(outcome?, now, "the exchange of the Entra token")?;
        Ok(Exchanged {
            entra_token,
            refresh_at: schedule::refresh_at(token.expires_on, now, schedule::ON_DEMAND, (self.jitter)()),
            token,
            failures: Failures::default(),
            refresh: None,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exchanges an Entra token again, for a source that may be gone by then.
async fn refresh(source: Weak<EntraSource>, exchange: Arc<Exchange>, entra_token: Secret) {
    let outcome = unpanicked(exchange.exchange(&entra_token)).await;
    if let Some(source) = source.upgrade() {
        source.complete_refresh(entra_token, outcome);
    }
}

impl Exchanged {
    fn is_valid(&self, entra_token: &Secret, now: OffsetDateTime) -> bool {
        self.entra_token == *entra_token && self.token.expires_on > now
    }
}
