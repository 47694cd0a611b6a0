//! A running emulator.

use crate::{
    auth::AccessKeyKind,
    error::EmulatorError,
    faults::{Fault, FaultId, InjectedFault, InvalidFault},
    http::{Scheme, Server, Service, UnknownVersion, connection_string},
    identities::EmulatorState,
    resource::TokenStatus,
    storage::OpenFile,
    tokens::{EntraToken, EntraTokenRequest, Jwt, KeyGenerationGuard},
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
    service: Arc<Service>,
    server: Server,
    endpoint: String,
    https_endpoint: String,
    ca_pem: String,
    /// Closed when requests have ended.
    file: Option<OpenFile>,
    key_generation: KeyGenerationGuard,
}

impl Emulator {
    pub(crate) fn new(
        service: Arc<Service>,
        server: Server,
        ca_pem: String,
        file: Option<OpenFile>,
        key_generation: KeyGenerationGuard,
    ) -> Self {
        Self {
            endpoint: service.addresses.endpoint(Scheme::Http),
            https_endpoint: service.addresses.endpoint(Scheme::Https),
            service,
            server,
            ca_pem,
            file,
            key_generation,
        }
    }

    /// The http endpoint of the service, such as `http://127.0.0.1:49152/`. It names the host that
    /// [`EmulatorBuilder::advertise`](crate::EmulatorBuilder::advertise) sets.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The https endpoint of the service, such as `https://127.0.0.1:49153/`.
    ///
    /// Its certificate is also valid for `localhost`, `[::1]`, and the names and addresses that the builder is given.
    /// Clients must trust [`ca_pem`](Self::ca_pem).
    #[must_use]
    pub fn https_endpoint(&self) -> &str {
        &self.https_endpoint
    }

    /// The connection string of the http endpoint with the primary key, `endpoint=http://…/;accesskey=…`, as every SDK
    /// accepts it.
    #[must_use]
    pub fn connection_string(&self) -> String {
        self.connection_string_to(&self.endpoint)
    }

    /// The connection string of the https endpoint with the primary key.
    #[must_use]
    pub fn https_connection_string(&self) -> String {
        self.connection_string_to(&self.https_endpoint)
    }

    fn connection_string_to(&self, endpoint: &str) -> String {
        connection_string(endpoint, &self.access_key())
    }

    /// The endpoint of the control surface for a program on this machine, such as `http://127.0.0.1:49152/_emulator/`.
    #[must_use]
    pub fn control_endpoint(&self) -> String {
        format!("{}_emulator/", self.service.addresses.local_endpoint(Scheme::Http))
    }

    /// The primary access key, in base64.
    #[must_use]
    pub fn access_key(&self) -> String {
        self.access_key_of(AccessKeyKind::Primary)
    }

    /// The secondary access key, in base64. It is as valid as the primary one.
    #[must_use]
    pub fn secondary_access_key(&self) -> String {
        self.access_key_of(AccessKeyKind::Secondary)
    }

    fn access_key_of(&self, kind: AccessKeyKind) -> String {
        self.service.resource.access_keys.get(kind).key.as_base64().to_owned()
    }

    /// Replaces one of the two access keys by a random one. The old key and all tokens that were made with it become
    /// invalid, [as documented].
    ///
    /// # Errors
    ///
    /// [`EmulatorError::Cryptography`] if there are no random bytes, [`EmulatorError::NotPersisted`] if the new key cannot be
    /// written to the data file.
    ///
    /// [as documented]: https://learn.microsoft.com/azure/communication-services/concepts/identity-model
    pub async fn regenerate_access_key(&self, kind: AccessKeyKind) -> Result<(), EmulatorError> {
        let receipt = self.service.resource.access_keys.regenerate(kind)?;
        Ok(self.service.resource.store.wait(receipt).await?)
    }

    /// The id of the resource, which is part of the ids of its identities.
    #[must_use]
    pub fn resource_id(&self) -> Uuid {
        self.service.resource.id
    }

    /// The CA certificate of the https endpoint, in PEM. Every emulator generates one, which persists in its data file.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The number of identities. Users of Entra ID that an assignment admits are not counted.
    #[must_use]
    pub fn identity_count(&self) -> usize {
        self.service.resource.registry.count()
    }

