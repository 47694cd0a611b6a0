//! A service in this process, with its emulator and its issuer.

use crate::support::{AUDIENCE, gate::Gate, http, http_trusting};
use acs_identity_emulator::Emulator;
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use azure_core::{
    http::{RetryOptions, Transport},
    time::Duration as AzureDuration,
};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use token_guard::{
    TokenGuard,
    testing::{ManualClock, TestIssuer},
};
use token_service::{CredentialFingerprint, ServiceLimits, Store, TokenService, TokenServiceBuilder, TraceHeaders};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, yield_now},
};
use tower::ServiceExt;

/// Exceeds the number of tasks that a request passes through.
const ROUNDS: usize = 50;

/// The options of a [`Setup`].
pub(crate) struct Options {
    pub(crate) database: String,
    pub(crate) limits: Option<ServiceLimits>,
    /// The resource. `None` is the emulator.
    pub(crate) connection_string: Option<String>,
    /// Reaches the emulator by https.
    pub(crate) https: bool,
    /// The timeout of the identity client.
    pub(crate) acs_timeout: Duration,
    /// The address of the issuer's keys, which may be silent for an hour. `None` is the issuer itself.
    pub(crate) keys: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            database: "sqlite::memory:".to_owned(),
            limits: None,
            connection_string: None,
            https: false,
            acs_timeout: Duration::from_secs(20),
            keys: None,
        }
    }
}

impl Options {
    /// Returns the options of a service with this database.
    pub(crate) fn with_database(file: &DatabaseFile) -> Self {
        Self {
            database: file.url(),
            ..Self::default()
        }
    }

    /// Returns the options of a service that reaches the emulator by https.
    pub(crate) fn https() -> Self {
        Self {
            https: true,
            ..Self::default()
        }
    }

    /// Sends the service's calls through a gate.
    pub(crate) fn behind(mut self, gate: &Gate) -> Self {
        self.connection_string = Some(gate.connection_string());
        self
    }
}

/// Returns options of an identity client that ignores the proxies of the environment, and does not retry.
pub(crate) fn direct() -> CommunicationIdentityClientOptions {
    let mut options = CommunicationIdentityClientOptions::default();
    options.client_options.transport = Some(Transport::new(Arc::new(http())));
    options.client_options.retry = RetryOptions::none();
    options
}

/// Returns the fingerprint under which tests store tokens.
pub(crate) fn issued_with() -> CredentialFingerprint {
    CredentialFingerprint::of_access_key("c2VjcmV0")
}

