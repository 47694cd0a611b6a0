//! The parts of `benches/compare/run` that are in Rust: the server of all clients, and this library's clients.
//!
//! Like the clients for Python and JavaScript beside this file, `client VARIANT ENDPOINT` gets two tokens and shows the
//! second, then reads lines with the number of calls to keep in flight and the seconds to do so, and shows each
//! measurement.

#![allow(clippy::print_stdout, reason = "a bench shows what it measures")]

#[path = "../../support/mod.rs"]
mod support;

use crate::support::{Caller, KEY, Measurement, Outcome, Server, Spread, USER, arguments, transport};
use azure_communication_identity::{CommunicationIdentityClient, CommunicationUserIdentifier};
use azure_core::http::Response;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use std::{
    collections::HashSet,
    fs,
    io::stdin,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The creations that `bulk` keeps in flight.
const CONCURRENCY: usize = 64;
/// The clients that `further` creates.
const FURTHER: usize = 101;

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let arguments = arguments();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve"] => serve(Server::bind()?),
        ["serve", ca] => {
            let (server, pem) = Server::bind_tls()?;
            fs::write(ca, pem)?;
            serve(server)
        }
        ["call"] => {
            println!("{USER} {KEY}");
            Ok(())
        }
        ["client", variant, endpoint] => measure(&runtime, caller(variant, endpoint)?),
        ["bulk", count, endpoint] => bulk(&runtime, count.parse()?, endpoint),
        ["further", endpoint] => further(&runtime, endpoint),
        _ => Err("see `benches/compare/run`".into()),
    }
}

fn serve(server: Server) -> Outcome {
    println!("{}", server.endpoint);
    server.serve()
}

fn caller(variant: &str, endpoint: &str) -> Outcome<Caller> {
    match variant {
        "client" => Caller::client(endpoint),
        #[cfg(feature = "hyper")]
        "hyper" => Caller::client_over(endpoint, azure_communication_identity::default_transport()?),
        "pipeline" => Caller::pipeline(endpoint),
        "reqwest" => Caller::reqwest(endpoint),
        _ => Err(format!("there is no variant {variant}").into()),
    }
}

fn measure(runtime: &Runtime, mut caller: Caller) -> Outcome {
    let answer = runtime.block_on(async {
        caller.get_token().await?;
        caller.get_token().await
    })?;
    let shown = answer
        .map(|answer| json!({ "token": answer.token.secret().len(), "expiresOn": answer.expires_on.unix_timestamp() }));
    println!("{}", json!(shown));
    for line in stdin().lines() {
        let line = line?;
        let (in_flight, seconds) = line.split_once(' ').ok_or("pass calls in flight, and seconds")?;
        let duration = Duration::from_secs_f64(seconds.parse()?);
        let measurement = Measurement::take(runtime, &caller, in_flight.parse()?, duration)?;
        println!(
            "{}",
            json!({
                "requests": measurement.requests,
                "wall": measurement.wall.as_secs_f64(),
                "cpu": measurement.cpu.as_secs_f64(),
            })
        );
    }
    Ok(())
}

/// Creates users as the sample `bulk_provision` does, but as fast as possible: the sample keeps to the rate that the service
/// documents, at which 100,000 take an hour.
fn bulk(runtime: &Runtime, count: usize, endpoint: &str) -> Outcome {
    let Caller::Client { client, .. } = Caller::client(endpoint)? else {
        return Err("the caller is no client".into());
    };
    runtime.block_on(async {
        client.create_user(None).await?;
        let (start, started) = (peak_memory()?, Instant::now());
        let users = create(&client, count).await?;
        let (wall, end) = (started.elapsed(), peak_memory()?);
        let distinct: HashSet<_> = users.iter().map(CommunicationUserIdentifier::as_str).collect();
        println!(
            "{}",
            json!({ "users": distinct.len(), "wall": wall.as_secs_f64(), "bytes": end.saturating_sub(start) })
        );
        Ok(())
    })
}

async fn create(
    client: &CommunicationIdentityClient,
    count: usize,
) -> azure_core::Result<Vec<CommunicationUserIdentifier>> {
    stream::repeat_with(|| client.create_user(None))
        .take(count)
        .buffer_unordered(CONCURRENCY)
        .map(|response| response.and_then(Response::into_model))
        .try_collect()
        .await
}

/// Returns the peak of this process's memory, in bytes.
fn peak_memory() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.ok_or("the memory is not known")?.parse::<u64>()? * 1024)
}

/// Measures the cost of another client in a program: over a shared transport, and with its own.
fn further(runtime: &Runtime, endpoint: &str) -> Outcome {
    let first = transport()?;
    let get_token = |mut caller: Caller| runtime.block_on(async move { caller.get_token().await });
    get_token(Caller::client_over(endpoint, first.clone())?)?;
    let mut shared = Vec::with_capacity(FURTHER);
    let mut own = Vec::with_capacity(FURTHER);
    for _ in 0..FURTHER {
        shared.push(milliseconds(|| Caller::client_over(endpoint, first.clone()))?);
        own.push(milliseconds(|| Caller::client(endpoint))?);
    }
    let median = |times| Spread::of(times).map(|spread| spread.median);
    println!("{}", json!({ "shared": median(shared), "own": median(own) }));
    Ok(())
}

fn milliseconds<T>(create: impl FnOnce() -> Outcome<T>) -> Outcome<f64> {
    let started = Instant::now();
    let created = create()?;
    let time = started.elapsed();
    drop(created);
    Ok(time.as_secs_f64() * 1e3)
}
