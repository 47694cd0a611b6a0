//! A turn of a caller, in which it asks for as many tokens as it can.

use super::{Caller, Outcome};
use std::{
    fs,
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, task::JoinSet};

/// What a caller did in its turn.
pub(crate) struct Turn {
    pub(crate) requests: f64,
    pub(crate) wall: Duration,
    /// In its own code and in the kernel.
    pub(crate) cpu: Duration,
}

impl Turn {
    /// Keeps some calls in flight until the turn is over.
    ///
    /// The runtime is one of this thread alone.
    pub(crate) fn take(runtime: &Runtime, caller: &Caller, in_flight: usize, turn: Duration) -> Outcome<Self> {
        let (started, cpu) = (Instant::now(), cpu_time()?);
        let requests = runtime.block_on(async {
            let mut calls = JoinSet::new();
            for _ in 0..in_flight {
                let mut caller = caller.clone();
                calls.spawn(async move {
                    let mut requests = 0;
                    while started.elapsed() < turn {
                        caller.get_token().await?;
                        requests += 1;
                    }
                    azure_core::Result::Ok(requests)
                });
            }
            let requests: azure_core::Result<Vec<u32>> = calls.join_all().await.into_iter().collect();
            requests.map(|requests| f64::from(requests.into_iter().sum::<u32>()))
        })?;
        Ok(Self {
            requests,
            wall: started.elapsed(),
            cpu: cpu_time()?.saturating_sub(cpu),
        })
    }
}

/// The CPU time of this thread so far. All that a caller does, it does on one thread.
fn cpu_time() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split_whitespace().next().ok_or("the CPU time is not known")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
