//! Times in responses and in tokens.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, ser};
use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

/// `2026-08-01T00:00:00.1234567+00:00`, as .NET formats a time.
const FULL: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]+00:00");

/// Serializes a time; for `#[serde(serialize_with)]`.
pub(crate) fn serialize<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let text = time
        .to_offset(UtcOffset::UTC)
        .format(FULL)
        .map_err(ser::Error::custom)?;
    serializer.serialize_str(&text)
}

/// Deserializes a time from whole seconds since 1970; for `#[serde(deserialize_with)]`.
pub(crate) fn deserialize_unix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    OffsetDateTime::from_unix_timestamp(i64::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A time in a record: nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) OffsetDateTime);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nanoseconds = i64::try_from(self.0.unix_timestamp_nanos()).map_err(ser::Error::custom)?;
        serializer.serialize_i64(nanoseconds)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nanoseconds = i64::deserialize(deserializer)?;
        let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.into());
        time.map(Self).map_err(D::Error::custom)
    }
}
