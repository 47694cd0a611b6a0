//! The instructions of a call of the client, and of one of azure_core's pipeline alone.
//!
//! ```sh
//! cargo bench --bench instructions
//! ```
//!
//! valgrind counts those that the caller's process executes in user space, so that a busy machine does not matter. The start
//! of the process is left out: a call is the difference between a number of calls and twice as many. The bench fails when a
//! limit is exceeded.
//!
//! valgrind has none of the CPU's instructions for SHA-256, so that sha2 falls back on some thousands of others, which no
//! current server executes. They are counted on their own.

#![allow(clippy::print_stdout, reason = "a bench shows what it measures")]

mod support;

use crate::support::{Caller, Outcome, Server, arguments};
use std::{env, process::Command};

const CALLS: u32 = 500;
/// Each process has its tables of headers in a random order, and executes up to 1 % more or fewer instructions for it.
const PROCESSES: u32 = 12;

/// The most that a call of the client may take, as a multiple of one of the pipeline.
const LIMIT: f64 = 1.36;
/// The same, without SHA-256 in software.
const LIMIT_WITHOUT_SHA256: f64 = 1.2;
/// The most that a call of the client may take with `RUST_BACKTRACE=1`, as a multiple of one without.
const BACKTRACE_LIMIT: f64 = 1.03;

/// The function of sha2 that takes the place of the CPU's instructions.
const SHA256_IN_SOFTWARE: &str = "--toggle-collect=sha2::sha256::compress256*";

fn main() -> Outcome {
    match arguments().as_slice() {
        [] => compare(),
        [caller, calls, endpoint] => make_calls(caller, calls.parse()?, endpoint),
        _ => Err("pass nothing, or a caller, a number of calls and an endpoint".into()),
    }
}

fn compare() -> Outcome {
    let endpoint = Server::bind()?.serve_in_background();
    let count = |caller, backtrace, options: &[&str]| instructions(caller, backtrace, options, &endpoint);
    let pipeline = count("pipeline", "0", &[])?;
    let pipeline_with_backtrace = count("pipeline", "1", &[])?;
    let client = count("client", "0", &[])?;
    let client_with_backtrace = count("client", "1", &[])?;
    let sha256 = count("client", "0", &[SHA256_IN_SOFTWARE])?;
    if sha256 == 0.0 {
        return Err(format!("no function is named as in {SHA256_IN_SOFTWARE}").into());
    }

    println!("Instructions per call, the mean of {PROCESSES} processes with {CALLS} calls:\n");
    println!("pipeline                                 {pipeline:>7.0}");
    println!("client                                   {client:>7.0}");
    println!("client, SHA-256 in software alone        {sha256:>7.0}");
    println!("pipeline, with RUST_BACKTRACE=1          {pipeline_with_backtrace:>7.0}");
    println!("client, with RUST_BACKTRACE=1            {client_with_backtrace:>7.0}\n");
    let held = [
        check("client / pipeline", client / pipeline, LIMIT),
        check(
            "the same, without SHA-256 in software",
            (client - sha256) / pipeline,
            LIMIT_WITHOUT_SHA256,
        ),
        check(
            "client, with / without RUST_BACKTRACE=1",
            client_with_backtrace / client,
            BACKTRACE_LIMIT,
        ),
    ];
    if held.contains(&false) {
        return Err("a call takes more instructions than it may".into());
    }
    Ok(())
}

fn check(name: &str, ratio: f64, limit: f64) -> bool {
    println!("{name:<40} {ratio:>7.3}, at most {limit}");
    ratio <= limit
}

/// Returns the instructions of one call.
fn instructions(caller: &str, backtrace: &str, options: &[&str], endpoint: &str) -> Outcome<f64> {
    let run = |calls| collected(caller, calls, backtrace, options, endpoint);
    let mut sum = 0.0;
    for _ in 0..PROCESSES {
        sum += run(2 * CALLS)? - run(CALLS)?;
    }
    Ok(sum / f64::from(PROCESSES * CALLS))
}

/// Returns the instructions of this program with a number of calls.
fn collected(caller: &str, calls: u32, backtrace: &str, options: &[&str], endpoint: &str) -> Outcome<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(options)
        .arg(env::current_exe()?)
        .args([caller, &calls.to_string(), endpoint])
        .env("RUST_BACKTRACE", backtrace)
        .env("RUST_LIB_BACKTRACE", backtrace)
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}"))?;
    let report = String::from_utf8(output.stderr)?;
    let collected = report.lines().find_map(|line| line.split_once("Collected : "));
    match collected {
        Some((_, count)) if output.status.success() => Ok(count.trim().parse()?),
        _ => Err(report.into()),
    }
}

fn make_calls(caller: &str, calls: u32, endpoint: &str) -> Outcome {
    let mut caller = match caller {
        "client" => Caller::client(endpoint)?,
        "pipeline" => Caller::pipeline(endpoint)?,
        _ => return Err(format!("there is no caller {caller}").into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for _ in 0..calls {
            caller.get_token().await?;
        }
        Ok(())
    })
}
