//! The times at which a credential asks its source, by a clock that moves with tokio's paused time.

mod entra;
mod failures;
mod on_demand;
mod proactive;

use super::{CommunicationTokenCredential, CommunicationTokenCredentialOptions};
use crate::models::CommunicationAccessToken;
use azure_core::{
    Error, Result,
    error::ErrorKind,
    time::{Duration, OffsetDateTime},
};
use client_core::clock::{Clock, ManualTime, TimeSource};
use std::sync::{Arc, Mutex};
use tokio::time::{Instant, sleep_until};

/// The start of every test.
const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// tokio's time, since the test began.
struct PausedTime(Instant);

impl TimeSource for PausedTime {
    fn now(&self) -> OffsetDateTime {
        START + self.0.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed().try_into().unwrap()
    }
}

/// A source of tokens that records when it was asked, in seconds since the test began.
#[derive(Clone)]
struct Source {
    start: Instant,
    calls: Arc<Mutex<Vec<f64>>>,
}

impl Source {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            calls: Arc::default(),
        }
    }

    fn clock(&self) -> Clock {
        Clock::new(PausedTime(self.start))
    }

    fn calls(&self) -> Vec<f64> {
        self.calls.lock().unwrap().clone()
    }

    /// A credential of this source. `answer` gets the number of the call, from 0, and its time in seconds.
    fn credential<Fut>(
        &self,
        initial_token: Option<CommunicationAccessToken>,
        refresh_proactively: bool,
        answer: impl Fn(usize, f64) -> Fut + Send + Sync + 'static,
    ) -> CommunicationTokenCredential
    where
        Fut: Future<Output = Result<CommunicationAccessToken>> + Send + 'static,
    {
        let options = CommunicationTokenCredentialOptions {
            initial_token,
            refresh_proactively,
            ..Default::default()
        };
        let source = self.clone();
        let refresher = move || {
            let now = source.start.elapsed().as_secs_f64();
            let mut calls = source.calls.lock().unwrap();
            calls.push(now);
            answer(calls.len() - 1, now)
        };
        CommunicationTokenCredential::build(refresher, Some(options), self.clock(), || 0.0).unwrap()
    }

    /// Lets the time pass until so many seconds after the test began.
    async fn wait_until(&self, seconds: f64) {
        sleep_until(self.start + std::time::Duration::from_secs_f64(seconds)).await;
    }
}

/// A token that expires so many seconds after the test began.
fn token(name: &str, expires: f64) -> CommunicationAccessToken {
    CommunicationAccessToken::new(name.to_owned(), START + Duration::seconds_f64(expires))
}

async fn get(credential: &CommunicationTokenCredential) -> String {
    credential.get_token().await.unwrap().token.secret().to_owned()
}

fn failure() -> Error {
    Error::with_message(ErrorKind::Io, "the backend is down")
}
