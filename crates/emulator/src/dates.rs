//! Dates and times as HTTP headers, responses, tokens and the data file have them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, ser};
use time::{
    OffsetDateTime, PrimitiveDateTime, UtcOffset,
    format_description::{
        BorrowedFormatItem,
        well_known::{Rfc2822, Rfc3339},
    },
    macros::format_description,
};

/// `Sat, 01 Aug 2026 00:00:00 GMT`
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// Parses a date. The day needs two digits, as it does for the service: Java's SDK could not use the built-in
/// formatter, which writes one. Any weekday is accepted, as that of the documentation's example is wrong.
pub(crate) fn parse_http_date(date: &str) -> Option<OffsetDateTime> {
    let date = PrimitiveDateTime::parse(date, HTTP_DATE).ok()?;
    Some(date.assume_utc())
}

/// Formats a date, to the second.
pub(crate) fn format_http_date(date: OffsetDateTime) -> String {
    // Formatting fails only for years of more than four digits, which the clock cannot reach.
    date.to_offset(UtcOffset::UTC).format(HTTP_DATE).unwrap_or_default()
}

/// `Saturday, 01-Aug-26 00:00:00 GMT`
const RFC_850: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday], [day]-[month repr:short]-[year repr:last_two] [hour]:[minute]:[second] GMT");
/// `Sat, 01 Aug 26 00:00:00 GMT`
const TWO_DIGIT_YEAR: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year repr:last_two] [hour]:[minute]:[second] GMT"
);
/// `Sat Aug  1 00:00:00 2026`
const ASCTIME: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]");
/// `2026-08-01T00:00:00.000Z`, as in JavaScript.
const ISO_MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000Z");
/// `Sat, 1 Aug 2026 00:00:00 GMT`, as in Java.
const ONE_DIGIT_DAY: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day padding:none] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

pub(crate) fn format_rfc_850(date: OffsetDateTime) -> String {
    date.format(RFC_850).unwrap_or_default()
}

pub(crate) fn format_two_digit_year(date: OffsetDateTime) -> String {
    date.format(TWO_DIGIT_YEAR).unwrap_or_default()
}

/// A date in further forms that clients use by mistake.
pub(crate) fn other_forms(date: OffsetDateTime) -> impl Iterator<Item = String> {
    let forms = [
        date.format(&Rfc3339).ok(),
        date.format(ISO_MILLISECONDS).ok(),
        date.format(&Rfc2822).ok(),
        date.format(ASCTIME).ok(),
        date.format(ONE_DIGIT_DAY).ok(),
        Some(date.unix_timestamp().to_string()),
        Some((date.unix_timestamp() * 1000).to_string()),
    ];
    forms.into_iter().flatten()
}

/// Returns whether a text is a date in one of these forms.
pub(crate) fn is_of_other_form(text: &str) -> bool {
    OffsetDateTime::parse(text, &Rfc3339).is_ok()
        || OffsetDateTime::parse(text, &Rfc2822).is_ok()
        || PrimitiveDateTime::parse(text, ASCTIME).is_ok()
        || text.parse::<i64>().is_ok()
}

/// `2026-08-01T00:00:00.1234567+00:00`, as .NET formats a time.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]+00:00");

/// Serializes a time; for `#[serde(serialize_with)]`.
pub(crate) fn serialize_timestamp<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let text = time
        .to_offset(UtcOffset::UTC)
        .format(TIMESTAMP)
        .map_err(ser::Error::custom)?;
    serializer.serialize_str(&text)
}

/// Deserializes a time from whole seconds since 1970; for `#[serde(deserialize_with)]`.
pub(crate) fn deserialize_unix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    OffsetDateTime::from_unix_timestamp(i64::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A time in an exported state, with any offset in an imported one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(pub(crate) OffsetDateTime);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_offset(UtcOffset::UTC).format(&Rfc3339);
        serializer.serialize_str(&text.map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = OffsetDateTime::parse(&text, &Rfc3339).ok();
        // A record has the nanoseconds in 64 bits.
        let time = time.filter(|time| i64::try_from(time.unix_timestamp_nanos()).is_ok());
        let expected = || D::Error::custom("expected a time such as 2026-08-01T00:15:00Z, of the years 1678 to 2261");
        time.map(Self).ok_or_else(expected)
    }
}

/// A time in a record: nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredTime(pub(crate) OffsetDateTime);

impl Serialize for StoredTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nanoseconds = i64::try_from(self.0.unix_timestamp_nanos()).map_err(ser::Error::custom)?;
        serializer.serialize_i64(nanoseconds)
    }
}

impl<'de> Deserialize<'de> for StoredTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nanoseconds = i64::deserialize(deserializer)?;
        let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.into());
        time.map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn dates_are_formatted_and_parsed() {
        let date = datetime!(2026-08-01 02:00:00 +02:00);
        assert_eq!(format_http_date(date), "Sat, 01 Aug 2026 00:00:00 GMT");
        assert_eq!(parse_http_date("Sat, 01 Aug 2026 00:00:00 GMT"), Some(date));
    }

    #[test]
    fn documented_date_with_wrong_weekday_is_accepted() {
        assert_eq!(
            parse_http_date("Fri, 08 Apr 2015 03:52:31 GMT"),
            Some(datetime!(2015-04-08 03:52:31 UTC))
        );
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            "",
            "Sat, 1 Aug 2026 00:00:00 GMT",
            "Sat, 01 Aug 2026 00:00:00 UTC",
            "Sat, 01 Aug 2026 00:00:00",
            "Sat, 32 Aug 2026 00:00:00 GMT",
            "2026-08-01T00:00:00Z",
            "Sat, 01 Aug 2026 00:00:00 GMT ",
        ] {
            assert_eq!(parse_http_date(bad), None, "{bad}");
        }
    }
}
