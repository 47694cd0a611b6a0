//! Token requests per second on one core, and the time until the emulator is ready.
//!
//! ```sh
//! cargo bench -p acs_identity_emulator --bench requests
//! ```
//!
//! Every request asks for a chat token of an identity, and is signed beforehand; the emulator checks it like any other.
//! One client sends them over connections that it keeps open, one request at a time on each, and each response must be
//! 200. The emulator has one core to itself and the client another, if `taskset` and a second core are there. The
//! rounds of all cases alternate, so that a busy moment does not favour one.
#![allow(clippy::print_stdout, reason = "a bench shows what it measures")]

mod client;
mod process;
#[path = "../support/mod.rs"]
mod support;

use crate::{
    client::Client,
    process::{Core, Process, pin_this_thread},
    support::Spread,
};
use std::{
    error::Error,
    iter,
    time::{Duration, Instant},
};

const STARTS: usize = 21;
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(1);
/// The goals: of the time until the emulator is ready, and of its tokens with ES256 and a line of log for each.
const MOST_MS_TO_READY: f64 = 10.0;
const LEAST_ES256: f64 = 30_000.0;

/// The amounts of log, and the `RUST_LOG` for each. The log is written to `/dev/null`.
const LOGS: [(&str, Option<&str>); 2] = [("a line per request", None), ("warnings only", Some("warn"))];

fn main() -> Result<(), Box<dyn Error>> {
    let starts: Vec<_> = iter::repeat_with(start).take(STARTS).collect::<Result<_, _>>()?;
    let start = Spread::of(starts).ok_or("nothing was measured")?;
    println!(
        "From the start of the process to its ready line: {:.0} ms, the median of {STARTS} ({:.0} to {:.0}); goal: \
         {MOST_MS_TO_READY} at most, {}.\n",
        start.median,
        start.lowest,
        start.highest,
        verdict(start.median <= MOST_MS_TO_READY)
    );

    let core = if pin_this_thread(Core(1)) {
        println!("The emulator runs on core 0, the client on core 1.");
        Some(Core(0))
    } else {
        println!("Emulator and client share the cores, for want of `taskset` or of a second core.");
        None
    };
    println!("Median (lowest to highest) of {ROUNDS} rounds of {ROUND:?}, over {CONNECTIONS} connections:\n");

    let mut cases = Vec::new();
    for algorithm in ["ES256", "RS256"] {
        for log in LOGS {
            cases.push(Case::start(algorithm, log, core)?);
        }
    }
    for _ in 0..ROUNDS {
        for case in &mut cases {
            case.round()?;
        }
    }
    println!("tokens  log                 requests per second         emulator's CPU per request");
    let mut medians = Vec::new();
    for case in cases {
        medians.push(case.show()?);
    }
    let es256 = medians.first().ok_or("nothing was measured")?;
    let met = verdict(*es256 >= LEAST_ES256);
    println!("\nES256, a line per request; goal: {LEAST_ES256} per second at least, {met}");
    Ok(())
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// Milliseconds from the start of an emulator to its ready line.
fn start() -> Result<f64, Box<dyn Error>> {
    let started = Instant::now();
    // Kept until the end of the function, so that its end is not timed.
    let _process = Process::start(&[], None, None)?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// An emulator, its client, and their measurements.
struct Case {
    algorithm: &'static str,
    log: &'static str,
    process: Process,
    client: Client,
    rates: Vec<f64>,
    requests: u32,
    cpu_time: Option<Duration>,
}

impl Case {
    fn start(
        algorithm: &'static str,
        (log, rust_log): (&'static str, Option<&str>),
        core: Option<Core>,
    ) -> Result<Self, Box<dyn Error>> {
        let process = Process::start(&["--token-algorithm", algorithm], rust_log, core)?;
        let host = process.host().ok_or("the ready line has no endpoint")?;
        let access_key = process.access_key().ok_or("the ready line has no access key")?;
        let mut client = Client::connect(host, access_key, CONNECTIONS)?;
        // The first token waits until the key is generated.
        client.replay(Duration::ZERO)?;
        Ok(Self {
            algorithm,
            log,
            process,
            client,
            rates: Vec::new(),
            requests: 0,
            cpu_time: Some(Duration::ZERO),
        })
    }

    fn round(&mut self) -> Result<(), Box<dyn Error>> {
        let cpu_before = self.process.cpu_time();
        let started = Instant::now();
        let requests = self.client.replay(ROUND)?;
        self.rates.push(f64::from(requests) / started.elapsed().as_secs_f64());
        self.requests += requests;
        let cpu_time = self.process.cpu_time().zip(cpu_before);
        let cpu_time = cpu_time.map(|(after, before)| after.saturating_sub(before));
        self.cpu_time = self.cpu_time.zip(cpu_time).map(|(sum, round)| sum + round);
        Ok(())
    }

    /// Prints the measurements, and returns the median of the requests per second.
    fn show(self) -> Result<f64, Box<dyn Error>> {
        let Spread {
            lowest,
            median,
            highest,
        } = Spread::of(self.rates).ok_or("nothing was measured")?;
        let cpu_time = self.cpu_time.map_or_else(
            || "unknown".to_owned(),
            |cpu_time| format!("{:.1} µs", cpu_time.as_secs_f64() * 1e6 / f64::from(self.requests)),
        );
        let rate = format!("{median:.0} ({lowest:.0} to {highest:.0})");
        println!("{:<7} {:<19} {rate:<27} {cpu_time}", self.algorithm, self.log);
        Ok(median)
    }
}
