//! The requests that a fault applies to.

use crate::{
    faults::{Fault, InvalidFault},
    operation::Operation,
};

/// The whole of a share. Sums of integers are exact, so that a share of 0.05 is 5 of 100, and not sometimes 4.
const WHOLE: u32 = 1_000_000;

/// Decides for each request in turn whether the fault applies to it.
#[derive(Debug)]
pub(super) struct Occurrence {
    operation: Option<Operation>,
    /// The number of further requests; `None` for any number.
    remaining: Option<u64>,
    /// In parts of [`WHOLE`].
    share: u32,
    /// The sum of the shares since the last request that it applied to, in the same parts.
    credit: u32,
}

impl Occurrence {
    /// Counts the next request, and returns whether the fault applies to it.
    pub(super) fn applies(&mut self, operation: Option<Operation>) -> bool {
        if self.is_exhausted() || (self.operation.is_some() && self.operation != operation) {
            return false;
        }
        self.credit += self.share;
        if self.credit < WHOLE {
            return false;
        }
        self.credit -= WHOLE;
        if let Some(remaining) = &mut self.remaining {
            *remaining -= 1;
        }
        true
    }

    pub(super) fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// Returns whether the fault applies to no further request.
    pub(super) fn is_exhausted(&self) -> bool {
        self.remaining == Some(0)
    }
}

impl TryFrom<&Fault> for Occurrence {
    type Error = InvalidFault;

    fn try_from(fault: &Fault) -> Result<Self, InvalidFault> {
        if fault.times == Some(0) {
            let message = "a fault applies at least once: give a number from 1 on, or none for every request";
            return Err(InvalidFault::new(message));
        }
        Ok(Self {
            operation: fault.operation,
            remaining: fault.times,
            share: fault.share.map_or(Ok(WHOLE), parts)?,
            credit: 0,
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is a whole one from 0 to a million"
)]
fn parts(share: f64) -> Result<u32, InvalidFault> {
    let parts = (share * f64::from(WHOLE)).round();
    let vanishes = share > 0.0 && parts == 0.0;
    if (0.0..=1.0).contains(&share) && !vanishes {
        return Ok(parts as u32);
    }
    let message = "a share is a number from 0 to 1, in steps of a millionth: 0.05 is every twentieth request";
    Err(InvalidFault::new(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(fault: &Fault, requests: usize) -> Vec<usize> {
        let mut occurrence = Occurrence::try_from(fault).unwrap();
        (1..=requests).filter(|_| occurrence.applies(None)).collect()
    }

    #[test]
    fn a_share_is_spread_evenly() {
        let fault = Fault::html_body();
        assert_eq!(hits(&fault.clone().share(0.05), 100), [20, 40, 60, 80, 100]);
        assert_eq!(hits(&fault.clone().share(0.4), 10), [3, 5, 8, 10]);
        assert_eq!(hits(&fault.clone().share(0.4).times(2), 10), [3, 5]);
        assert_eq!(hits(&fault.clone().share(1.0), 3), [1, 2, 3]);
        assert_eq!(hits(&fault.share(0.0), 1000).len(), 0);
    }

    #[test]
    fn every_share_is_exact() {
        for percent in 0..=100_u32 {
            let fault = Fault::html_body().share(f64::from(percent) / 100.0);
            assert_eq!(hits(&fault, 1000).len(), 10 * percent as usize, "{percent}");
        }
    }

    #[test]
    fn other_operations_do_not_count() {
        let fault = Fault::html_body().operation(Operation::IssueToken).times(2);
        let mut occurrence = Occurrence::try_from(&fault).unwrap();
        let operations = [
            (Some(Operation::IssueToken), true),
            (Some(Operation::CreateIdentity), false),
            (None, false),
            (Some(Operation::IssueToken), true),
            (Some(Operation::IssueToken), false),
        ];
        for (operation, applies) in operations {
            assert_eq!(occurrence.applies(operation), applies);
        }
        assert!(occurrence.is_exhausted());
    }

    #[test]
    fn a_share_out_of_range_is_refused() {
        for share in [-0.1, 1.1, 5.0, 1e-9, f64::NAN, f64::INFINITY] {
            assert!(
                Occurrence::try_from(&Fault::html_body().share(share)).is_err(),
                "{share}"
            );
        }
    }
}
