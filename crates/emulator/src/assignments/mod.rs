//! Assignments of users to the resource, which decide who may exchange an Entra ID token for an access token.

mod assignment;
mod key;

use crate::{
    storage::{DataFileError, Opened, SETTINGS, Store, Ticket},
    tokens::EntraUserClaims,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub(crate) use assignment::{Assignment, PrincipalType};
pub(crate) use key::Key;

/// The assignments of one kind by their keys.
///
/// No two of them ever have the same number. A token carries the number of the assignment that admitted its user, and
/// is revoked when there is no assignment with that number any more, so no token has to be stored.
pub(crate) struct Assignments<K> {
    state: Mutex<State<K>>,
    store: Store,
}

struct State<K> {
    /// Kept under the name of the table.
    next_number: u64,
    by_key: BTreeMap<K, Numbered>,
}

#[derive(Serialize, Deserialize)]
struct Numbered {
    number: u64,
    assignment: Assignment,
    #[serde(skip)]
    changed: Ticket,
}

impl<K: Key> Assignments<K> {
    /// The assignments that a store has kept.
    pub(crate) fn open(Opened { store, contents, .. }: &Opened) -> Result<Self, DataFileError> {
        let kept = contents.records::<Numbered>(K::TABLE)?.into_iter();
        let state = State {
            next_number: contents.setting(K::TABLE)?.unwrap_or_default(),
            by_key: kept
                .map(|(_, numbered)| (K::of(&numbered.assignment), numbered))
                .collect(),
        };
        Ok(Self {
            state: Mutex::new(state),
            store: store.clone(),
        })
    }

    /// Creates an assignment, or replaces the one with its key; whether it is new.
    ///
    /// One for the same principal keeps its number.
    pub(crate) fn put(&self, assignment: Assignment) -> (bool, Ticket) {
        let key = K::of(&assignment);
        let State { next_number, by_key } = &mut *self.lock();
        let number = match by_key.get(&key) {
            Some(existing) if existing.assignment.has_principal_of(&assignment) => existing.number,
            _ => {
                let number = *next_number;
                *next_number += 1;
                number
            }
        };
        let mut numbered = Numbered {
            number,
            assignment,
            changed: Ticket::default(),
        };
        numbered.changed = self.store.write(|changes| {
            changes.put(SETTINGS, K::TABLE, next_number);
            changes.put(K::TABLE, key.path(), &numbered);
        });
        let changed = numbered.changed;
        (by_key.insert(key, numbered).is_none(), changed)
    }

    pub(crate) fn get(&self, key: &K) -> Option<Assignment> {
        Some(self.lock().by_key.get(key)?.assignment.clone())
    }

    /// All assignments in the order of their keys.
    pub(crate) fn list(&self) -> Vec<Assignment> {
        let state = self.lock();
        let all = state.by_key.values();
        all.map(|numbered| numbered.assignment.clone()).collect()
    }

    /// Deletes an assignment, if there is one with this key.
    pub(crate) fn delete(&self, key: &K) -> Ticket {
        let mut state = self.lock();
        state.by_key.remove(key);
        self.store.write(|changes| changes.delete(K::TABLE, key.path()))
    }

    /// The number of the assignment that admits a user, the narrowest if there are several, and what has to be kept
    /// before a token is handed out; `None` if there is none.
    pub(crate) fn admitting(&self, user: &EntraUserClaims) -> Option<(u64, Ticket)> {
        let state = self.lock();
        let admitting = state
            .by_key
            .values()
            .filter(|numbered| numbered.assignment.admits(user));
        let narrowest = admitting.min_by_key(|numbered| numbered.assignment.principal_type)?;
        Some((narrowest.number, narrowest.changed))
    }

    /// Whether there still is an assignment with this number.
    pub(crate) fn has_number(&self, number: u64) -> bool {
        self.lock().by_key.values().any(|numbered| numbered.number == number)
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
