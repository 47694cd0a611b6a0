//! Options of an emulator.

#[cfg(feature = "persistence")]
use crate::storage::DataFile;
use crate::{
    auth::{
        AccessKeys, ControlToken,
        signature::{AccessKey, Tolerance},
    },
    clock::{Clock, RevocationDelay},
    control,
    emulator::Emulator,
    error::EmulatorError,
    faults::{Fault, Faults},
    http::{
        self, Addresses, Certificate, Endpoint, Hosts, InitialState, RateLimits, RequestLog, Scheme, Server, Service,
        WithdrawnVersions,
    },
    identities::{Assignments, EmulatorState, Registry},
    resource::Resource,
    storage::{Changes, Contents, DataError, Loaded, SETTINGS},
    tokens::{IssuedTokens, TokenAlgorithm, TokenKey},
};
#[cfg(feature = "persistence")]
use std::path::PathBuf;
use std::{
    fmt::{self, Debug, Formatter},
    net::IpAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};
use uuid::Uuid;

/// The name of the record with the resource's id.
const RESOURCE_ID: &str = "resourceId";

/// Options of an emulator. Each has a default that suits a test.
///
/// `Debug` shows neither the access key nor the control token.
#[derive(Clone, Default)]
pub struct EmulatorBuilder {
    port: u16,
    https_port: u16,
    hosts: Hosts,
    control_token: Option<String>,
    access_key: Option<String>,
    resource_id: Option<Uuid>,
    tolerance: Tolerance,
    token_algorithm: Option<TokenAlgorithm>,
    token_key: Option<TokenKey>,
    accept_unverified_bearer: bool,
    rate_limits: bool,
    explain: bool,
    faults: Vec<Fault>,
    clock_offset: time::Duration,
    revocation_delay: Duration,
    withdrawn_versions: Vec<String>,
    import: Option<EmulatorState>,
    #[cfg(feature = "persistence")]
    data: Option<PathBuf>,
}

impl Emulator {
    /// Returns a builder with default options.
    #[must_use]
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }
}

impl EmulatorBuilder {
    /// The port for http. 0, the default, takes any free port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The port for https. 0, the default, takes any free port.
    #[must_use]
    pub fn https_port(self, https_port: u16) -> Self {
        Self { https_port, ..self }
    }

    /// Adds an address to listen on, in place of `127.0.0.1` and `::1`, on the same ports. `0.0.0.0` and `::` are all
    /// addresses of the machine.
    ///
    /// The service is open to other machines then, to all who have an access key or a token; the control surface is not,
    /// unless there is a [control token](Self::control_token).
    #[must_use]
    pub fn host(mut self, address: impl Into<IpAddr>) -> Self {
        self.hosts.listened.push(address.into());
        self
    }

    /// Adds a name or an address by which clients reach the emulator, such as that of its container. The certificate is
    /// valid for it, and the control surface accepts it.
    ///
    /// With a data file whose certificate lacks the name, a new one takes its place, with another CA.
    #[must_use]
    pub fn name(mut self, host: impl Into<String>) -> Self {
        self.hosts.names.push(host.into());
        self
    }

    /// The host in endpoints and connection strings, which becomes a [name](Self::name) too. By default they have the
    /// address by which a client on this machine reaches the emulator.
    #[must_use]
    pub fn advertise(mut self, host: impl Into<String>) -> Self {
        self.hosts.advertised = Some(host.into());
        self
    }

    /// The secret with which other machines may use the control surface, as a bearer token. By default it is for
    /// programs on this machine only.
    #[must_use]
    pub fn control_token(self, control_token: impl Into<String>) -> Self {
        Self {
            control_token: Some(control_token.into()),
            ..self
        }
    }

    /// The primary access key, in base64 as in a connection string. The default is 32 random bytes, which the secondary
    /// key always is.
    ///
    /// A key that differs from the one in the data file takes its place, as if that was regenerated: the
    /// tokens that were made with it are revoked.
    #[must_use]
    pub fn access_key(self, base64: impl Into<String>) -> Self {
        Self {
            access_key: Some(base64.into()),
            ..self
        }
    }

    /// The id of the resource, which is part of the ids of its identities. The default is random.
    ///
    /// With a data file of a resource with another id, the emulator does not start.
    #[must_use]
    pub fn resource_id(self, resource_id: Uuid) -> Self {
        Self {
            resource_id: Some(resource_id),
            ..self
        }
    }

