//! Dates of HTTP headers: `Sat, 01 Aug 2026 00:00:00 GMT`.

use time::{
    OffsetDateTime, PrimitiveDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description,
};

const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// Parses a date. The day needs two digits, as it does for the service: Java's SDK could not use the built-in
/// formatter, which writes one. The weekday need not be the right one: that of the documentation's own example is
/// wrong.
pub(crate) fn parse(date: &str) -> Option<OffsetDateTime> {
    let date = PrimitiveDateTime::parse(date, FORMAT).ok()?;
    Some(date.assume_utc())
}

/// Formats a date, to the second.
pub(crate) fn format(date: OffsetDateTime) -> String {
    // Formatting fails only for years of more than four digits, which the clock cannot reach.
    date.to_offset(UtcOffset::UTC).format(FORMAT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn dates_are_formatted_and_parsed() {
        let date = datetime!(2026-08-01 02:00:00 +02:00);
        assert_eq!(format(date), "Sat, 01 Aug 2026 00:00:00 GMT");
        assert_eq!(parse("Sat, 01 Aug 2026 00:00:00 GMT"), Some(date));
    }

    #[test]
    fn the_documented_example_with_the_wrong_weekday_is_accepted() {
        assert_eq!(
            parse("Fri, 08 Apr 2015 03:52:31 GMT"),
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
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
