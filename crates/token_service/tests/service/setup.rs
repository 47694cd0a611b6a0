//! A service with its emulator and its issuer.

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
use token_service::{ServiceLimits, Store, TokenService, TokenServiceBuilder};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, yield_now},
};
use tower::ServiceExt;

/// What the tokens of callers are for.
pub(crate) const AUDIENCE: &str = "https://api.contoso.com";

/// More rounds of the runtime than a request has steps.
const ROUNDS: usize = 50;

/// What tests set up otherwise.
pub(crate) struct Options {
    pub(crate) database: String,
    pub(crate) limits: Option<ServiceLimits>,
    /// Of the resource, unless it is the emulator itself.
    pub(crate) connection_string: Option<String>,
    /// How long the identity client takes at most, with its tries.
    pub(crate) acs_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            database: "sqlite::memory:".to_owned(),
            limits: None,
            connection_string: None,
            acs_timeout: Duration::from_secs(20),
        }
    }
}

/// Options of a client that reaches the emulator whatever proxies the environment names, and tries once.
pub(crate) fn direct() -> CommunicationIdentityClientOptions {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut options = CommunicationIdentityClientOptions::default();
    options.client_options.transport = Some(Transport::new(Arc::new(http)));
    options.client_options.retry = RetryOptions::none();
    options
}

/// A service that listens, and what it depends on.
pub(crate) struct World {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) issuer: Arc<TestIssuer>,
    pub(crate) clock: ManualClock,
    pub(crate) service: TokenService,
    pub(crate) url: String,
    http: reqwest::Client,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default(), |builder| builder).await
    }

    pub(crate) async fn with(
        options: Options,
        set_up: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder,
    ) -> Self {
        let emulator = Emulator::builder().start().await.unwrap();
        let issuer = TestIssuer::start().await.unwrap();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let clock = ManualClock::at(now);
        let issuer = issuer.with_clock(clock.clock());
        Self::beside(Arc::new(emulator), Arc::new(issuer), clock, options, set_up).await
    }

    /// Another service with the same emulator and issuer, such as a replica.
    pub(crate) async fn replica(
        &self,
        options: Options,
        set_up: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder,
    ) -> Self {
        Self::beside(
            self.emulator.clone(),
            self.issuer.clone(),
            self.clock.clone(),
            options,
            set_up,
        )
        .await
    }

    async fn beside(
        emulator: Arc<Emulator>,
        issuer: Arc<TestIssuer>,
        clock: ManualClock,
        options: Options,
        set_up: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder,
    ) -> Self {
        let mut client_options = CommunicationIdentityClientOptions {
            timeout: Some(AzureDuration::try_from(options.acs_timeout).unwrap()),
            ..direct()
        };
        if let Some(limits) = &options.limits {
            client_options
                .client_options
                .per_try_policies
                .push(Arc::new(limits.clone()));
        }
        let connection_string = options
            .connection_string
            .unwrap_or_else(|| emulator.connection_string());
        let identities =
            CommunicationIdentityClient::with_connection_string(&connection_string, Some(client_options)).unwrap();
        let guard = TokenGuard::builder(issuer.url(), [AUDIENCE])
            .clock(clock.clock())
            .build()
            .unwrap();
        let store = Store::connect(&options.database, 8).await.unwrap();
        let mut builder = TokenService::builder(identities, guard, store).clock(clock.clock());
        if let Some(limits) = &options.limits {
            builder = builder.service_limits(limits);
        }
        let service = set_up(builder).build();
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
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// A token of a user of the app.
    pub(crate) fn caller(&self, user: &str) -> String {
        self.caller_with(&json!({ "sub": user }))
    }

    /// A token with these claims.
    pub(crate) fn caller_with(&self, claims: &Value) -> String {
        let mut all = json!({ "aud": AUDIENCE, "client_id": "app" });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        self.issuer.token(all).unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str, caller: &str) -> Answer {
        send(self.request(Method::GET, path).bearer_auth(caller)).await
    }

    pub(crate) async fn post(&self, path: &str, caller: &str) -> Answer {
        send(self.request(Method::POST, path).bearer_auth(caller)).await
    }

    pub(crate) async fn delete(&self, path: &str, caller: &str) -> Answer {
        send(self.request(Method::DELETE, path).bearer_auth(caller)).await
    }

    /// How many requests of this kind the emulator has had, of its last hundred.
    pub(crate) async fn acs_requests(&self, operation: &str) -> usize {
        let url = format!("{}requests", self.emulator.control_endpoint());
        let requests: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        let requests = requests["requests"].as_array().unwrap();
        requests
            .iter()
            .filter(|request| request["operation"] == operation)
            .count()
    }

    /// How many calls of this kind the service has counted, whatever came of them.
    pub(crate) async fn acs_calls(&self, operation: &str) -> u64 {
        let series = format!(r#"token_service_acs_calls_total{{operation="{operation}","#);
        let text = send(self.request(Method::GET, "/metrics")).await.body;
        let lines = text.lines().filter(|line| line.starts_with(&series));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// Sends a request to the service without a connection, in a task of its own. It has got as far as it gets without any
    /// answer from elsewhere when [`settled`] is done.
    pub(crate) fn begin(&self, method: Method, path: &str, caller: &str) -> JoinHandle<Answer> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {caller}"));
        let answering = self.service.routes().oneshot(request.body(Body::empty()).unwrap());
        tokio::spawn(async move {
            let (head, body) = answering.await.unwrap().into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            Answer {
                status: head.status,
                headers: head.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            }
        })
    }

    /// A metric's value, by its name and labels as they are written.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let text = send(self.request(Method::GET, "/metrics")).await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
        line.map_or(0, |value| value.parse().unwrap())
    }
}

/// Lets every task run until it waits for something from elsewhere, in a runtime of one thread.
pub(crate) async fn settled() {
    // Each round runs all tasks that can go on; a request waits in a task of its own, and its work in another.
    for _ in 0..ROUNDS {
        yield_now().await;
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

impl Answer {
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

    /// It is a failure in the shape of Microsoft's sample.
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

/// A file that is gone at the end, with what SQLite puts beside it.
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

    /// Everything that stands in the files.
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
