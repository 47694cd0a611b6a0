//! An issuer on loopback, and a clock that a test sets, for tests of an API.

use crate::clock::Clock;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{StatusCode, header::CACHE_CONTROL};
use serde_json::{Map, Value, json};
use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{net::TcpListener, task::AbortHandle};
use uuid::Uuid;

/// An OpenID Connect issuer on a free port of loopback. It signs with ES384, as Logto does.
///
/// It serves `/.well-known/openid-configuration` and its keys until it is dropped, and issues any token that a test needs.
/// It runs on tokio.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use token_guard::{TokenGuard, testing::TestIssuer};
///
/// let issuer = TestIssuer::start().await?;
/// let guard = TokenGuard::builder(issuer.url(), ["https://api.contoso.com"]).build()?;
///
/// let claims = serde_json::json!({"sub": "alice", "aud": "https://api.contoso.com", "scope": "read:messages"});
/// let caller = guard.verify(&issuer.token(claims)?).await?;
/// assert!(caller.has_scope("read:messages"));
/// # Ok(())
/// # }
/// ```
pub struct TestIssuer {
    url: String,
    clock: Clock,
    state: Arc<Mutex<Served>>,
    server: AbortHandle,
}

/// The documents that are served, and the key that signs tokens.
struct Served {
    url: String,
    key: SigningKey,
    /// The keys that are served instead of `key`.
    keys: Option<Value>,
    cache_control: Option<String>,
    available: bool,
    key_requests: usize,
}

struct SigningKey {
    id: String,
    pair: EcdsaKeyPair,
}

