//! The back ends that faults are injected into: a transport without a network, a raw server, and the emulator.

use crate::{
    fault::{Effect, Fault, Script},
    harness::Call,
    recorder::Recorder,
    reply::documented,
    request::{RawRequest, SECRETS},
    rule::{Outcome, Rule},
    support::{
        emulator::{self, client, start},
        fake_service::{FakeService, Pending},
        fixtures::{ENDPOINT, KEY},
        http_client::{http_client, through_proxy, trusting},
        operation::{Operation, Subject},
        proxy::Proxy,
        raw_server::RawServer,
    },
};
use acs_identity_emulator::Emulator;
use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{HttpClient, headers::AUTHORIZATION},
};
use std::{
    future::{self, Future},
    sync::{Arc, Mutex},
    time::Duration,
};

/// A service whose requests can meet faults.
pub(crate) trait BackEnd {
    /// The time after which a call hangs.
    const HANGS_AFTER: Duration;

    /// Returns whether a request can meet this effect.
    fn supports(&self, effect: &Effect) -> bool;

    /// Prepares for the cases of another fault, with connections that no other fault has touched.
    fn renew(&mut self);

    /// Has the next requests meet the faults of a script, and returns the service of this case.
    fn begin(&mut self, script: &Script) -> impl Future<Output = Target>;

    /// Has the next requests meet no fault.
    fn clear(&self);

    /// Returns the number of requests of this case.
    fn sent(&self) -> usize;

    /// Returns the secrets that no error of this case may contain.
    fn secrets(&self) -> Vec<String>;

    /// Returns the documented rules for the attempts of a call.
    fn rules(&self, script: &Script, operation: Operation) -> impl Iterator<Item = Rule> {
        script.rules(operation)
    }

    /// Checks the effects of a call on the service.
    fn check(&self, _case: &str, _script: &Script, _call: Call, _expected: Outcome) {}

    /// Returns whether an operation has the documented results, and can be repeated.
    fn is_stateless(&self) -> bool {
        true
    }
}

/// The service of a case.
pub(crate) struct Target {
    pub(crate) endpoint: String,
    pub(crate) key: String,
    pub(crate) subject: Subject,
    pub(crate) options: CommunicationIdentityClientOptions,
}

/// The faults that are left for the next requests.
#[derive(Default)]
struct Faults {
    script: Option<Script>,
    attempts: usize,
}

impl Faults {
    /// Returns the effect on the next request.
    fn next(&mut self) -> Option<Effect> {
        let fault = self.script.as_ref()?.fault(self.attempts)?;
        self.attempts += 1;
        Some(fault.effect.clone())
    }
}

/// A transport without a network, with azure_core's own retries. It needs a runtime whose time is paused.
pub(crate) struct FakeTransport {
    service: Arc<FakeService>,
    faults: Arc<Mutex<Faults>>,
}

impl FakeTransport {
    pub(crate) fn new() -> Self {
        Self {
            service: FakeService::new([]),
            faults: Arc::default(),
        }
    }
}

impl BackEnd for FakeTransport {
    /// Of time that is paused.
    const HANGS_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

    fn supports(&self, effect: &Effect) -> bool {
        effect
            .reply(&RawRequest::sample())
            .is_none_or(|reply| reply.received().is_some())
    }

    fn renew(&mut self) {}

    async fn begin(&mut self, script: &Script) -> Target {
        let faults = Arc::new(Mutex::new(Faults {
            script: Some(script.clone()),
            attempts: 0,
        }));
        self.faults = faults.clone();
        self.service = FakeService::with(move |request| {
            let request = RawRequest::from(request);
            let Some(effect) = faults.lock().unwrap().next() else {
                return documented(&request).received().unwrap();
            };
            match effect.reply(&request) {
                Some(reply) => reply.received().unwrap(),
                None => refused(),
            }
        });
        Target {
            endpoint: ENDPOINT.to_owned(),
            key: KEY.to_owned(),
            subject: Subject::default(),
            options: CommunicationIdentityClientOptions {
                client_options: self.service.client_options(),
                ..Default::default()
            },
        }
    }

