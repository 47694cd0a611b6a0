//! Tokens that come by the exchange of Entra tokens.

mod exchange;
mod options;
#[cfg(test)]
mod tests;

pub use options::EntraCommunicationTokenCredentialOptions;

use super::{
    CommunicationTokenCredential, Source, background::loggable, check, schedule, shared_error::SharedError,
    single_flight::SingleFlight,
};
use crate::{
    auth::{Clock, DistinctCredential, Plaintext, parse_endpoint},
    error::CommunicationError,
    models::CommunicationAccessToken,
};
use azure_core::{
    Error, Result,
    credentials::{Secret, TokenCredential},
    error::ErrorKind,
    time::OffsetDateTime,
};
use exchange::Exchange;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

impl CommunicationTokenCredential {
    /// Creates a credential that exchanges the Entra tokens of a user for access tokens of Communication Services.
    ///
    /// This is for an application that a user has signed in to with Entra ID; it needs no backend that issues tokens. An
    /// administrator has to [admit the users and the application to the resource][entra] first. For Teams Phone
    /// extensibility, set its scope in the options.
    ///
    /// Each [`get_token`](Self::get_token) asks the Entra credential, which is expected to keep its token as those of
    /// `azure_identity` do. The token is exchanged when it is another one than before, and when what it was exchanged for
    /// has two minutes to live or, if it never had more, half of its life. Callers that come while this is under way share
    /// its outcome. Nothing is sent before the first call.
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
    /// [the client](crate::CommunicationIdentityClient#errors) do. If an exchange fails and the token of the last one is
    /// valid, for the same Entra token, that one is returned.
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
        let source = EntraSource::new(endpoint, credential, options.unwrap_or_default(), Clock::system())?;
        Ok(Self(Source::Entra(Arc::new(source))))
    }
}

/// An Entra credential, and the token that its token was last exchanged for.
pub(super) struct EntraSource {
    credential: DistinctCredential,
    scopes: Vec<String>,
    exchange: Exchange,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exchanged: Option<Exchanged>,
    answer: SingleFlight<CommunicationAccessToken>,
}

/// What an Entra token was exchanged for.
struct Exchanged {
    entra_token: Secret,
    token: CommunicationAccessToken,
    /// When the same Entra token is to be exchanged again.
    refresh_at: OffsetDateTime,
    /// How many exchanges of it have failed since.
    failures: u32,
}

impl EntraSource {
    fn new(
        endpoint: &str,
        credential: Arc<dyn TokenCredential>,
        options: EntraCommunicationTokenCredentialOptions,
        clock: Clock,
    ) -> Result<Self> {
        let endpoint = parse_endpoint(endpoint, Plaintext::Never)?;
        Ok(Self {
            credential: DistinctCredential(credential),
            exchange: Exchange::new(&endpoint, &options, clock.clone())?,
            scopes: options.scopes,
            clock,
            state: Mutex::default(),
        })
    }

    pub(super) async fn token(self: &Arc<Self>) -> Result<CommunicationAccessToken> {
        let source = Arc::clone(self);
        let answer = self.state().answer.join(|| async move { source.ask().await });
        answer.land().await.map_err(SharedError::into_error)
    }

    async fn ask(&self) -> Result<CommunicationAccessToken> {
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let entra_token = self.credential.get_token(&scopes, None).await?.token;
        if entra_token.secret().is_empty() {
            return Err(Error::with_message(
                ErrorKind::Credential,
                "the Entra credential gave an empty token",
            ));
        }
        if let Some(token) = self.exchanged_already(&entra_token) {
            return Ok(token);
        }
        let outcome = self.exchange.exchange(&entra_token).await;
        let now = self.clock.now();
        let outcome = outcome.and_then(|token| check::obtained(token, now, "the exchange of the Entra token"));
        match outcome {
            Ok(token) => {
                self.state().exchanged = Some(Exchanged {
                    entra_token,
                    refresh_at: schedule::refresh_at(token.expires_on, now, schedule::ON_DEMAND),
                    token: token.clone(),
                    failures: 0,
                });
                Ok(token)
            }
            Err(error) => self.make_do(&entra_token, now, error),
        }
    }

    /// The token that this very Entra token was exchanged for, until it is time to exchange it again.
    fn exchanged_already(&self, entra_token: &Secret) -> Option<CommunicationAccessToken> {
        let now = self.clock.now();
        let state = self.state();
        let exchanged = state.exchanged.as_ref()?;
        (exchanged.is_valid(entra_token, now) && now < exchanged.refresh_at).then(|| exchanged.token.clone())
    }

    /// What is left after a failed exchange: the last token while it is valid, or else the failure.
    fn make_do(&self, entra_token: &Secret, now: OffsetDateTime, error: Error) -> Result<CommunicationAccessToken> {
        let mut state = self.state();
        let exchanged = state.exchanged.as_mut();
        let Some(exchanged) = exchanged.filter(|exchanged| exchanged.is_valid(entra_token, now)) else {
            return Err(error);
        };
        exchanged.failures = exchanged.failures.saturating_add(1);
        let retry_after = CommunicationError::from_error(&error).and_then(|error| error.retry_after);
        exchanged.refresh_at = schedule::retry_at(now, exchanged.failures, retry_after);
        tracing::warn!(
            error = loggable(&error),
            "an Entra token could not be exchanged again; the last access token is still valid"
        );
        Ok(exchanged.token.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchanged {
    fn is_valid(&self, entra_token: &Secret, now: OffsetDateTime) -> bool {
        self.entra_token == *entra_token && self.token.expires_on > now
    }
}
