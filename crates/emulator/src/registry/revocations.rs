//! Revocations of an identity's tokens.

use crate::timestamp::Moment;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use time::OffsetDateTime;

/// When an identity's tokens were revoked.
///
/// A token carries the number of revocations before it was issued, so it is revoked by any that has that number or a
/// higher one.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Revocations {
    /// How many have taken effect, and are forgotten but for their number.
    settled: u64,
    /// When the others take effect, oldest first.
    pending: VecDeque<Moment>,
}

impl Revocations {
    /// How many there are, whether they have taken effect or not.
    pub(super) fn count(&self) -> u64 {
        self.settled.saturating_add(self.pending.len() as u64)
    }

    /// Adds one that takes effect at `effect`.
    pub(super) fn add(&mut self, effect: OffsetDateTime, now: OffsetDateTime) {
        self.pending.push_back(Moment(effect));
        while self.pending.front().is_some_and(|Moment(effect)| *effect <= now) {
            self.pending.pop_front();
            self.settled += 1;
        }
    }

    /// Whether one has revoked a token by now that was issued after the first `number` of them.
    pub(super) fn have_revoked(&self, number: u64, now: OffsetDateTime) -> bool {
        let Some(earlier) = number.checked_sub(self.settled) else {
            return true;
        };
        let mut later = self.pending.iter().zip(0..).filter(|(_, index)| *index >= earlier);
        later.any(|(Moment(effect), _)| *effect <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::{Duration, macros::datetime};

    const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);
    const MINUTE: Duration = Duration::MINUTE;

    #[test]
    fn a_revocation_affects_earlier_tokens_from_its_effect_on() {
        let mut revocations = Revocations::default();
        let before = revocations.count();
        revocations.add(NOW + 15 * MINUTE, NOW);
        let after = revocations.count();
        for (minutes, revoked) in [(0, false), (14, false), (15, true), (16, true)] {
            assert_eq!(
                revocations.have_revoked(before, NOW + minutes * MINUTE),
                revoked,
                "{minutes}"
            );
            assert!(!revocations.have_revoked(after, NOW + minutes * MINUTE), "{minutes}");
        }
    }

    #[test]
    fn what_has_taken_effect_is_only_counted() {
        let mut revocations = Revocations::default();
        for number in 0..1000 {
            assert_eq!(revocations.count(), number);
            revocations.add(NOW, NOW);
            assert!(revocations.have_revoked(number, NOW));
            assert!(!revocations.have_revoked(number + 1, NOW));
        }
        assert!(revocations.pending.is_empty());
    }

    #[test]
    fn a_later_revocation_may_take_effect_first() {
        let mut revocations = Revocations::default();
        revocations.add(NOW + 15 * MINUTE, NOW);
        revocations.add(NOW, NOW);
        assert!(revocations.have_revoked(0, NOW));
        assert!(revocations.have_revoked(1, NOW));
        assert!(!revocations.have_revoked(2, NOW));
    }
}
