//! The last of a kind, for people to look at.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// The last `N` items.
#[derive(Debug)]
pub(crate) struct Recent<T, const N: usize>(Mutex<VecDeque<T>>);

impl<T, const N: usize> Default for Recent<T, N> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone, const N: usize> Recent<T, N> {
    /// Adds an item, in place of the oldest if there are too many.
    pub(crate) fn add(&self, item: T) {
        let mut items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        items.truncate(N - 1);
        items.push_front(item);
    }

    /// All of them, newest first.
    pub(crate) fn list(&self) -> Vec<T> {
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        items.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_kept_newest_first() {
        let recent = Recent::<_, 50>::default();
        for number in 1..=120 {
            recent.add(number);
        }
        assert_eq!(recent.list(), (71..=120).rev().collect::<Vec<_>>());
    }
}