    /// Accepts only the documented forms of signatures, paths and bodies if `strict` is true. By default, the emulator
    /// accepts what official clients sign, see [`Tolerance`], and what the service's stack accepts: paths in any case,
    /// percent-encoded, and with a slash at their end; JSON with names in any case, numbers in texts, repeated members and
    /// a byte order mark, also as `text/json` or `application/*+json`.
    #[must_use]
    pub fn strict(self, strict: bool) -> Self {
        let tolerance = if strict {
            Tolerance::Strict
        } else {
            Tolerance::OfficialClients
        };
        Self { tolerance, ..self }
    }

    /// The algorithm of token signatures. The default is RS256, which the service uses.
    ///
    /// If the key in the data file has another algorithm, a new one takes its place, and tokens that were
    /// issued before are unknown.
    #[must_use]
    pub fn token_algorithm(self, token_algorithm: TokenAlgorithm) -> Self {
        Self {
            token_algorithm: Some(token_algorithm),
            ..self
        }
    }

    /// The key that signs tokens, which also determines the algorithm. By default the emulator generates one. A given
    /// key is not written to the data file.
    #[must_use]
    pub fn token_key(self, token_key: TokenKey) -> Self {
        Self {
            token_key: Some(token_key),
            ..self
        }
    }

    /// Accepts bearer tokens without a check of their signatures if true, so that tokens of the real Entra ID can be
    /// used. Their audience and expiry are still checked, and so is the signature of a Teams user's token, which is in
    /// the body. The default is false.
    #[must_use]
    pub fn accept_unverified_bearer(self, accept_unverified_bearer: bool) -> Self {
        Self {
            accept_unverified_bearer,
            ..self
        }
    }

    /// Refuses requests beyond the service's published limits with 429 if true. The default is false.
    ///
    /// The windows of the limits pass by the emulator's clock: [`Emulator::advance`] by 30 seconds ends them all.
    #[must_use]
    pub fn rate_limits(self, rate_limits: bool) -> Self {
        Self { rate_limits, ..self }
    }

    /// Adds the reason and the remedy to the message of a 401 if true, which the service does not do. By default, they
    /// are in the log and in the control surface's list only.
    #[must_use]
    pub fn explain(self, explain: bool) -> Self {
        Self { explain, ..self }
    }

    /// Adds a fault that is [injected](Emulator::inject) from the beginning.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The [offset](Emulator::set_clock_offset) of the emulator's clock from the machine's, negative if it is behind.
    /// The default is zero.
    #[must_use]
    pub fn clock_offset(self, clock_offset: time::Duration) -> Self {
        Self { clock_offset, ..self }
    }

    /// The [delay](Emulator::set_revocation_delay) after which a revocation of tokens takes effect. The default is
    /// zero.
    #[must_use]
    pub fn revocation_delay(self, revocation_delay: Duration) -> Self {
        Self {
            revocation_delay,
            ..self
        }
    }

    /// Adds an api-version that the emulator [does not support](Emulator::withdraw_version).
    #[must_use]
    pub fn withdraw_version(mut self, version: impl Into<String>) -> Self {
        self.withdrawn_versions.push(version.into());
        self
    }

    /// The identities, assignments and revocations with which the emulator starts, and to which a
    /// [reset](Emulator::reset) returns. The default has none. Without [`resource_id`](Self::resource_id), the resource is
    /// that of the state.
    ///
    /// A data file that exists already remains unchanged, so that a restart continues where the last one ended.
    #[must_use]
    pub fn import(self, state: EmulatorState) -> Self {
        Self {
            import: Some(state),
            ..self
        }
    }

    /// The file in which identities, assignments, revocations and keys persist. An emulator that is started with it
    /// again continues where this one ends, even if it is killed. By default there is no file. The file is created if
    /// it does not exist, and only one emulator can use it at a time.
    ///
    /// A change is on the disk before the response to its request is sent. If it cannot be written, the response is
    /// 500, and so is the response to every later change until the emulator is started again.
    ///
    /// The file contains the access keys and the private keys of tokens and of the https endpoint. Where there are Unix
    /// permissions, the emulator creates it readable by its owner only.
    #[cfg(feature = "persistence")]
    #[must_use]
    pub fn data(self, path: impl Into<PathBuf>) -> Self {
        Self {
            data: Some(path.into()),
            ..self
        }
    }

