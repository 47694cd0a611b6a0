//! Credentials of Microsoft Entra ID.

use azure_core::{
    Error, Result,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::{Duration, OffsetDateTime},
};
use std::sync::Mutex;

/// A credential with one token, or with an error of this kind. It records the scopes of each request.
#[derive(Debug)]
pub(crate) struct FixedCredential {
    token: std::result::Result<String, ErrorKind>,
    scopes: Mutex<Vec<String>>,
}

impl FixedCredential {
    pub(crate) fn new(token: impl Into<String>) -> Self {
        Self {
            token: Ok(token.into()),
            scopes: Mutex::default(),
        }
    }

    pub(crate) fn failing(kind: ErrorKind) -> Self {
        Self {
            token: Err(kind),
            scopes: Mutex::default(),
        }
    }

    /// Returns the scopes of the requests so far, those of each in one string.
    pub(crate) fn scopes(&self) -> Vec<String> {
        self.scopes.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl TokenCredential for FixedCredential {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        self.scopes.lock().unwrap().push(scopes.join(" "));
        match &self.token {
            Ok(token) => Ok(AccessToken::new(
                token.clone(),
                OffsetDateTime::now_utc() + Duration::HOUR,
            )),
            Err(kind) => Err(Error::with_message(kind.clone(), "no user has signed in")),
        }
    }
}

/// A credential that never completes.
#[derive(Debug)]
pub(crate) struct HangingCredential;

#[async_trait::async_trait]
impl TokenCredential for HangingCredential {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        futures::future::pending().await
    }
}