impl TestIssuer {
    /// Starts an issuer with a new key.
    ///
    /// # Errors
    ///
    /// The issuer cannot listen on loopback, or there is no randomness for a key.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(Served {
            url: url.clone(),
            key: SigningKey::generate()?,
            keys: None,
            cache_control: None,
            available: true,
            key_requests: 0,
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .with_state(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self {
            url,
            clock: Clock::default(),
            state,
            server,
        })
    }

    /// Sets the clock for the times of its tokens. Default: the system's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Returns the `iss` of the tokens, which is also the address of the issuer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Issues an access token with these claims. Adds `iss`, `sub`, `iat`, `exp` (in an hour) and `jti` unless `claims` has
    /// them.
    ///
    /// # Errors
    ///
    /// `claims` is not an object, or there is no randomness for a signature.
    pub fn token(&self, claims: Value) -> io::Result<String> {
        let Value::Object(claims) = claims else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "claims must be an object"));
        };
        let now = self
            .clock
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let defaults = json!({
            "iss": self.url,
            "sub": "test-user",
            "iat": now,
            "exp": now + 3600,
            "jti": Uuid::new_v4(),
        });
        let mut all = match defaults {
            Value::Object(defaults) => defaults,
            _ => Map::new(),
        };
        all.extend(claims);
        let header = json!({"alg": "ES384", "typ": "at+jwt", "kid": self.key_id()});
        self.sign(&header, &Value::Object(all))
    }

    /// Signs a token with exactly this header and these claims, valid or not.
    ///
    /// # Errors
    ///
    /// There is no randomness for a signature.
    ///
    /// # Examples
    ///
    /// A token of Call Automation, for a guard that has the key of this issuer:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use serde_json::json;
    /// use token_guard::{Algorithm, TokenGuard, testing::TestIssuer};
    ///
    /// const RESOURCE: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
    ///
    /// let issuer = TestIssuer::start().await?;
    /// let keys = json!({"keys": [issuer.public_key()]}).to_string();
    /// let guard = TokenGuard::call_automation(RESOURCE).fixed_keys(&keys).algorithms([Algorithm::Es384]).build()?;
    ///
    /// let header = json!({"alg": "ES384", "kid": issuer.key_id()});
    /// let claims = json!({
    ///     "iss": "https://acscallautomation.communication.azure.com",
    ///     "aud": RESOURCE,
    ///     "exp": 4_000_000_000_u64,
    /// });
    /// let caller = guard.verify(&issuer.sign(&header, &claims)?).await?;
    /// assert!(caller.is_application());
    /// # Ok(())
    /// # }
    /// ```
    pub fn sign(&self, header: &Value, claims: &Value) -> io::Result<String> {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let state = self.state();
        let signature = state
            .key
            .pair
            .sign(&SystemRandom::new(), message.as_bytes())
            .map_err(|_| crypto_error())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Returns the id of the key that signs tokens.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.state().key.id.clone()
    }

    /// Returns the public key of the key that signs tokens, as a JWK.
    #[must_use]
    pub fn public_key(&self) -> Value {
        self.state().key.jwk()
    }

    /// Replaces the key that signs tokens. Only the new one is served.
    ///
    /// # Errors
    ///
    /// There is no randomness for a key.
    pub fn rotate(&self) -> io::Result<()> {
        let key = SigningKey::generate()?;
        self.state().key = key;
        Ok(())
    }

    /// Serves these keys instead of the key that signs tokens.
    pub fn serve_keys(&self, keys: &[Value]) {
        self.state().keys = Some(json!(keys));
    }

    /// Responds to every request with 503 if `available` is `false`, or serves the documents again.
    pub fn set_available(&self, available: bool) {
        self.state().available = available;
    }

    /// Sets the `Cache-Control` of the keys.
    pub fn set_cache_control(&self, cache_control: &str) {
        self.state().cache_control = Some(cache_control.to_owned());
    }

    /// Returns the number of requests for the keys.
    #[must_use]
    pub fn key_requests(&self) -> usize {
        self.state().key_requests
    }

    fn state(&self) -> MutexGuard<'_, Served> {
        lock(&self.state)
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    fn generate() -> io::Result<Self> {
        Ok(Self {
            id: Uuid::new_v4().to_string(),
            pair: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(|_| crypto_error())?,
        })
    }

    fn jwk(&self) -> Value {
        // An uncompressed point: 4, x, y.
        let point = self
            .pair
            .public_key()
            .as_ref()
            .split_at_checked(1)
            .map_or(&[][..], |(_, point)| point);
        let (x, y) = point.split_at(point.len() / 2);
        json!({
            "kty": "EC",
            "crv": "P-384",
            "use": "sig",
            "alg": "ES384",
            "kid": self.id,
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}

fn crypto_error() -> io::Error {
    io::Error::other("the cryptography library failed")
}

fn lock(state: &Mutex<Served>) -> MutexGuard<'_, Served> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn discovery(State(state): State<Arc<Mutex<Served>>>) -> axum::response::Response {
    let state = lock(&state);
    if !state.available {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(json!({"issuer": state.url, "jwks_uri": format!("{}/jwks", state.url)})).into_response()
}

async fn jwks(State(state): State<Arc<Mutex<Served>>>) -> axum::response::Response {
    let mut state = lock(&state);
    state.key_requests += 1;
    if !state.available {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let keys = state.keys.clone().unwrap_or_else(|| json!([state.key.jwk()]));
    let cache_control = state.cache_control.clone().map(|value| [(CACHE_CONTROL, value)]);
    (cache_control, Json(json!({"keys": keys}))).into_response()
}

/// A time that changes only when a test moves it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use token_guard::testing::ManualClock;
///
/// let time = ManualClock::at(1_800_000_000);
/// let clock = time.clock();
/// let before = clock.now();
/// time.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), before + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<SystemTime>>);

impl ManualClock {
    /// Creates a time of this number of seconds after 1970.
    #[must_use]
    pub fn at(unix_seconds: u64) -> Self {
        Self(Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(unix_seconds))))
    }

    /// Moves the time forward.
    pub fn advance(&self, by: Duration) {
        *self.time() += by;
    }

    /// Moves the time back.
    pub fn set_back(&self, by: Duration) {
        *self.time() -= by;
    }

    /// Returns a clock that shows this time, for [`TokenGuardBuilder::clock`](crate::TokenGuardBuilder::clock).
    #[must_use]
    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::new(move || *time.time())
    }

    fn time(&self) -> MutexGuard<'_, SystemTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