    /// The ids of all identities, oldest first: `8:acs:<resource>_<user>`. Users of Entra ID that an assignment admits
    /// are not listed.
    #[must_use]
    pub fn identities(&self) -> Vec<String> {
        self.service
            .resource
            .registry
            .ids()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Copies identities, assignments and revocations, which [`EmulatorBuilder::import`](crate::EmulatorBuilder::import)
    /// and [`import`](Self::import) take. It has no keys and no tokens.
    #[must_use]
    pub fn export(&self) -> EmulatorState {
        self.service.resource.export()
    }

    /// Replaces identities, assignments and revocations. Tokens stay valid if their identities, or the assignments that
    /// admitted their users, are there before and after; no revocation is taken back.
    ///
    /// # Errors
    ///
    /// [`EmulatorError::State`] if the state is of another resource, [`EmulatorError::NotPersisted`] if it cannot be written
    /// to the data file.
    pub async fn import(&self, state: &EmulatorState) -> Result<(), EmulatorError> {
        let receipt = self.service.import(state)?;
        Ok(self.service.resource.store.wait(receipt).await?)
    }

    /// Returns to the state and the settings with which the emulator was started: to the
    /// [imported](crate::EmulatorBuilder::import) identities and assignments or none, to the faults, the clock's offset, the
    /// delay of revocations and the withdrawn versions of the builder. Lists and rate limits begin anew.
    ///
    /// Access keys stay, so that connection strings remain valid. With a data file, what that had is dropped.
    ///
    /// # Errors
    ///
    /// [`EmulatorError::NotPersisted`] if it cannot be written to the data file.
    pub async fn reset(&self) -> Result<(), EmulatorError> {
        Ok(self.service.reset().await?)
    }

    /// The status of an access token of the service.
    #[must_use]
    pub fn token_status(&self, token: &str) -> TokenStatus {
        Jwt::parse(token).map_or(TokenStatus::Unknown, |token| self.service.resource.token_status(&token))
    }

    /// Issues an access token in place of Microsoft Entra ID: a bearer token for the service, or the token of a user to
    /// be exchanged. The emulator accepts it like one of Entra ID.
    ///
    /// # Errors
    ///
    /// [`EmulatorError::Cryptography`] if the token cannot be signed.
    pub async fn mint_entra_token(&self, request: &EntraTokenRequest) -> Result<EntraToken, EmulatorError> {
        let key = self.service.resource.token_key.wait().await?;
        Ok(request.mint(key, self.service.resource.clock.now())?)
    }

    /// Moves the emulator's clock forward. It can be off by a century at most in total.
    ///
    /// Tokens expire by this clock, and the dates of signed requests are compared with it: a client that signs by the
    /// machine's clock is refused once it is more than five minutes behind.
    pub fn advance(&self, by: Duration) {
        self.service
            .resource
            .clock
            .advance(by.try_into().unwrap_or(time::Duration::MAX));
    }

    /// Sets the offset of the emulator's clock from the machine's, negative if it is behind. It replaces all that
    /// [`advance`](Self::advance) has added. The limit is a century.
    ///
    /// The `Date` of responses is of this clock too, so that a client can correct its own.
    pub fn set_clock_offset(&self, offset: time::Duration) {
        self.service.resource.clock.set_offset(offset);
    }

    /// Sets the delay after which a revocation of tokens takes effect, by the emulator's clock. The service is
    /// documented to take up to 15 minutes. Zero, the default, is at once; a century is the limit.
    ///
    /// Revocations so far are not affected, nor is the deletion of an identity or an assignment, nor a regenerated
    /// access key.
    pub fn set_revocation_delay(&self, delay: Duration) {
        self.service
            .resource
            .revocation_delay
            .set(delay.try_into().unwrap_or(time::Duration::MAX));
    }

    /// Withdraws an api-version, such as `2023-10-01`: requests with it are refused with 400 `UnsupportedApiVersion`,
    /// and responses do not list it.
    ///
    /// # Errors
    ///
    /// [`UnknownVersion`] if the emulator has never supported it.
    pub fn withdraw_version(&self, version: &str) -> Result<(), UnknownVersion> {
        self.service.withdrawn_versions.add(version)
    }

    /// Supports a [withdrawn](Self::withdraw_version) api-version again.
    ///
    /// # Errors
    ///
    /// [`UnknownVersion`] if the emulator has never supported it.
    pub fn restore_version(&self, version: &str) -> Result<(), UnknownVersion> {
        self.service.withdrawn_versions.remove(version)
    }

    /// Injects a fault, from the next request to the service on. It stays until it is removed, or until it has applied
    /// to as many requests as it may.
    ///
    /// ```
    /// use acs_identity_emulator::{Emulator, Fault};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let emulator = Emulator::builder().start().await?;
    /// let id = emulator.inject(Fault::status(503).times(2))?;
    /// // Let the client under test do something, and see that it has retried twice.
    /// let [fault] = emulator.faults().try_into().unwrap();
    /// assert_eq!((fault.id, fault.hits, fault.remaining), (id, 0, Some(2)));
    /// assert!(emulator.remove_fault(id));
    ///
    /// let error = emulator.inject(Fault::status(200)).unwrap_err();
    /// assert_eq!(error.to_string(), "200 is no status of a failure: give one from 400 to 599");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidFault`] if one of its values is out of range, or has no meaning for its effect.
    pub fn inject(&self, fault: Fault) -> Result<FaultId, InvalidFault> {
        Ok(self.service.faults.inject(fault)?.id)
    }

    /// The faults, oldest first, with the number of requests that each has applied to.
    #[must_use]
    pub fn faults(&self) -> Vec<InjectedFault> {
        self.service.faults.list()
    }

    /// Removes a fault; `false` if it is no longer in the list. Requests that it has applied to are not affected.
    #[expect(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn remove_fault(&self, id: FaultId) -> bool {
        self.service.faults.remove(id)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// Stops listening, gives requests in progress up to five seconds to finish, and closes the data file.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
        drop(self.file);
        drop(self.key_generation);
    }
}

impl Debug for Emulator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("endpoint", &self.endpoint)
            .field("https_endpoint", &self.https_endpoint)
            .field("resource_id", &self.service.resource.id)
            .field("identities", &self.identity_count())
            .finish_non_exhaustive()
    }
}