    /// Starts the emulator on loopback, or on the given [hosts](Self::host). It is ready when this returns.
    ///
    /// Call it within a tokio runtime; the emulator runs on that runtime.
    ///
    /// # Errors
    ///
    /// [`EmulatorError`] if
    ///
    /// * the access key is not base64, or a fault, a name or the control token is not valid;
    /// * a version to withdraw is unknown, or the state to import is of another resource;
    /// * an address cannot be listened on, or the data file cannot be used;
    /// * a random key or the certificate cannot be generated.
    pub async fn start(mut self) -> Result<Emulator, EmulatorError> {
        let (plain, http) = self.hosts.bind(self.port).await?;
        let (secured, https) = self.hosts.bind(self.https_port).await?;
        let addresses = self.hosts.addresses(http, https)?;
        let exposed = self.hosts.exposed();
        #[cfg(feature = "persistence")]
        let loaded = match &self.data {
            Some(path) => DataFile::open(path.clone()).await?,
            None => Loaded::default(),
        };
        #[cfg(not(feature = "persistence"))]
        let loaded = Loaded::default();
        let (token_key, new_key) = match self.token_key.take() {
            Some(given) => (given, None),
            None => TokenKey::load(self.token_algorithm, &loaded)?,
        };
        let key_generation = token_key.generation_guard();
        self.token_key = Some(token_key);
        let now = OffsetDateTime::now_utc();
        let certificate = match Certificate::load(&loaded.contents, &addresses, now)? {
            Some(certificate) => certificate,
            None => Certificate::generate(&addresses, now)?,
        };
        let ca_pem = certificate.ca_pem().to_owned();
        let tls = TlsAcceptor::from(Arc::new(certificate.server_config()?));
        let is_new = loaded.contents.setting::<Uuid>(RESOURCE_ID)?.is_none();
        let has_import = self.import.is_some();
        let service = Arc::new(self.service(addresses, Clock::default(), &loaded)?);
        let resource = &service.resource;
        let describe = |changes: &mut Changes| {
            changes.put(SETTINGS, RESOURCE_ID, &resource.id);
            resource.access_keys.put(changes);
            certificate.put(changes);
        };
        // Nothing but this write can fail from here on: a start that fails leaves the file as it was.
        let receipt = if is_new {
            resource.import(&service.initial.state, describe)?
        } else {
            if has_import {
                info!("the data file has a state, which the import does not change; a reset replaces it by the import");
            }
            loaded.store.write(describe)
        };
        loaded.store.wait(receipt).await?;
        if let Some(new_key) = new_key {
            tokio::spawn(new_key.persist(loaded.store));
        }
        warn_of(&exposed, service.control_token.is_some());
        let router = |scheme| {
            let service = service.clone();
            let endpoint = Endpoint { scheme, service };
            control::router(&endpoint).fallback_service(http::router(&endpoint))
        };
        let mut server = Server::new();
        server.serve(plain, None, router(Scheme::Http));
        server.serve(secured, Some(tls), router(Scheme::Https));
        Ok(Emulator::new(service, server, ca_pem, loaded.file, key_generation))
    }

