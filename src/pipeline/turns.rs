//! Calls that have to run one after another.

use futures::lock::{Mutex, OwnedMutexGuard};
use std::{
    collections::HashMap,
    sync::{self, Arc, PoisonError},
};

/// Lets those run one after another that name the same key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<sync::Mutex<HashMap<String, Arc<Mutex<()>>>>>);

impl Turns {
    /// Waits for one's turn, which lasts until what is returned is dropped.
    pub(crate) async fn take(&self, key: &str) -> Turn {
        let queue = Arc::clone(self.queues().entry(key.to_owned()).or_default());
        let mut turn = Turn {
            turns: self.clone(),
            key: key.to_owned(),
            queue: Arc::clone(&queue),
            guard: None,
        };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }

    fn queues(&self) -> sync::MutexGuard<'_, HashMap<String, Arc<Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn, or the wait for one.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    key: String,
    queue: Arc<Mutex<()>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        self.guard = None;
        // The map's and this one. Others can only join under the lock that is held here.
        if Arc::strong_count(&self.queue) == 2 {
            queues.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
    use std::{
        cell::Cell,
        pin::pin,
        task::{Context, Waker},
    };
    use tokio::task::yield_now;

    #[tokio::test]
    async fn turns_of_one_key_follow_each_other_and_leave_nothing_behind() {
        let (turns, running) = (Turns::default(), Cell::new(0));
        let calls: FuturesUnordered<_> = (0..100)
            .map(|_| async {
                let _turn = turns.take("a").await;
                running.set(running.get() + 1);
                yield_now().await;
                assert_eq!(running.get(), 1);
                running.set(0);
            })
            .collect();
        calls.collect::<Vec<_>>().await;
        assert!(turns.queues().is_empty());
    }

    #[test]
    fn another_key_does_not_wait() {
        let turns = Turns::default();
        let one = turns.take("a").now_or_never().unwrap();
        let other = turns.take("b").now_or_never().unwrap();
        assert!(turns.take("a").now_or_never().is_none());
        drop((one, other));
        assert!(turns.queues().is_empty());
    }

    #[test]
    fn a_wait_that_is_given_up_lets_the_next_one_pass() {
        let turns = Turns::default();
        let first = turns.take("a").now_or_never().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut second = pin!(turns.take("a"));
            assert!(second.as_mut().poll(&mut context).is_pending());
            drop(first);
        }
        assert!(turns.take("a").now_or_never().is_some());
        assert!(turns.queues().is_empty());
    }

    #[test]
    fn one_who_comes_later_waits_for_one_who_came_before() {
        let turns = Turns::default();
        let first = turns.take("a").now_or_never().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut second = pin!(turns.take("a"));
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(first);
        let second = second.now_or_never().unwrap();
        assert!(turns.take("a").now_or_never().is_none());
        drop(second);
        assert!(turns.queues().is_empty());
    }
}
