//! The injected faults, and those that apply to a request.

use crate::{
    faults::{Fault, InvalidFault, effect::Effect, occurrence::Occurrence},
    operation::Operation,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Display, Formatter},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The number of exhausted faults that stay listed.
const MAX_EXHAUSTED: usize = 100;

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
    /// True if one can still apply. Without any, requests do not wait for the list.
    are_any: AtomicBool,
}

#[derive(Default)]
struct List {
    last_id: u64,
    faults: Vec<Active>,
}

/// Checks a fault in full.
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
        list.drop_old_exhausted();
        self.update(&list);
        Ok(injected)
    }

    /// All faults, oldest first.
    pub(crate) fn list(&self) -> Vec<InjectedFault> {
        self.lock().faults.iter().map(Active::describe).collect()
    }

    /// Removes a fault; `false` if no fault has this number.
    pub(crate) fn remove(&self, id: FaultId) -> bool {
        let mut list = self.lock();
        let before = list.faults.len();
        list.faults.retain(|active| active.id != id);
        self.update(&list);
        list.faults.len() < before
    }

    pub(crate) fn clear(&self) {
        let mut list = self.lock();
        list.faults.clear();
        self.update(&list);
    }

    /// Counts a request, and returns the faults that apply to it, if any.
    pub(crate) fn apply_to(&self, operation: Option<Operation>) -> Option<AppliedFaults> {
        if !self.are_any.load(Ordering::Acquire) {
            return None;
        }
        let mut applied = None::<AppliedFaults>;
        let mut list = self.lock();
        for active in &mut list.faults {
            let has_effect = applied.as_ref().is_some_and(|applied| applied.effect.is_some());
            let is_latency = matches!(active.effect, Effect::Latency(_));
            if (is_latency || !has_effect) && active.occurrence.applies(operation) {
                active.hits += 1;
                applied
                    .get_or_insert_default()
                    .add(active.effect.clone(), &active.fault);
            }
        }
        self.update(&list);
        applied
    }

    fn update(&self, list: &List) {
        let are_any = list.faults.iter().any(|active| !active.occurrence.is_exhausted());
        self.are_any.store(are_any, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The faults that apply to one request.
#[derive(Default)]
pub(crate) struct AppliedFaults {
    pub(crate) latency: Duration,
    /// The effect after the latency; `None` for the operation itself.
    pub(crate) effect: Option<Effect>,
    description: String,
}

impl AppliedFaults {
    fn add(&mut self, effect: Effect, fault: &Fault) {
        match effect {
            Effect::Latency(latency) => self.latency += latency,
            effect => self.effect = Some(effect),
        }
        if !self.description.is_empty() {
            self.description += "; ";
        }
        self.description += &fault.to_string();
    }

    /// The faults as text, separated by semicolons.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }
}

impl List {
    /// Drops the oldest exhausted faults, so that the list stays short in a long run.
    fn drop_old_exhausted(&mut self) {
        let is_exhausted = |active: &Active| active.occurrence.is_exhausted();
        let exhausted = self.faults.iter().filter(|active| is_exhausted(active)).count();
        let mut excess = exhausted.saturating_sub(MAX_EXHAUSTED);
        self.faults.retain(|active| {
            let is_dropped = excess > 0 && is_exhausted(active);
            excess -= usize::from(is_dropped);
            !is_dropped
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults that apply to each of several creations.
    fn apply(faults: &Faults, requests: usize) -> Vec<Option<String>> {
        let apply = |_| faults.apply_to(Some(Operation::CreateIdentity));
        let description = |applied: Option<AppliedFaults>| applied.map(|applied| applied.description);
        (0..requests).map(apply).map(description).collect()
    }

    fn hits(faults: &Faults) -> Vec<u64> {
        faults.list().iter().map(|injected| injected.hits).collect()
    }

    #[test]
    fn first_fault_wins_and_latencies_add_up() {
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
        assert_eq!(apply(&faults, 4), expected.map(|text| Some(text.to_owned())));
        assert_eq!(hits(&faults), [1, 4, 2, 1]);
    }

    #[test]
    fn removed_faults_do_not_apply() {
        let faults = Faults::default();
        let first = faults.inject(Fault::html_body()).unwrap().id;
        let second = faults.inject(Fault::status(500)).unwrap().id;
        assert!(faults.remove(first));
        assert!(!faults.remove(first));
        assert_eq!(apply(&faults, 1), [Some("status=500".to_owned())]);
        faults.clear();
        assert_eq!(apply(&faults, 1), [None]);
        assert!(!faults.remove(second));
        let third = faults.inject(Fault::html_body()).unwrap().id;
        assert!(third > second);
    }

    #[test]
    fn last_hundred_exhausted_stay_listed() {
        let faults = Faults::default();
        let every = faults.inject(Fault::latency(Duration::from_secs(1))).unwrap();
        for _ in 0..300 {
            faults.inject(Fault::html_body().times(1)).unwrap();
            apply(&faults, 1);
        }
        let ids: Vec<_> = faults.list().iter().map(|injected| injected.id.0).collect();
        let expected: Vec<_> = [every.id.0].into_iter().chain(201..=301).collect();
        assert_eq!(ids, expected);
    }
}
