//! The service under load, beside a bare handler that checks one token.
//!
//! ```sh
//! cargo bench -p token_service --bench load                # rounds of each, then memory for LOAD_SECONDS, 60 unless set
//! LOAD_SECONDS=600 cargo bench -p token_service --bench load
//! ```
//!
//! The service and the bare handler are separate processes, on the same machine as the callers and the emulator. Callers have
//! ES256 tokens of different users, and keep 64 requests in flight.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unchecked_time_subtraction,
    clippy::unwrap_used,
    reason = "a bench fails by panicking"
)]
#![allow(clippy::print_stdout, reason = "shows what it measures")]

mod callers;
mod issuer;
mod process;
mod server;

use acs_identity_emulator::Emulator;
use callers::{Callers, Run};
use issuer::Issuer;
use process::Process;
use std::{env, fs, time::Duration};

/// The rounds of each server. They alternate, so that other load of the machine affects both.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(4);
/// The goals. ACS grants a resource 1000 identities in 30 seconds; ten times that is more than anyone can use.
const LEAST_OF_BARE: f64 = 0.7;
const LEAST_SIGN_INS: f64 = 333.0;
const MOST_GROWTH: f64 = 1.05;
/// The users with a cached token.
const USERS: usize = 1000;
/// The users who sign in for the first time.
const FIRST_SIGN_INS: usize = 2000;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match arguments.get(1).map(String::as_str) {
        Some("bare") => runtime.block_on(server::bare(&arguments[2..])),
        Some("service") => runtime.block_on(server::service(&arguments[2..])),
        _ => runtime.block_on(measure()),
    }
}

async fn measure() {
    let issuer = Issuer::start().await;
    let emulator = Emulator::builder().start().await.unwrap();
    let public_key = issuer.public_key();
    let bare = Process::start(&["bare", issuer.url(), &public_key]);
    let service = Process::start(&[
        "service",
        issuer.url(),
        &emulator.connection_string(),
        "sqlite::memory:",
    ]);
    let users: Vec<String> = (0..USERS).map(|user| issuer.token(&format!("user-{user}"))).collect();

    let sign_in = Callers::new(service.address(), "GET", "/token", &users);
    sign_in.once_each(200).await;
    println!(
        "tokens that are kept, {USERS} users, 64 in flight, {ROUNDS} rounds of {} s each:",
        ROUND.as_secs()
    );
    let kept = Callers::new(service.address(), "GET", "/api/token", &users);
    let checked = Callers::new(bare.address(), "GET", "/api/token", &users);
    kept.during(ROUND / 4, 201).await;
    checked.during(ROUND / 4, 201).await;
    let (mut of_service, mut of_bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_bare.push(round(&bare, checked.during(ROUND, 201)).await);
        of_service.push(round(&service, kept.during(ROUND, 201)).await);
    }
    report("bare handler with one verification", &of_bare);
    report("service", &of_service);
    let ratio = |value: fn(&Round) -> f64| median(&of_service, value) / median(&of_bare, value);
    let share = ratio(|round| round.per_second);
    println!(
        "requests per second: {share:.3} of the bare handler's; goal: {LEAST_OF_BARE} at least, {}",
        verdict(share >= LEAST_OF_BARE)
    );
    println!(
        "CPU of the process per request: {:.3} of the bare handler's",
        ratio(|round| round.cpu_microseconds)
    );

    println!("\nfirst sign-ins, {FIRST_SIGN_INS} users, 64 in flight:");
    let client = callers::identity_client(&emulator.connection_string());
    let direct = callers::create_users(&client, FIRST_SIGN_INS).await;
    let newcomers: Vec<String> = (0..FIRST_SIGN_INS)
        .map(|user| issuer.token(&format!("newcomer-{user}")))
        .collect();
    let before = emulator.identity_count();
    let signed_in = Callers::new(service.address(), "POST", "/api/user", &newcomers)
        .once_each(201)
        .await;
    assert_eq!(emulator.identity_count() - before, FIRST_SIGN_INS);
    println!("  identities created directly: {:.0} per second", direct.per_second());
    println!(
        "  users signed in: {:.0} per second, {:.3} of that; goal: {LEAST_SIGN_INS} per second at least, {}",
        signed_in.per_second(),
        signed_in.per_second() / direct.per_second(),
        verdict(signed_in.per_second() >= LEAST_SIGN_INS)
    );

    memory(&service, &kept).await;
    drop(service);
    growth(&issuer, &emulator, &newcomers).await;
}

/// Measures the growth of the database and of the memory with users who each have an identity and one token.
async fn growth(issuer: &Issuer, emulator: &Emulator, tokens: &[String]) {
    let path = env::temp_dir().join(format!("load-{}.db", std::process::id()));
    let database = format!("sqlite:{}", path.display());
    let service = Process::start(&["service", issuer.url(), &emulator.connection_string(), &database]);
    let size =
        || fs::metadata(&path).unwrap().len() + fs::metadata(path.with_extension("db-wal")).map_or(0, |wal| wal.len());
    let (first, rest) = tokens.split_at(tokens.len() / 2);
    let get_tokens = async |tokens: &[String]| {
        Callers::new(service.address(), "GET", "/token", tokens)
            .once_each(200)
            .await
    };
    get_tokens(first).await;
    let (before, memory) = (size(), service.resident_mebibytes());
    get_tokens(rest).await;
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let users = rest.len() as f64;
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let bytes = (size() - before) as f64;
    println!(
        "\na further user with an identity and a token: {:.0} bytes in the database, {:.0} in memory",
        bytes / users,
        (service.resident_mebibytes() - memory) * 1_048_576.0 / users
    );
    drop(service);
    fs::remove_file(path).unwrap();
}

/// Measures the memory under constant load.
async fn memory(service: &Process, kept: &Callers) {
    let seconds = env::var("LOAD_SECONDS")
        .ok()
        .map_or(60, |seconds| seconds.parse().unwrap());
    let part = Duration::from_secs(seconds) / 10;
    println!("\nmemory of the service under the same load for {seconds} s:");
    let mut requests = 0;
    let mut sizes = Vec::new();
    for tenth in 1..=10 {
        requests += kept.during(part, 201).await.requests;
        let size = service.resident_mebibytes();
        println!(
            "  {:>4} s: {size:.1} MiB after {requests} requests",
            (part * tenth).as_secs()
        );
        sizes.push(size);
    }
    let growth = sizes[sizes.len() - 1] / sizes[0];
    println!(
        "  the last is {growth:.3} of the first; goal: {MOST_GROWTH} at most, {}",
        verdict(growth <= MOST_GROWTH)
    );
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// The result of one process in one round.
struct Round {
    per_second: f64,
    cpu_microseconds: f64,
}

async fn round(process: &Process, run: impl Future<Output = Run>) -> Round {
    let before = process.cpu();
    let run = run.await;
    let cpu = process.cpu() - before;
    Round {
        per_second: run.per_second(),
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        cpu_microseconds: cpu.as_secs_f64() * 1e6 / run.requests as f64,
    }
}

fn report(name: &str, rounds: &[Round]) {
    let per_second: Vec<String> = rounds.iter().map(|round| format!("{:.0}", round.per_second)).collect();
    println!(
        "  {name}: {:.0} per second (rounds: {}), {:.1} us of CPU each",
        median(rounds, |round| round.per_second),
        per_second.join(" "),
        median(rounds, |round| round.cpu_microseconds)
    );
}

fn median(rounds: &[Round], value: fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
