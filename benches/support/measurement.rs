//! A measurement of a caller that gets as many tokens as it can in a time.

use super::{Caller, Outcome};
use std::{
    fs,
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, task::JoinSet};

/// The result of a measurement.
pub(crate) struct Measurement {
    pub(crate) requests: f64,
    pub(crate) wall: Duration,
    /// The CPU time, in user space and in the kernel.
    pub(crate) cpu: Duration,
}

impl Measurement {
    /// Keeps a number of calls in flight for a time. The runtime must run on this thread alone.
    pub(crate) fn take(runtime: &Runtime, caller: &Caller, in_flight: usize, time: Duration) -> Outcome<Self> {
        let (started, cpu) = (Instant::now(), cpu_time()?);
        let requests = runtime.block_on(async {
            let mut calls = JoinSet::new();
            for _ in 0..in_flight {
                let mut caller = caller.clone();
                calls.spawn(async move {
                    let mut requests = 0;
                    while started.elapsed() < time {
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

/// Returns the CPU time of this thread, on which a caller does all of its work.
fn cpu_time() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split_whitespace().next().ok_or("the CPU time is not known")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