/// A listening service with its dependencies.
pub(crate) struct Setup {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) issuer: Arc<TestIssuer>,
    pub(crate) clock: ManualClock,
    pub(crate) service: TokenService,
    pub(crate) url: String,
    http: reqwest::Client,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Setup {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default(), |builder| builder).await
    }

    pub(crate) async fn with(
        options: Options,
        configure: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder,
    ) -> Self {
        let emulator = Emulator::builder().start().await.unwrap();
        let issuer = TestIssuer::start().await.unwrap();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let clock = ManualClock::at(now);
        let issuer = issuer.with_clock(clock.clock());
        Self::beside(Arc::new(emulator), Arc::new(issuer), clock, options, configure).await
    }

    /// Starts a service behind a gate.
    pub(crate) async fn gated(configure: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder) -> (Self, Gate) {
        let direct = Self::start().await;
        let gate = Gate::before(&direct.emulator).await;
        let setup = direct.replica(Options::default().behind(&gate), configure).await;
        (setup, gate)
    }

    /// Starts another service with the same emulator and issuer, such as a replica.
    pub(crate) async fn replica(
        &self,
        options: Options,
        configure: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder,
    ) -> Self {
        Self::beside(
            self.emulator.clone(),
            self.issuer.clone(),
            self.clock.clone(),
            options,
            configure,
        )
        .await
    }

    async fn beside(
        emulator: Arc<Emulator>,
        issuer: Arc<TestIssuer>,
        clock: ManualClock,
        options: Options,
        configure: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder,
    ) -> Self {
        let mut client_options = CommunicationIdentityClientOptions {
            timeout: Some(AzureDuration::try_from(options.acs_timeout).unwrap()),
            ..direct()
        };
        let policies = &mut client_options.client_options.per_try_policies;
        policies.push(Arc::new(TraceHeaders));
        if let Some(limits) = &options.limits {
            policies.push(Arc::new(limits.clone()));
        }
        let connection_string = options.connection_string.unwrap_or_else(|| {
            if options.https {
                let http = http_trusting(emulator.ca_pem());
                client_options.client_options.transport = Some(Transport::new(Arc::new(http)));
                emulator.https_connection_string()
            } else {
                emulator.connection_string()
            }
        });
        let identities =
            CommunicationIdentityClient::with_connection_string(&connection_string, Some(client_options)).unwrap();
        let mut guard = TokenGuard::builder(issuer.url(), [AUDIENCE]).clock(clock.clock());
        if let Some(keys) = &options.keys {
            guard = guard.keys_at(keys).fetch_timeout(Duration::from_hours(1));
        }
        let guard = guard.build().unwrap();
        let store = Store::connect(&options.database, 8).await.unwrap();
        let mut builder = TokenService::builder(identities, guard, store).clock(clock.clock());
        if let Some(limits) = &options.limits {
            builder = builder.service_limits(limits);
        }
        let service = configure(builder).build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = service.routes().merge(service.operations());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            emulator,
            issuer,
            clock,
            service,
            url,
            http: http(),
        }
    }

    /// Issues a user's token.
    pub(crate) fn caller(&self, user: &str) -> String {
        self.caller_with(&json!({ "sub": user }))
    }

    /// Issues a token with these claims.
    pub(crate) fn caller_with(&self, claims: &Value) -> String {
        let mut all = json!({ "aud": AUDIENCE, "client_id": "app" });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        self.issuer.token(all).unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str, caller: &str) -> Reply {
        send(self.request(Method::GET, path).bearer_auth(caller)).await
    }

    pub(crate) async fn post(&self, path: &str, caller: &str) -> Reply {
        send(self.request(Method::POST, path).bearer_auth(caller)).await
    }

    pub(crate) async fn delete(&self, path: &str, caller: &str) -> Reply {
        send(self.request(Method::DELETE, path).bearer_auth(caller)).await
    }

    /// Returns the emulator's log of requests, which has the last hundred, the newest first.
    pub(crate) async fn acs_log(&self) -> Vec<Value> {
        let url = format!("{}requests", self.emulator.control_endpoint());
        let mut log: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        serde_json::from_value(log["requests"].take()).unwrap()
    }

    /// Counts the requests of an operation in the emulator's log.
    pub(crate) async fn acs_requests(&self, operation: &str) -> usize {
        let log = self.acs_log().await;
        log.iter().filter(|request| request["operation"] == operation).count()
    }

    /// Sums the service's metric of calls of an operation, over all outcomes.
    pub(crate) async fn acs_calls(&self, operation: &str) -> u64 {
        let series = format!(r#"token_service_acs_calls_total{{operation="{operation}","#);
        let text = send(self.request(Method::GET, "/metrics")).await.body;
        let lines = text.lines().filter(|line| line.starts_with(&series));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// Sends a request without a connection, in a new task. After [`settled`], it waits for a lock or for another process.
    pub(crate) fn begin(&self, method: Method, path: &str, caller: &str) -> JoinHandle<Reply> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {caller}"));
        let responding = self.service.routes().oneshot(request.body(Body::empty()).unwrap());
        tokio::spawn(async move {
            let (head, body) = responding.await.unwrap().into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            Reply {
                status: head.status,
                headers: head.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            }
        })
    }

    /// Returns the value of a metric, by its name and labels.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let text = send(self.request(Method::GET, "/metrics")).await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
        line.map_or(0, |value| value.parse().unwrap())
    }
}

/// Runs every task until it waits for I/O, in a runtime of one thread.
pub(crate) async fn settled() {
    // Each round runs all ready tasks. A request has one task, and its work another.
    for _ in 0..ROUNDS {
        yield_now().await;
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    Reply {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self, pointer: &str) -> String {
        let body = self.json();
        let text = body.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{pointer}: {self:?}")).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn assert_status(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// Asserts a failure in the shape of Microsoft's sample.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, reason: &str) -> &Self {
        self.assert_status(status);
        let body = self.json();
        assert_eq!(body["code"], status, "{self:?}");
        assert_eq!(body["reason"], reason, "{self:?}");
        assert!(
            body["message"].as_str().is_some_and(|message| !message.is_empty()),
            "{self:?}"
        );
        assert_eq!(self.header("content-type"), Some("application/json"));
        self
    }
}

/// A directory with a database file, which is removed on drop.
pub(crate) struct DatabaseFile(pub(crate) PathBuf);

impl DatabaseFile {
    pub(crate) fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("token-service-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}/service.db", self.0.display())
    }

    /// Returns the contents of all files.
    pub(crate) fn contents(&self) -> Vec<u8> {
        let files = std::fs::read_dir(&self.0).unwrap();
        files
            .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect()
    }
}

impl Drop for DatabaseFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