    fn clear(&self) {
        *self.faults.lock().unwrap() = Faults::default();
    }

    fn sent(&self) -> usize {
        self.service.requests().len()
    }

    fn secrets(&self) -> Vec<String> {
        let requests = self.service.requests();
        let signatures = requests.iter().map(|request| {
            let authorization = request.headers().get_str(&AUTHORIZATION).unwrap();
            authorization.split_once("Signature=").unwrap().1.to_owned()
        });
        SECRETS.map(str::to_owned).into_iter().chain(signatures).collect()
    }
}

/// Returns the failure of a transport that establishes no connection.
fn refused() -> Pending {
    let cause = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let error = Error::with_error(ErrorKind::Connection, cause, "failed to execute request");
    Box::pin(future::ready(Err(error)))
}

/// A server on a real socket.
pub(crate) struct Socket {
    server: RawServer,
    faults: Arc<Mutex<Faults>>,
    http_client: Arc<dyn HttpClient>,
    recorder: Arc<Recorder>,
    requests_before: usize,
}

impl Socket {
    pub(crate) async fn start() -> Self {
        let faults: Arc<Mutex<Faults>> = Arc::default();
        let faults_left = faults.clone();
        let server = RawServer::start(move |mut connection| {
            let faults = faults_left.clone();
            async move {
                while let Some(request) = connection.read_request().await? {
                    let request = RawRequest(request);
                    let effect = faults.lock().unwrap().next();
                    let reply = match effect {
                        Some(effect) => effect.reply(&request).unwrap(),
                        None => documented(&request),
                    };
                    match reply.send(connection).await? {
                        Some(kept) => connection = kept,
                        None => return Ok(()),
                    }
                }
                Ok(())
            }
        })
        .await;
        let http_client = http_client();
        Self {
            server,
            faults,
            recorder: Recorder::new(&http_client),
            http_client,
            requests_before: 0,
        }
    }
}

impl BackEnd for Socket {
    const HANGS_AFTER: Duration = Duration::from_secs(120);

    fn supports(&self, effect: &Effect) -> bool {
        !matches!(effect, Effect::NoConnection)
    }

    fn renew(&mut self) {
        self.http_client = http_client();
    }

    async fn begin(&mut self, script: &Script) -> Target {
        *self.faults.lock().unwrap() = Faults {
            script: Some(script.clone()),
            attempts: 0,
        };
        self.recorder = Recorder::new(&self.http_client);
        self.requests_before = self.server.requests();
        Target {
            endpoint: self.server.endpoint.clone(),
            key: KEY.to_owned(),
            subject: Subject::default(),
            options: self.recorder.options(),
        }
    }

    fn clear(&self) {
        *self.faults.lock().unwrap() = Faults::default();
    }

    fn sent(&self) -> usize {
        let sent = self.recorder.sent();
        assert_eq!(self.server.requests() - self.requests_before, sent);
        sent
    }

    fn secrets(&self) -> Vec<String> {
        self.recorder.secrets()
    }
}

/// The connections to the emulator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Route {
    Http,
    Https,
    /// https in the tunnel of a proxy.
    Tunnel,
}

/// The emulator, which knows the requests that were executed.
pub(crate) struct Emulated {
    emulator: Emulator,
    route: Route,
    proxy: Option<Proxy>,
    /// Creates the users that operations are about.
    setup: CommunicationIdentityClient,
    http_client: Arc<dyn HttpClient>,
    recorder: Arc<Recorder>,
    users_before: usize,
    entra_token: String,
}

impl Emulated {
    pub(crate) async fn start(route: Route) -> Self {
        let emulator = start().await;
        let (proxy, http_client) = if route == Route::Tunnel {
            let proxy = Proxy::start().await;
            let http_client = through_proxy(emulator.ca_pem(), &proxy.url);
            (Some(proxy), http_client)
        } else {
            (None, trusting(&[emulator.ca_pem()]))
        };
        Self {
            setup: client(&emulator),
            emulator,
            route,
            proxy,
            recorder: Recorder::new(&http_client),
            http_client,
            users_before: 0,
            entra_token: String::new(),
        }
    }
}

