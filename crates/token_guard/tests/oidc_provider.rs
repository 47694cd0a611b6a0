//! The guard with tokens of npm's oidc-provider, the engine of Logto, which signs with ES384 here. `interop/oidc/run` starts
//! these tests with the provider in `NODE_PATH`.
#![cfg(test)]

use reqwest::Client;
use serde_json::Value;
use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use token_guard::{Caller, Clock, GuardError, LogtoPermissions, TokenFault, TokenGuard, TokenGuardBuilder};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};
use url::form_urlencoded;

const PROVIDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop/oidc/provider.mjs");
const MINUTE: Duration = Duration::from_secs(60);
const RESOURCE: &str = "https://api.contoso.com";

/// A provider process.
struct Provider {
    process: Child,
    /// The endpoint of the tenant, in Logto's words.
    endpoint: String,
    client: Client,
}

impl Provider {
    /// Starts a provider on a port, or on any free port if it is 0.
    async fn start(port: u16) -> Self {
        let mut process = Command::new("node")
            .arg(PROVIDER)
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = timeout(MINUTE, lines.next_line())
            .await
            .expect("the provider was not ready within a minute")
            .unwrap()
            .expect("the provider ended before it was ready");
        Self {
            process,
            endpoint: issuer.strip_suffix("/oidc").unwrap().to_owned(),
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Stops the provider, and returns its port.
    async fn stop(mut self) -> u16 {
        self.process.kill().await.unwrap();
        self.endpoint.rsplit(':').next().unwrap().parse().unwrap()
    }

    async fn restart(self) -> Self {
        Self::start(self.stop().await).await
    }

    /// Requests an access token: a JWT for a resource, or else an opaque token.
    async fn token(&self, resource: Option<&str>, scope: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "machine"),
            ("client_secret", "of-the-machine"),
            ("scope", scope),
        ];
        let form = form.into_iter().chain(resource.map(|resource| ("resource", resource)));
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self.client.post(format!("{}/oidc/token", self.endpoint));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(body).send().await.unwrap().text().await.unwrap();
        let response: Value = serde_json::from_str(&response).unwrap();
        response["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("{response}"))
            .to_owned()
    }

    async fn key_requests(&self) -> u32 {
        let request = self.client.get(format!("{}/key-requests", self.endpoint));
        request.send().await.unwrap().text().await.unwrap().parse().unwrap()
    }
}

/// The system's clock with an offset that a test sets.
#[derive(Clone, Default)]
struct OffsetClock(Arc<Mutex<Duration>>);

impl OffsetClock {
    fn clock(&self) -> Clock {
        let offset = self.clone();
        Clock::new(move || SystemTime::now() + *offset.0.lock().unwrap())
    }

    fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

fn guard(provider: &Provider, time: &OffsetClock) -> TokenGuard {
    builder(provider, time).build().unwrap()
}

fn builder(provider: &Provider, time: &OffsetClock) -> TokenGuardBuilder {
    let permissions = LogtoPermissions::GlobalApi {
        resource: RESOURCE.to_owned(),
    };
    TokenGuard::logto(&provider.endpoint, permissions).clock(time.clock())
}

fn fault(outcome: Result<Caller, GuardError>) -> TokenFault {
    match outcome {
        Err(GuardError::InvalidToken(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn is_503(outcome: Result<Caller, GuardError>) -> bool {
    outcome.is_err_and(|error| error.status() == 503)
}

#[tokio::test]
async fn only_tokens_for_the_api_accepted() {
    let provider = Provider::start(0).await;
    let guard = guard(&provider, &OffsetClock::default());
    let token = provider.token(Some(RESOURCE), "read:messages").await;
    let caller = guard.verify(&token).await.unwrap();
    assert_eq!(caller.client_id(), Some("machine"));
    assert_eq!(caller.scopes(), ["read:messages"]);
    assert_eq!(
        guard
            .requiring_scopes(["write:messages"])
            .verify(&token)
            .await
            .unwrap_err()
            .status(),
        403
    );

    let foreign = provider.token(Some("https://api.fabrikam.com"), "read:messages").await;
    assert_eq!(fault(guard.verify(&foreign).await), TokenFault::Audience);
    let opaque = provider.token(None, "").await;
    assert_eq!(fault(guard.verify(&opaque).await), TokenFault::NotAJwt);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{message}.{first}{}", &signature[1..]);
    assert_eq!(fault(guard.verify(&forged).await), TokenFault::Signature);
    assert_eq!(provider.key_requests().await, 1);
}

#[tokio::test]
async fn key_of_restarted_provider_fetched_at_once() {
    let provider = Provider::start(0).await;
    let guard = guard(&provider, &OffsetClock::default());
    let old = provider.token(Some(RESOURCE), "read:messages").await;
    assert!(guard.verify(&old).await.is_ok());

    let provider = provider.restart().await;
    let new = provider.token(Some(RESOURCE), "read:messages").await;
    assert!(guard.verify(&new).await.is_ok());
    assert_eq!(provider.key_requests().await, 1);

    // A flood of tokens with a key that the provider no longer has.
    for _ in 0..100 {
        assert_eq!(fault(guard.verify(&old).await), TokenFault::UnknownKey);
    }
    assert_eq!(provider.key_requests().await, 1);
    assert!(guard.verify(&new).await.is_ok());
}

#[tokio::test]
async fn unknown_keys_fetch_once_in_30_seconds() {
    let provider = Provider::start(0).await;
    let time = OffsetClock::default();
    let guard = guard(&provider, &time);
    let flood = provider.token(Some(RESOURCE), "read:messages").await;
    let provider = provider.restart().await;
    assert!(guard.verify(&provider.token(Some(RESOURCE), "").await).await.is_ok());
    for requests in 2..5 {
        for _ in 0..100 {
            assert_eq!(fault(guard.verify(&flood).await), TokenFault::UnknownKey);
        }
        assert_eq!(provider.key_requests().await, requests);
        time.advance(Duration::from_secs(30));
    }
}

#[tokio::test]
async fn outage_uses_stale_keys_then_503() {
    let provider = Provider::start(0).await;
    let time = OffsetClock::default();
    let guard = builder(&provider, &time)
        .key_lifetime(5 * MINUTE..=10 * MINUTE)
        .stale_keys_for(20 * MINUTE)
        .build()
        .unwrap();
    let token = provider.token(Some(RESOURCE), "read:messages").await;
    assert!(guard.verify(&token).await.is_ok());

    let provider = provider.restart().await;
    let unseen = provider.token(Some(RESOURCE), "").await;
    let port = provider.stop().await;
    // An unknown key during the outage, then expired keys, then keys that are too old.
    assert!(is_503(guard.verify(&unseen).await));
    time.advance(11 * MINUTE);
    assert!(guard.verify(&token).await.is_ok());
    time.advance(10 * MINUTE);
    assert!(guard.verify(&token).await.is_ok());
    time.advance(10 * MINUTE);
    assert!(is_503(guard.verify(&token).await));

    let provider = Provider::start(port).await;
    time.advance(Duration::from_secs(5));
    let new = provider.token(Some(RESOURCE), "").await;
    assert!(guard.verify(&new).await.is_ok());
    assert_eq!(fault(guard.verify(&token).await), TokenFault::UnknownKey);
}
