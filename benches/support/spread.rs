//! The spread of measurements.

use std::fmt;

/// The lowest, the median and the highest of some measurements.
pub(crate) struct Spread {
    pub(crate) median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    /// Returns the spread of measurements; `None` for an empty list.
    pub(crate) fn of(measurements: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<_> = measurements.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: *sorted.get(sorted.len() / 2)?,
            lowest: *sorted.first()?,
            highest: *sorted.last()?,
        })
    }
}

impl fmt::Display for Spread {
    /// Writes three numbers, with the digits of the format's precision.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        let Self {
            median,
            lowest,
            highest,
        } = self;
        write!(f, "{median:.digits$} ({lowest:.digits$} to {highest:.digits$})")
    }
}
