//! How an emulator is to be.

use crate::{
    certificate::Certificate,
    clock::Clock,
    emulator::Emulator,
    endpoint::{Endpoint, Scheme},
    error::EmulatorError,
    registry::Registry,
    resource::Resource,
    router::router,
    server::{Server, bind},
    signature::{AccessKey, Tolerance},
    tokens::{TokenAlgorithm, TokenKey},
};
use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

/// The options of an emulator. Each has a default that suits a test.
///
/// `Debug` does not show the access key.
#[derive(Clone, Default)]
pub struct EmulatorBuilder {
    port: u16,
    https_port: u16,
    access_key: Option<String>,
    resource_id: Option<Uuid>,
    tolerance: Tolerance,
    token_algorithm: TokenAlgorithm,
    token_key: Option<TokenKey>,
    accept_unverified_bearer: bool,
}

impl EmulatorBuilder {
    /// The port for http. 0, the default, takes any that is free.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The port for https. 0, the default, takes any that is free.
    #[must_use]
    pub fn https_port(self, https_port: u16) -> Self {
        Self { https_port, ..self }
    }

    /// The access key, in base64 as in a connection string. The default is 32 random bytes.
    #[must_use]
    pub fn access_key(self, base64: impl Into<String>) -> Self {
        Self {
            access_key: Some(base64.into()),
            ..self
        }
    }

    /// The id of the resource, which stands in the ids of its identities. The default is random.
    #[must_use]
    pub fn resource_id(self, resource_id: Uuid) -> Self {
        Self {
            resource_id: Some(resource_id),
            ..self
        }
    }

    /// Whether only the documented form of a signature is good. By default it is not: see [`Tolerance`].
    #[must_use]
    pub fn strict(self, strict: bool) -> Self {
        let tolerance = if strict {
            Tolerance::Strict
        } else {
            Tolerance::OfficialClients
        };
        Self { tolerance, ..self }
    }

    /// The algorithm that tokens are signed with. The default is RS256, as the service has it.
    #[must_use]
    pub fn token_algorithm(self, token_algorithm: TokenAlgorithm) -> Self {
        Self {
            token_algorithm,
            ..self
        }
    }

    /// The key that tokens are signed with, which settles the algorithm too. By default the emulator makes its own.
    #[must_use]
    pub fn token_key(self, token_key: TokenKey) -> Self {
        Self {
            token_key: Some(token_key),
            ..self
        }
    }

    /// Whether bearer tokens are good whoever has signed them, as those of the real Entra ID are not signed by the
    /// emulator. Their audience and their life are checked all the same. The default is no.
    #[must_use]
    pub fn accept_unverified_bearer(self, accept_unverified_bearer: bool) -> Self {
        Self {
            accept_unverified_bearer,
            ..self
        }
    }

    /// Starts the emulator on 127.0.0.1. It is ready when this returns.
    ///
    /// Call it within a tokio runtime; the emulator runs on that runtime.
    ///
    /// # Errors
    ///
    /// [`EmulatorError`] if the access key is not base64, a port is taken, or the key and certificate cannot be made.
    pub async fn start(self) -> Result<Emulator, EmulatorError> {
        let access_key = match self.access_key {
            Some(base64) => base64.parse()?,
            None => AccessKey::generate()?,
        };
        let (http, port) = listen(self.port).await?;
        let (https, https_port) = listen(self.https_port).await?;
        let id = self.resource_id.unwrap_or_else(Uuid::new_v4);
        let resource = Arc::new(Resource {
            id,
            access_key,
            tolerance: self.tolerance,
            accept_unverified_bearer: self.accept_unverified_bearer,
            token_key: self
                .token_key
                .unwrap_or_else(|| TokenKey::generate(self.token_algorithm)),
            clock: Clock::default(),
            registry: Registry::new(id),
        });

        let certificate = Certificate::generate()?;
        let ca_pem = certificate.ca_pem().to_owned();
        let tls = TlsAcceptor::from(Arc::new(certificate.into_server_config()?));
        let router = |scheme| {
            router(Endpoint {
                scheme,
                resource: resource.clone(),
            })
        };
        let mut server = Server::new();
        server.serve(http, None, router(Scheme::Http));
        server.serve(https, Some(tls), router(Scheme::Https));
        Ok(Emulator::new(resource, server, (port, https_port), ca_pem))
    }
}

async fn listen(port: u16) -> Result<(TcpListener, u16), EmulatorError> {
    bind(port).await.map_err(|source| EmulatorError::Bind { port, source })
}

impl Debug for EmulatorBuilder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorBuilder")
            .field("port", &self.port)
            .field("https_port", &self.https_port)
            .field("resource_id", &self.resource_id)
            .field("tolerance", &self.tolerance)
            .field("token_algorithm", &self.token_algorithm)
            .field("token_key", &self.token_key)
            .field("accept_unverified_bearer", &self.accept_unverified_bearer)
            .finish_non_exhaustive()
    }
}
