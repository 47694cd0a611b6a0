//! The faults that have been injected.

use crate::{
    faults::{Fault, InvalidFault, carry_out::Strike, effect::Effect, occurrence::Occurrence},
    operation::Operation,
};
use http::Method;
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Display, Formatter},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// How many faults stay listed that are over.
const MAX_OVER: usize = 100;

/// The number of an injected fault, counted from 1 since the emulator started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FaultId(u64);

impl Display for FaultId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

/// An injected fault with its counts. JSON is that of the [`Fault`] with these members.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InjectedFault {
    /// Its number.
    pub id: FaultId,
    /// The fault itself.
    #[serde(flatten)]
    pub fault: Fault,
    /// The number of requests that it has applied to.
    pub hits: u64,
    /// The number of further requests that it will apply to; `None` for any number. Faults with 0 stay listed, the last
    /// hundred of them at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
}

/// A fault that has been checked.
struct Active {
    id: FaultId,
    fault: Fault,
    effect: Effect,
    occurrence: Occurrence,
    hits: u64,
}

impl Active {
    fn describe(&self) -> InjectedFault {
        InjectedFault {
            id: self.id,
            fault: self.fault.clone(),
            hits: self.hits,
            remaining: self.occurrence.remaining(),
        }
    }
}

/// All injected faults, oldest first.
#[derive(Default)]
pub(crate) struct Faults {
    list: Mutex<List>,
    /// Whether one can strike. Without any, requests do not wait for the list.
    are_any: AtomicBool,
}

#[derive(Default)]
struct List {
    last_id: u64,
    faults: Vec<Active>,
}

/// Everything that can be wrong about a fault is found here.
pub(super) fn check(fault: &Fault) -> Result<(Effect, Occurrence), InvalidFault> {
    Ok((fault.try_into()?, fault.try_into()?))
}

impl Faults {
    pub(crate) fn inject(&self, fault: Fault) -> Result<InjectedFault, InvalidFault> {
        let (effect, occurrence) = check(&fault)?;
        let mut list = self.lock();
        list.last_id += 1;
        let active = Active {
            id: FaultId(list.last_id),
            fault,
            effect,
            occurrence,
            hits: 0,
        };
        let injected = active.describe();
        list.faults.push(active);
        list.forget_what_is_long_over();
        self.note(&list);
        Ok(injected)
    }

    /// All faults, oldest first.
    pub(crate) fn list(&self) -> Vec<InjectedFault> {
        self.lock().faults.iter().map(Active::describe).collect()
    }

    /// Removes a fault; `false` if there is none with this number.
    pub(crate) fn remove(&self, id: FaultId) -> bool {
        let mut list = self.lock();
        let before = list.faults.len();
        list.faults.retain(|active| active.id != id);
        self.note(&list);
        list.faults.len() < before
    }

    pub(crate) fn clear(&self) {
        let mut list = self.lock();
        list.faults.clear();
        self.note(&list);
    }

    /// What strikes a request; `None` if nothing does.
    pub(crate) fn strike(&self, method: &Method, path: &str) -> Option<Strike> {
        if !self.are_any.load(Ordering::Acquire) {
            return None;
        }
        let operation = Operation::of(method, path);
        let mut strike = None::<Strike>;
        let mut list = self.lock();
        for active in &mut list.faults {
            let is_decided = strike.as_ref().is_some_and(Strike::is_decided);
            let is_latency = matches!(active.effect, Effect::Latency(_));
            if (is_latency || !is_decided) && active.occurrence.strikes(operation) {
                active.hits += 1;
                strike.get_or_insert_default().add(active.effect.clone(), &active.fault);
            }
        }
        self.note(&list);
        strike
    }

    fn note(&self, list: &List) {
        let are_any = list.faults.iter().any(|active| !active.occurrence.is_over());
        self.are_any.store(are_any, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    /// Keeps the list short, however many faults a long run injects.
    fn forget_what_is_long_over(&mut self) {
        let is_over = |active: &Active| active.occurrence.is_over();
        let over = self.faults.iter().filter(|active| is_over(active)).count();
        let mut excess = over.saturating_sub(MAX_OVER);
        self.faults.retain(|active| {
            let forgotten = excess > 0 && is_over(active);
            excess -= usize::from(forgotten);
            !forgotten
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What strikes each of some creations.
    fn strike(faults: &Faults, requests: usize) -> Vec<Option<String>> {
        let strike = |_| faults.strike(&Method::POST, "/identities");
        let description = |strike: Option<Strike>| strike.map(|strike| strike.description().to_owned());
        (0..requests).map(strike).map(description).collect()
    }

    fn hits(faults: &Faults) -> Vec<u64> {
        faults.list().iter().map(|injected| injected.hits).collect()
    }

    #[test]
    fn the_first_that_strikes_wins_and_latencies_come_on_top() {
        let faults = Faults::default();
        for text in [
            "status=503,times=1",
            "latency=1ms",
            "html-body,times=2",
            "latency=2ms,times=1",
        ] {
            faults.inject(text.parse().unwrap()).unwrap();
        }
        let expected = [
            "status=503,times=1; latency=1ms; latency=2ms,times=1",
            "latency=1ms; html-body,times=2",
            "latency=1ms; html-body,times=2",
            "latency=1ms",
        ];
        assert_eq!(strike(&faults, 4), expected.map(|text| Some(text.to_owned())));
        assert_eq!(hits(&faults), [1, 4, 2, 1]);
    }

    #[test]
    fn what_is_removed_does_not_strike() {
        let faults = Faults::default();
        let first = faults.inject(Fault::html_body()).unwrap().id;
        let second = faults.inject(Fault::status(500)).unwrap().id;
        assert!(faults.remove(first));
        assert!(!faults.remove(first));
        assert_eq!(strike(&faults, 1), [Some("status=500".to_owned())]);
        faults.clear();
        assert_eq!(strike(&faults, 1), [None]);
        assert!(!faults.remove(second));
        let third = faults.inject(Fault::html_body()).unwrap().id;
        assert!(third > second);
    }

    #[test]
    fn the_last_hundred_that_are_over_stay_listed() {
        let faults = Faults::default();
        let every = faults.inject(Fault::latency(Duration::from_secs(1))).unwrap();
        for _ in 0..300 {
            faults.inject(Fault::html_body().times(1)).unwrap();
            strike(&faults, 1);
        }
        let ids: Vec<_> = faults.list().iter().map(|injected| injected.id.0).collect();
        let expected: Vec<_> = [every.id.0].into_iter().chain(201..=301).collect();
        assert_eq!(ids, expected);
    }
}