/// Returns the text of an emulator's fault, and whether the service executes the request.
fn emulated(fault: &Fault) -> (&'static str, bool) {
    match fault.effect {
        Effect::Emulated { text, executes } => (text, executes),
        _ => panic!("{} is no fault of the emulator", fault.name),
    }
}

/// Returns whether the service executes an attempt.
fn executes(script: &Script, attempt: usize) -> bool {
    script.fault(attempt).is_none_or(|fault| emulated(fault).1)
}

impl BackEnd for Emulated {
    const HANGS_AFTER: Duration = Duration::from_secs(120);

    fn supports(&self, effect: &Effect) -> bool {
        matches!(effect, Effect::Emulated { .. })
    }

    fn renew(&mut self) {}

    async fn begin(&mut self, script: &Script) -> Target {
        let subject = emulator::subject(&self.emulator, &self.setup).await;
        self.entra_token = String::from(subject.teams_user.token.secret());
        self.users_before = self.emulator.identity_count();
        self.recorder = Recorder::new(&self.http_client);
        for (attempt, fault) in script.faults().enumerate() {
            let fault: acs_identity_emulator::Fault = emulated(fault).0.parse().unwrap();
            // Of several faults, the first that is left counts.
            let fault = if attempt == 0 { fault.times(1) } else { fault };
            self.emulator.inject(fault).unwrap();
        }
        let endpoint = match self.route {
            Route::Http => self.emulator.endpoint(),
            Route::Https | Route::Tunnel => self.emulator.https_endpoint(),
        };
        Target {
            endpoint: endpoint.to_owned(),
            key: self.emulator.access_key(),
            subject,
            options: self.recorder.options(),
        }
    }

    fn clear(&self) {
        self.emulator.clear_faults();
    }

    fn sent(&self) -> usize {
        assert!(self.proxy.as_ref().is_none_or(|proxy| proxy.tunnels() > 0));
        self.recorder.sent()
    }

    fn secrets(&self) -> Vec<String> {
        let mut secrets = self.recorder.secrets();
        secrets.extend([self.emulator.access_key(), self.entra_token.clone()]);
        secrets
    }

    /// A deletion is refused once it was executed, as README says, unless the fault hides that response.
    fn rules(&self, script: &Script, operation: Operation) -> impl Iterator<Item = Rule> {
        let mut is_deleted = false;
        (0..).zip(script.rules(operation)).map(move |(attempt, rule)| {
            let text = script.fault(attempt).map(|fault| emulated(fault).0);
            let passes = text.is_none_or(|text| text.starts_with("latency") || text == "truncated-body");
            let rule = if is_deleted && passes { Rule::Refused(401) } else { rule };
            is_deleted |= operation == Operation::DeleteUser && executes(script, attempt);
            rule
        })
    }

    /// Compares the number of users with the attempts that were executed.
    fn check(&self, case: &str, script: &Script, call: Call, expected: Outcome) {
        let mut executed = 0;
        // The service says that it did not execute a request, and did.
        let mut lies = false;
        for attempt in 0..expected.attempts {
            let is_busy = script
                .fault(attempt)
                .is_some_and(|fault| matches!(fault.rule, Rule::Busy(_)));
            executed += usize::from(executes(script, attempt));
            lies |= is_busy && executes(script, attempt);
        }
        let created = if call.operation.creates_user() { executed } else { 0 };
        let deleted = usize::from(call.operation == Operation::DeleteUser && executed > 0);
        assert_eq!(
            self.emulator.identity_count() + deleted,
            self.users_before + created,
            "{case}"
        );
        assert!(created <= 1 || call.retry_uncertain_creation || lies, "{case}");
    }

    fn is_stateless(&self) -> bool {
        false
    }
}
