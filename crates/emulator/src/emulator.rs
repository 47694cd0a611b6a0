//! A running emulator.

use crate::{
    builder::EmulatorBuilder,
    error::EmulatorError,
    resource::{Resource, TokenStatus},
    server::Server,
    tokens::{EntraToken, EntraTokenRequest, Jwt},
};
use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

/// A running emulator. It stops when it is shut down or dropped.
///
/// `Debug` shows neither its access key nor a token.
///
/// ```
/// use std::time::Duration;
///
/// use acs_identity_emulator::Emulator;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), acs_identity_emulator::EmulatorError> {
/// let emulator = Emulator::builder().start().await?;
/// assert!(emulator.connection_string().starts_with("endpoint=http://127.0.0.1:"));
/// assert_eq!(emulator.identity_count(), 0);
///
/// emulator.advance(Duration::from_secs(24 * 60 * 60)); // every token issued so far has expired
/// emulator.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct Emulator {
    resource: Arc<Resource>,
    server: Server,
    endpoint: String,
    https_endpoint: String,
    ca_pem: String,
}

impl Emulator {
    /// Returns a builder with default options.
    #[must_use]
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    pub(crate) fn new(resource: Arc<Resource>, server: Server, (port, https_port): (u16, u16), ca_pem: String) -> Self {
        Self {
            resource,
            server,
            endpoint: format!("http://127.0.0.1:{port}/"),
            https_endpoint: format!("https://127.0.0.1:{https_port}/"),
            ca_pem,
        }
    }

    /// The http endpoint of the service, such as `http://127.0.0.1:49152/`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The https endpoint of the service, such as `https://127.0.0.1:49153/`.
    ///
    /// Its certificate is also valid for `localhost` and `[::1]`. Clients have to trust [`ca_pem`](Self::ca_pem).
    #[must_use]
    pub fn https_endpoint(&self) -> &str {
        &self.https_endpoint
    }

    /// The connection string of the http endpoint, `endpoint=http://…/;accesskey=…`, as every SDK accepts it.
    #[must_use]
    pub fn connection_string(&self) -> String {
        self.connection_string_to(&self.endpoint)
    }

    /// The connection string of the https endpoint.
    #[must_use]
    pub fn https_connection_string(&self) -> String {
        self.connection_string_to(&self.https_endpoint)
    }

    fn connection_string_to(&self, endpoint: &str) -> String {
        format!("endpoint={endpoint};accesskey={}", self.access_key())
    }

    /// The endpoint of the control surface, such as `http://127.0.0.1:49152/_emulator/`.
    #[must_use]
    pub fn control_endpoint(&self) -> String {
        format!("{}_emulator/", self.endpoint)
    }

    /// The access key, in base64.
    #[must_use]
    pub fn access_key(&self) -> &str {
        self.resource.access_key.as_base64()
    }

    /// The id of the resource, which is part of the ids of its identities.
    #[must_use]
    pub fn resource_id(&self) -> Uuid {
        self.resource.id
    }

    /// The CA certificate of the https endpoint, in PEM. Every emulator generates its own.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The number of identities. Users whom an assignment admits are not among them.
    #[must_use]
    pub fn identity_count(&self) -> usize {
        self.resource.registry.count()
    }

    /// The ids of all identities, oldest first: `8:acs:<resource>_<user>`. Users whom an assignment admits are not
    /// among them.
    #[must_use]
    pub fn identities(&self) -> Vec<String> {
        self.resource.registry.ids().iter().map(ToString::to_string).collect()
    }

    /// The status of an access token of the service.
    #[must_use]
    pub fn token_status(&self, token: &str) -> TokenStatus {
        Jwt::parse(token).map_or(TokenStatus::Unknown, |token| self.resource.token_status(&token))
    }

    /// Issues an access token in place of Microsoft Entra ID: a bearer token for the service, or the token of a user to
    /// be exchanged. The emulator accepts it as it would accept one of Entra ID.
    ///
    /// # Errors
    ///
    /// [`EmulatorError::Cryptography`] if the token cannot be signed.
    pub async fn mint_entra_token(&self, request: &EntraTokenRequest) -> Result<EntraToken, EmulatorError> {
        let key = self.resource.token_key.wait().await?;
        Ok(request.mint(key, self.resource.clock.now())?)
    }

    /// Moves the emulator's clock forward, by a century at most in total.
    ///
    /// Tokens expire by this clock, and the dates of signed requests are compared with it: a client that signs by the
    /// machine's clock is refused once it is more than five minutes behind.
    pub fn advance(&self, by: Duration) {
        self.resource.clock.advance(by);
    }

    /// Stops listening, and gives requests in progress up to five seconds to finish.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

impl Debug for Emulator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("endpoint", &self.endpoint)
            .field("https_endpoint", &self.https_endpoint)
            .field("resource_id", &self.resource.id)
            .field("identities", &self.identity_count())
            .finish_non_exhaustive()
    }
}
