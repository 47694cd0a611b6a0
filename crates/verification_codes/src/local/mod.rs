//! What stands in for the cloud, in this process: the number service, Key Vault, and an issuer of test users. The queue
//! is Azurite's.

pub(crate) mod azurite;
pub(crate) mod numbers;
pub(crate) mod vault;

use self::{numbers::NumberDouble, vault::VaultDouble};
use crate::{Outcome, numbers::NumberService};
use aws_lc_rs::rand;
use axum::{Router, http::StatusCode, routing::post};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use std::sync::Arc;
use token_guard::{TokenGuard, testing::TestIssuer};
use tokio::{net::TcpListener, task::AbortHandle};

const SECRET_NAME: &str = "third-party-api-key";
const AUDIENCE: &str = "https://codes.contoso.com";

/// The doubles of services. They end when it is dropped.
pub(crate) struct LocalCloud {
    doubles: Arc<Doubles>,
    issuer: TestIssuer,
    rotation_url: String,
    rotation: AbortHandle,
}

struct Doubles {
    vault: VaultDouble,
    numbers: NumberDouble,
}

impl LocalCloud {
    pub(crate) async fn start() -> Outcome<Self> {
        let key = new_key()?;
        let doubles = Arc::new(Doubles {
            vault: VaultDouble::start(SECRET_NAME, &key)?,
            numbers: NumberDouble::start(&key).await?,
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let rotation_url = format!("http://{}/rotate", listener.local_addr()?);
        let rotating = doubles.clone();
        let router = Router::new().route("/rotate", post(async move || rotating.rotate()));
        let rotation = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self {
            doubles,
            issuer: TestIssuer::start().await?,
            rotation_url,
            rotation,
        })
    }

    /// A client of the number service, with the key that the vault has.
    pub(crate) fn numbers(&self) -> Outcome<NumberService> {
        let Doubles { vault, numbers } = &*self.doubles;
        Ok(NumberService::new(numbers.url().clone(), vault.secret()?)?)
    }

    /// A guard that accepts the tokens of the test users.
    pub(crate) fn guard(&self) -> Outcome<TokenGuard> {
        Ok(TokenGuard::builder(self.issuer.url(), [AUDIENCE]).build()?)
    }

    /// A token of a test user, for an hour.
    pub(crate) fn token(&self, user: &str) -> Outcome<String> {
        Ok(self.issuer.token(json!({ "sub": user, "aud": AUDIENCE }))?)
    }

    /// Where a POST replaces the key of the number service.
    pub(crate) fn rotation_url(&self) -> &str {
        &self.rotation_url
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.rotation.abort();
    }
}

impl Doubles {
    /// Gives the number service another key, and puts that into the vault.
    fn rotate(&self) -> StatusCode {
        let Ok(key) = new_key() else {
            return StatusCode::INTERNAL_SERVER_ERROR;
        };
        self.numbers.accept(&key);
        self.vault.keep(&key);
        StatusCode::NO_CONTENT
    }
}

fn new_key() -> Outcome<String> {
    let mut key = [0; 32];
    rand::fill(&mut key)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(key))
}
