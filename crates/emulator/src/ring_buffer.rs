//! A ring buffer of the last items of a kind, for the lists of the control surface.

use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The last `N` items.
#[derive(Debug)]
pub(crate) struct RingBuffer<T, const N: usize>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    added: u64,
    items: VecDeque<Numbered<T>>,
}

/// An item and its number, counted from zero.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Numbered<T> {
    pub(crate) number: u64,
    #[serde(flatten)]
    pub(crate) item: T,
}

impl<T, const N: usize> Default for RingBuffer<T, N> {
    fn default() -> Self {
        Self(Mutex::new(State {
            added: 0,
            items: VecDeque::new(),
        }))
    }
}

impl<T: Clone, const N: usize> RingBuffer<T, N> {
    /// Adds an item, and drops the oldest if there are too many.
    pub(crate) fn add(&self, item: T) {
        let mut state = self.lock();
        let number = state.added;
        state.added += 1;
        state.items.truncate(N - 1);
        state.items.push_front(Numbered { number, item });
    }

    /// All items, newest first.
    pub(crate) fn list(&self) -> Vec<Numbered<T>> {
        self.lock().items.iter().cloned().collect()
    }

    /// Drops all items. The numbers of later ones continue.
    pub(crate) fn clear(&self) {
        self.lock().items.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_items_are_listed_newest_first() {
        let recent = RingBuffer::<_, 50>::default();
        for number in 0..120 {
            recent.add(number * 2);
        }
        let expected = (70..120).rev().map(|number| Numbered {
            number,
            item: number * 2,
        });
        assert_eq!(recent.list(), expected.collect::<Vec<_>>());
        recent.clear();
        assert_eq!(recent.list(), []);
        recent.add(7);
        assert_eq!(recent.list(), [Numbered { number: 120, item: 7 }]);
    }
}
