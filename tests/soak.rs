//! Many calls, of which one request in twenty meets a fault. Every response belongs to its call, every failure is documented,
//! and no user, task, connection or memory is left behind.
//!
//! ```sh
//! CALLS=1000000 cargo test --release --test soak -- --nocapture
//! ```

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "prints its counts, with `--nocapture`")]

mod support;

use acs_identity_emulator::{Emulator, Fault};
use azure_communication_identity::{
    CommunicationError, CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationUserIdentifier,
    creation_outcome_unknown,
};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request, Response, RetryOptions, StatusCode, Transport},
};
use std::{
    collections::BTreeMap,
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use support::{
    emulator::{self, start},
    fixtures::SCOPES,
    http_client::http_client,
    retries::AtOnce,
};
use tokio::{runtime::Handle, task::JoinSet};

const IN_FLIGHT: usize = 64;
/// The tokens of each user. With the creation, the revocation and the deletion, these are twenty calls.
const TOKENS: usize = 17;

/// About one request in a hundred meets each of them: a fault does not count the requests that meet one before it.
fn faults() -> [Fault; 5] {
    [
        Fault::status(503),
        Fault::html_body(),
        Fault::truncated_body(),
        Fault::reset_before_commit(),
        Fault::reset_after_commit(),
    ]
    .map(|fault| fault.share(0.01))
}

/// The outcomes of the calls.
#[derive(Debug, Default)]
struct Totals {
    succeeded: usize,
    /// By the names of the call and of the failure.
    failed: BTreeMap<(&'static str, String), usize>,
    /// Users who may exist after their creation or deletion has failed.
    perhaps_left: usize,
}

impl Totals {
    fn record<T>(&mut self, call: &'static str, result: Result<T>) -> Option<T> {
        match result {
            Ok(brought) => {
                self.succeeded += 1;
                Some(brought)
            }
            Err(error) => {
                *self.failed.entry((call, name(call, &error))).or_default() += 1;
                self.perhaps_left += usize::from(may_leave_user(call, &error));
                None
            }
        }
    }

    fn calls(&self) -> usize {
        self.succeeded + self.failed.values().sum::<usize>()
    }

    fn add(&mut self, others: Self) {
        self.succeeded += others.succeeded;
        for (failure, count) in others.failed {
            *self.failed.entry(failure).or_default() += count;
        }
        self.perhaps_left += others.perhaps_left;
    }
}

/// Returns the name of a failure in the totals. An undocumented failure fails the test.
fn name(call: &str, error: &Error) -> String {
    let creation = call == "create_user";
    let outcome_unknown = creation_outcome_unknown(error);
    match error.kind() {
        ErrorKind::Io => {
            assert_eq!(outcome_unknown, creation, "{call}: {error}");
            "the connection broke off".to_owned()
        }
        ErrorKind::HttpResponse { status, .. } => {
            let found = CommunicationError::from_error(error).unwrap();
            let status = u16::from(*status);
            match (status, call) {
                (502, _) => assert_eq!(outcome_unknown, creation, "{call}: {error}"),
                (503, _) => assert!(!outcome_unknown, "{call}: {error}"),
                // A deletion that is sent again after it was executed.
                (401, "delete_user") => assert_eq!(found.code.as_deref(), Some("IdentityNotOwned"), "{error}"),
                _ => panic!("{call}: {error}"),
            }
            status.to_string()
        }
        other => panic!("{call}: {other:?}: {error}"),
    }
}

/// Returns whether a user may exist after a call has failed.
fn may_leave_user(call: &str, error: &Error) -> bool {
    match call {
        "create_user" => creation_outcome_unknown(error),
        "delete_user" => error.http_status() != Some(StatusCode::Unauthorized),
        _ => false,
    }
}

/// A transport that counts requests.
#[derive(Debug)]
struct Counter {
    http_client: Arc<dyn HttpClient>,
    requests: AtomicUsize,
}

#[async_trait::async_trait]
impl HttpClient for Counter {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.http_client.execute_request(request).await
    }
}

fn client(emulator: &Emulator, counter: &Arc<Counter>) -> CommunicationIdentityClient {
    let mut options = CommunicationIdentityClientOptions::default();
    options.client_options.transport = Some(Transport::new(counter.clone()));
    options.client_options.retry = RetryOptions::custom(Arc::new(AtOnce::new(3)));
    emulator::client_with(emulator, options)
}

/// Makes the calls of a user, from creation to deletion.
async fn live(client: &CommunicationIdentityClient) -> Totals {
    let mut totals = Totals::default();
    let created = client.create_user(None).await.and_then(Response::into_model);
    let Some(user) = totals.record("create_user", created) else {
        return totals;
    };
    for _ in 0..TOKENS {
        totals.record("get_token", get_token(client, &user).await);
    }
    totals.record("revoke_tokens", client.revoke_tokens(&user, None).await);
    totals.record("delete_user", client.delete_user(&user, None).await);
    totals
}

async fn get_token(client: &CommunicationIdentityClient, user: &CommunicationUserIdentifier) -> Result<()> {
    let token = client.get_token(user, &SCOPES, None).await?.into_model()?;
    let claims = token.unverified_claims()?;
    let owner = claims.identity.map(|identity| identity.to_string());
    assert_eq!(owner.as_deref(), Some(user.as_str()), "a token of another user");
    Ok(())
}

/// The memory and the open files of the process.
#[derive(Clone, Copy, Debug)]
struct Held {
    kibibytes: usize,
    files: usize,
}

impl Held {
    #[cfg(target_os = "linux")]
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Self {
            kibibytes: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        }
    }

    /// Zero: only Linux has these numbers without a library.
    #[cfg(not(target_os = "linux"))]
    fn now() -> Self {
        Self { kibibytes: 0, files: 0 }
    }
}

