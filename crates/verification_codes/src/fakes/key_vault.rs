//! A fake of Key Vault for its client: https, a challenge for requests without a token, and one secret.

use async_trait::async_trait;
use axum::{
    BoxError, Json, Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{RetryOptions, Transport},
};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};
use serde_json::json;
use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const SCOPE: &str = "https://vault.azure.net/.default";
const CHALLENGE: &str = r#"Bearer authorization="https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee", resource="https://vault.azure.net""#;

/// A vault on loopback, until it is dropped.
pub(crate) struct FakeKeyVault {
    url: String,
    ca_pem: String,
    token: String,
    state: Arc<Mutex<Stored>>,
    server: Handle<SocketAddr>,
}

struct Stored {
    token: String,
    name: String,
    value: Option<String>,
    reads: usize,
}

impl FakeKeyVault {
    /// Starts a vault with this secret, on the current runtime.
    pub(crate) fn start(name: &str, value: &str) -> Result<Self, BoxError> {
        let (ca_pem, config) = certificate()?;
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("https://{}", listener.local_addr()?);
        let token = Uuid::new_v4().to_string();
        let state = Arc::new(Mutex::new(Stored {
            token: token.clone(),
            name: name.to_owned(),
            value: Some(value.to_owned()),
            reads: 0,
        }));
        let router = Router::new()
            .route("/secrets/{*secret}", get(secret))
            .with_state(state.clone());
        let server = Handle::new();
        let serving = axum_server::from_tcp_rustls(listener, config)?
            .handle(server.clone())
            .serve(router.into_make_service());
        tokio::spawn(serving);
        Ok(Self {
            url,
            ca_pem,
            token,
            state,
            server,
        })
    }

    /// Returns a client of the vault, with its certificate and a token for it.
    pub(crate) fn client(&self) -> Result<SecretClient, BoxError> {
        let ca = reqwest::Certificate::from_pem(self.ca_pem.as_bytes())?;
        let transport = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build()?;
        let mut options = SecretClientOptions {
            // The challenge names Azure's vaults, and the URL is on loopback.
            verify_challenge_resource: Some(false),
            ..SecretClientOptions::default()
        };
        options.client_options.transport = Some(Transport::new(Arc::new(transport)));
        options.client_options.retry = RetryOptions::none();
        let credential = Arc::new(VaultCredential(self.token.clone()));
        Ok(SecretClient::new(&self.url, credential, Some(options))?)
    }

    /// Replaces the value of the secret.
    pub(crate) fn set_secret(&self, value: &str) {
        self.state().value = Some(value.to_owned());
    }

    #[cfg(test)]
    pub(crate) fn remove_secret(&self) {
        self.state().value = None;
    }

    /// Returns the number of reads of the secret.
    #[cfg(test)]
    pub(crate) fn reads(&self) -> usize {
        self.state().reads
    }

    fn state(&self) -> MutexGuard<'_, Stored> {
        lock(&self.state)
    }
}

impl Drop for FakeKeyVault {
    fn drop(&mut self) {
        self.server.shutdown();
    }
}

fn lock(state: &Mutex<Stored>) -> MutexGuard<'_, Stored> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn secret(State(state): State<Arc<Mutex<Stored>>>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let mut vault = lock(&state);
    let token = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    if token != Some(format!("Bearer {}", vault.token).as_bytes()) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, CHALLENGE)]).into_response();
    }
    match &vault.value {
        Some(value) if path.trim_end_matches('/') == vault.name => {
            let body = Json(json!({
                "id": format!("https://contoso.vault.azure.net/secrets/{}/{}", vault.name, vault.reads),
                "value": value,
            }));
            vault.reads += 1;
            body.into_response()
        }
        _ => {
            let error = json!({ "error": { "code": "SecretNotFound", "message": "There is no such secret." } });
            (StatusCode::NOT_FOUND, Json(error)).into_response()
        }
    }
}

/// A credential that returns the vault's token.
#[derive(Debug)]
struct VaultCredential(String);

#[async_trait]
impl TokenCredential for VaultCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let token = if scopes == [SCOPE] { &self.0 } else { "none" };
        Ok(AccessToken::new(
            token.to_owned(),
            OffsetDateTime::now_utc() + Duration::HOUR,
        ))
    }
}

/// Creates a CA and a certificate for loopback. Returns the CA's certificate in PEM and the server's configuration.
fn certificate() -> Result<(String, RustlsConfig), BoxError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &ca)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.into()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((ca.pem(), RustlsConfig::from_config(Arc::new(config))))
}
