//! Tokens per second of the client, and the CPU time of each, beside azure_core's pipeline alone.
//!
//! ```sh
//! RUST_BACKTRACE=0 cargo bench --bench get_token
//! ```
//!
//! A server in another process returns the same response for each request. The client has one core to itself and the server
//! another, if `taskset` and a second core are there. In each round all callers are measured, in a random order; the ratios
//! are of the same round. The pipeline takes part twice, to show how far two equal callers are apart.

#![allow(clippy::print_stdout, reason = "a bench shows what it measures")]

mod support;

use crate::support::{Caller, Measurement, Outcome, Server, Spread, arguments};
use std::{
    env,
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader},
    process::{self, Child, Command, Stdio},
    time::Duration,
};

const ROUNDS: usize = 21;
const TIME: Duration = Duration::from_millis(500);
const IN_FLIGHT: [usize; 2] = [1, 32];

fn main() -> Outcome {
    match arguments().as_slice() {
        [] => compare(),
        [serve] if serve == "serve" => {
            let server = Server::bind()?;
            println!("{}", server.endpoint);
            server.serve()
        }
        _ => Err("pass nothing, or `serve`".into()),
    }
}

fn compare() -> Outcome {
    let pinned = pin_this_process();
    let server = ServerProcess::start(pinned)?;
    let cores = if pinned {
        "The client runs on core 0, the server on core 1."
    } else {
        "Client and server share the cores, for want of `taskset` or of a second core."
    };
    let backtrace = env::var("RUST_BACKTRACE").unwrap_or_else(|_| "not set".to_owned());
    println!("{cores} RUST_BACKTRACE is {backtrace}.");
    println!("Median (lowest to highest) of {ROUNDS} rounds of {TIME:?}:");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let callers = [
        ("pipeline", Caller::pipeline(&server.endpoint)?),
        ("pipeline again", Caller::pipeline(&server.endpoint)?),
        ("client", Caller::client(&server.endpoint)?),
    ];
    for in_flight in IN_FLIGHT {
        println!("\n{in_flight} in flight");
        let mut measurements = callers.each_ref().map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for index in shuffled(callers.len()) {
                if let (Some((_, caller)), Some(measurements)) = (callers.get(index), measurements.get_mut(index)) {
                    measurements.push(Measurement::take(&runtime, caller, in_flight, TIME)?);
                }
            }
        }
        let [baseline, ..] = &measurements;
        for ((name, _), measurements) in callers.iter().zip(&measurements) {
            show(name, measurements, baseline).ok_or("nothing was measured")?;
        }
    }
    Ok(())
}

/// Shows the measurements of a caller beside those of another in the same rounds; `None` for empty lists.
fn show(name: &str, measurements: &[Measurement], baseline: &[Measurement]) -> Option<()> {
    let requests = |run: &Measurement| run.requests / run.wall.as_secs_f64();
    let cpu_time = |run: &Measurement| run.cpu.as_secs_f64() * 1e6 / run.requests;
    let spread = |of: fn(&Measurement) -> f64| Spread::of(measurements.iter().map(of));
    let ratio = |of: fn(&Measurement) -> f64| {
        Spread::of(measurements.iter().zip(baseline).map(|(run, base)| of(run) / of(base)))
    };
    println!(
        "{name:<14}  requests per second {:.0}, × {:.3}\n{:14}  µs of CPU per request {:.1}, × {:.3}",
        spread(requests)?,
        ratio(requests)?,
        "",
        spread(cpu_time)?,
        ratio(cpu_time)?,
    );
    Some(())
}

/// Remeasurements the numbers below `len`, in a random order.
fn shuffled(len: usize) -> Vec<usize> {
    let chance = RandomState::new();
    let mut order: Vec<_> = (0..len).collect();
    order.sort_by_key(|index| chance.hash_one(index));
    order
}

/// Pins this process to core 0; `false` if that is not possible, or would leave no core for the server.
fn pin_this_process() -> bool {
    let has_two_cores = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    has_two_cores
        && Command::new("taskset")
            .args(["--cpu-list", "--pid", "0", &process::id().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

/// This program as a server. Dropping it kills it.
struct ServerProcess {
    child: Child,
    endpoint: String,
}

impl ServerProcess {
    fn start(pinned: bool) -> Outcome<Self> {
        let program = env::current_exe()?;
        let mut command = Command::new(&program);
        if pinned {
            command = Command::new("taskset");
            command.args(["--cpu-list", "1"]).arg(program);
        }
        let mut process = Self {
            child: command.arg("serve").stdout(Stdio::piped()).spawn()?,
            endpoint: String::new(),
        };
        let stdout = process.child.stdout.take().ok_or("the server has no stdout")?;
        BufReader::new(stdout).read_line(&mut process.endpoint)?;
        process.endpoint.truncate(process.endpoint.trim_end().len());
        Ok(process)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