/// Waits until a count has fallen to the expected one.
async fn becomes(expected: usize, count: impl Fn() -> usize, what: &str) {
    let wait = async {
        while count() > expected {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(60), wait).await;
    assert!(in_time.is_ok(), "{} {what}, and not {expected}", count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_and_no_resource_is_left() {
    let calls: usize = env::var("CALLS").map_or(4_000, |calls| calls.parse().unwrap());
    let emulator = start().await;
    let runtime = Handle::current().metrics();
    let (tasks, held) = (runtime.num_alive_tasks(), Held::now());
    for fault in faults() {
        emulator.inject(fault).unwrap();
    }

    let counter = Arc::new(Counter {
        http_client: http_client(),
        requests: AtomicUsize::default(),
    });
    let client = client(&emulator, &counter);
    let mut lives = JoinSet::new();
    let mut totals = Totals::default();
    let mut samples = Vec::new();
    while totals.calls() < calls {
        while lives.len() < IN_FLIGHT {
            let client = client.clone();
            lives.spawn(async move { live(&client).await });
        }
        totals.add(lives.join_next().await.unwrap().unwrap());
        if totals.calls() * 10 >= calls * (samples.len() + 1) {
            samples.push(Held::now());
        }
    }
    for ended in lives.join_all().await {
        totals.add(ended);
    }
    drop(client);
    let requests = counter.requests.load(Ordering::Relaxed);
    drop(counter);

    let met: Vec<_> = emulator.faults();
    println!(
        "{} calls, {requests} requests, {} succeeded",
        totals.calls(),
        totals.succeeded
    );
    for fault in &met {
        println!("{:>8} met {}", fault.hits, fault.fault);
    }
    for ((call, failure), count) in &totals.failed {
        println!("{count:>8} of {call} failed: {failure}");
    }
    println!("{:>8} users left", emulator.identity_count());
    for (tenth, held) in samples.iter().enumerate() {
        println!("after {:>3} %: {held:?}", (tenth + 1) * 10);
    }

    let met: u64 = met.iter().map(|fault| fault.hits).sum();
    let requests = u64::try_from(requests).unwrap();
    assert!((requests / 21..=requests / 19).contains(&met), "{met} of {requests}");
    // A failure has reported every user who is left.
    assert!(emulator.identity_count() <= totals.perhaps_left);
    becomes(tasks, || runtime.num_alive_tasks(), "tasks are left").await;
    becomes(held.files, || Held::now().files, "files are open").await;
    // The first tenth fills connections, caches and the emulator's lists of the latest requests. Only a long run shows a leak.
    let (first, last) = (samples.first().unwrap(), samples.last().unwrap());
    assert!(
        last.kibibytes <= first.kibibytes + first.kibibytes / 10 + 4096,
        "{samples:?}"
    );
}