    /// The service that the emulator offers, whose time is that of `clock`. Nothing of it is written yet.
    pub(crate) fn service(self, addresses: Addresses, clock: Clock, loaded: &Loaded) -> Result<Service, EmulatorError> {
        let control_token: Option<ControlToken> = self.control_token.map(|text| text.parse()).transpose()?;
        let access_key: Option<AccessKey> = self.access_key.map(|base64| base64.parse()).transpose()?;
        let faults = Faults::default();
        for fault in &self.faults {
            faults.inject(fault.clone())?;
        }
        let withdrawn_versions = WithdrawnVersions::default();
        withdrawn_versions.set(&self.withdrawn_versions)?;
        clock.set_offset(self.clock_offset);
        let state = self.import.unwrap_or_default();
        let id = resource_id(self.resource_id, &loaded.contents, &state)?;
        let revocation_delay = RevocationDelay::new(self.revocation_delay);
        let initial = InitialState {
            state,
            faults: self.faults,
            clock_offset: clock.offset(),
            revocation_delay: revocation_delay.get(),
            withdrawn_versions: self.withdrawn_versions,
        };
        let access_keys = match AccessKeys::load(access_key.as_ref(), loaded)? {
            Some(access_keys) => access_keys,
            None => AccessKeys::generate(access_key, loaded)?,
        };
        let token_algorithm = self.token_algorithm.unwrap_or_default();
        let token_key = self.token_key.unwrap_or_else(|| TokenKey::generate(token_algorithm));
        let resource = Resource {
            id,
            access_keys,
            token_key,
            clock,
            registry: Registry::load(id, loaded)?,
            teams_extension_assignments: Assignments::load(loaded)?,
            entra_assignments: Assignments::load(loaded)?,
            serials: AtomicU64::new(0),
            issued: IssuedTokens::default(),
            revocation_delay,
            store: loaded.store.clone(),
        };
        Ok(Service {
            resource,
            addresses,
            control_token,
            tolerance: self.tolerance,
            accept_unverified_bearer: self.accept_unverified_bearer,
            explain: self.explain,
            faults,
            rate_limits: RateLimits::new(self.rate_limits),
            request_log: RequestLog::default(),
            withdrawn_versions,
            initial,
            imports: AtomicU64::new(0),
            resets: AtomicU64::new(0),
        })
    }
}

/// Warns of addresses that other machines can reach.
fn warn_of(exposed: &[IpAddr], has_control_token: bool) {
    if exposed.is_empty() {
        return;
    }
    let exposed: Vec<_> = exposed.iter().map(ToString::to_string).collect();
    let control = if has_control_token {
        "to those who have the control token"
    } else {
        "to none of them, without a control token"
    };
    warn!(
        "other machines can reach the emulator at {}: the service is open to all who have an access key, and the control \
         surface {control}",
        exposed.join(", ")
    );
}

/// The id in the data file, else the given one, else that of the state to import, else a random one. A given id that differs
/// from that in the file is refused, and so is a state of another resource.
fn resource_id(given: Option<Uuid>, contents: &Contents, state: &EmulatorState) -> Result<Uuid, EmulatorError> {
    let id = match (given, contents.setting(RESOURCE_ID)?) {
        (Some(given), Some(stored)) if given != stored => {
            return Err(contents.refused(DataError::OtherResource { stored }).into());
        }
        (given, stored) => stored.or(given).or(state.resource_id).unwrap_or_else(Uuid::new_v4),
    };
    state.check_resource(id)?;
    Ok(id)
}

impl Debug for EmulatorBuilder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("EmulatorBuilder");
        #[cfg(feature = "persistence")]
        shown.field("data", &self.data);
        shown
            .field("port", &self.port)
            .field("https_port", &self.https_port)
            .field("hosts", &self.hosts)
            .field("resource_id", &self.resource_id)
            .field("tolerance", &self.tolerance)
            .field("token_algorithm", &self.token_algorithm)
            .field("token_key", &self.token_key)
            .field("accept_unverified_bearer", &self.accept_unverified_bearer)
            .field("rate_limits", &self.rate_limits)
            .field("explain", &self.explain)
            .field("faults", &self.faults)
            .field("clock_offset", &self.clock_offset)
            .field("revocation_delay", &self.revocation_delay)
            .field("withdrawn_versions", &self.withdrawn_versions)
            .field("import", &self.import)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::EntraTokenRequest;
    use reqwest::{Certificate, Client, StatusCode};
    use std::time::Duration;
    use tokio::time::timeout;

    /// A limit that only a failure reaches.
    const TIMEOUT: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn token_key_is_awaited_by_tokens_only() {
        let builder = Emulator::builder()
            .token_key(TokenKey::pending(TokenAlgorithm::Rs256))
            .accept_unverified_bearer(true);
        let emulator = timeout(TIMEOUT, builder.start()).await.unwrap().unwrap();

        let another_key = TokenKey::generate(TokenAlgorithm::Es256);
        let bearer = EntraTokenRequest::service()
            .mint(another_key.get().unwrap(), OffsetDateTime::now_utc())
            .unwrap();
        let ca = Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
        let http = Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
        let create = http
            .post(format!(
                "{}identities?api-version=2023-10-01",
                emulator.https_endpoint()
            ))
            .bearer_auth(bearer.token)
            .timeout(TIMEOUT);
        assert_eq!(create.send().await.unwrap().status(), StatusCode::CREATED);
    }
}
