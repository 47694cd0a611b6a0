//! Dates as HTTP headers carry them: `Sat, 01 Aug 2026 00:00:00 GMT`.

use time::{
    OffsetDateTime, PrimitiveDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description,
};

const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// Reads a date. Two digits for the day are required, as the service does: Java had to drop its built-in formatter
/// because that writes one. The weekday has to be one, not the right one: the documents' own example has it wrong.
pub(crate) fn parse(date: &str) -> Option<OffsetDateTime> {
    let date = PrimitiveDateTime::parse(date, FORMAT).ok()?;
    Some(date.assume_utc())
}

/// Writes a date, to the second.
pub(crate) fn format(date: OffsetDateTime) -> String {
    // Formatting fails for years beyond four digits alone, which no clock of ours reaches.
    date.to_offset(UtcOffset::UTC).format(FORMAT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn dates_are_written_and_read() {
        let date = datetime!(2026-08-01 02:00:00 +02:00);
        assert_eq!(format(date), "Sat, 01 Aug 2026 00:00:00 GMT");
        assert_eq!(parse("Sat, 01 Aug 2026 00:00:00 GMT"), Some(date));
    }

    #[test]
    fn the_documents_example_with_the_wrong_weekday_is_read() {
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
