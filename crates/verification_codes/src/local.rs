//! The cloud of a program without configuration: fakes of the number service and Key Vault, and an issuer of test users.

use crate::{
    fakes::{FakeKeyVault, FakeNumberService},
    key_vault::VaultSecret,
    number_service::NumberService,
};
use aws_lc_rs::rand;
use axum::{BoxError, Router, http::StatusCode, routing::post};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use std::sync::Arc;
use token_guard::{TokenGuard, testing::TestIssuer};
use tokio::{net::TcpListener, task::AbortHandle};

const SECRET_NAME: &str = "third-party-api-key";
const AUDIENCE: &str = "https://codes.contoso.com";
const SCOPE: &str = "access_as_user";

/// The running fakes, until it is dropped.
pub(crate) struct LocalCloud {
    fakes: Arc<Fakes>,
    issuer: TestIssuer,
    rotation_url: String,
    rotation: AbortHandle,
}

struct Fakes {
    vault: FakeKeyVault,
    numbers: FakeNumberService,
}

impl LocalCloud {
    pub(crate) async fn start() -> Result<Self, BoxError> {
        let key = new_key()?;
        let fakes = Arc::new(Fakes {
            vault: FakeKeyVault::start(SECRET_NAME, &key)?,
            numbers: FakeNumberService::start(&key).await?,
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let rotation_url = format!("http://{}/rotate", listener.local_addr()?);
        let rotating = fakes.clone();
        let router = Router::new().route("/rotate", post(async move || rotating.rotate()));
        let rotation = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self {
            fakes,
            issuer: TestIssuer::start().await?,
            rotation_url,
            rotation,
        })
    }

    /// Returns a client of the number service, with the key from the vault.
    pub(crate) fn numbers(&self) -> Result<NumberService, BoxError> {
        let Fakes { vault, numbers } = &*self.fakes;
        let key = VaultSecret::new(vault.client()?, SECRET_NAME.to_owned());
        Ok(NumberService::new(numbers.url().clone(), key)?)
    }

    /// Returns a guard that accepts the tokens of the test users.
    pub(crate) fn guard(&self) -> Result<TokenGuard, BoxError> {
        let guard = TokenGuard::builder(self.issuer.url(), [AUDIENCE]).build()?;
        Ok(guard.requiring_scopes([SCOPE]))
    }

    /// Issues a token of a test user, valid for an hour.
    pub(crate) fn token(&self, user: &str) -> Result<String, BoxError> {
        Ok(self
            .issuer
            .token(json!({ "sub": user, "aud": AUDIENCE, "scope": SCOPE }))?)
    }

    /// Returns the URL at which a POST replaces the key of the number service.
    pub(crate) fn rotation_url(&self) -> &str {
        &self.rotation_url
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.rotation.abort();
    }
}

impl Fakes {
    /// Replaces the key of the number service, and the secret in the vault.
    fn rotate(&self) -> StatusCode {
        let Ok(key) = new_key() else {
            return StatusCode::INTERNAL_SERVER_ERROR;
        };
        self.numbers.set_key(&key);
        self.vault.set_secret(&key);
        StatusCode::NO_CONTENT
    }
}

fn new_key() -> Result<String, BoxError> {
    let mut key = [0; 32];
    rand::fill(&mut key)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(key))
}
