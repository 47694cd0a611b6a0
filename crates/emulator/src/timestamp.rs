//! Times in responses: `2026-08-01T00:00:00.1234567+00:00`.

use serde::{Serializer, ser};
use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

/// Seven digits of fraction and a numeric offset, as .NET formats a time.
const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]+00:00");

/// Serializes a time; for `#[serde(serialize_with)]`.
pub(crate) fn serialize<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let text = time.to_offset(UtcOffset::UTC).format(FORMAT);
    serializer.serialize_str(&text.map_err(ser::Error::custom)?)
}
