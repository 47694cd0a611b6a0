//! The date of a signature, as its header holds it.

use azure_core::time::OffsetDateTime;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The length of every date.
const LEN: usize = "Sat, 01 Aug 2026 00:00:00 GMT".len();

/// A time in the form of RFC 1123, in GMT, with the day in two digits.
///
/// azure_core has the same as `to_rfc7231`, which interprets a description of the form: with the clock, it would take a
/// quarter of the time of a signature.
pub(super) fn header_date(time: OffsetDateTime) -> String {
    let time = time.to_utc();
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.as_hms();

    let mut date = String::with_capacity(LEN);
    date.push_str(name(&DAYS, time.weekday().number_days_from_monday()));
    date.push_str(", ");
    push_two_digits(&mut date, day);
    date.push(' ');
    date.push_str(name(&MONTHS, u8::from(month) - 1));
    date.push(' ');
    // No time of this type is later than the year 9999.
    push_two_digits(&mut date, u8::try_from(year / 100).unwrap_or_default());
    push_two_digits(&mut date, u8::try_from(year % 100).unwrap_or_default());
    date.push(' ');
    push_two_digits(&mut date, hour);
    date.push(':');
    push_two_digits(&mut date, minute);
    date.push(':');
    push_two_digits(&mut date, second);
    date.push_str(" GMT");
    date
}

fn name(names: &[&'static str], index: u8) -> &'static str {
    names.get(usize::from(index)).copied().unwrap_or_default()
}

fn push_two_digits(text: &mut String, number: u8) {
    text.push(char::from(b'0' + number / 10));
    text.push(char::from(b'0' + number % 10));
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::time::{Duration, parse_rfc3339, to_rfc7231};

    fn date(time: &str) -> String {
        header_date(parse_rfc3339(time).unwrap())
    }

    #[test]
    fn a_date_is_in_gmt_with_two_digits_each() {
        assert_eq!(date("2026-08-01T00:00:00Z"), "Sat, 01 Aug 2026 00:00:00 GMT");
        assert_eq!(date("2026-08-01T01:30:59.999+02:00"), "Fri, 31 Jul 2026 23:30:59 GMT");
        assert_eq!(date("2000-02-29T23:59:59Z"), "Tue, 29 Feb 2000 23:59:59 GMT");
    }

    #[test]
    fn every_day_of_years_is_as_azure_core_has_it() {
        let start = parse_rfc3339("1999-12-31T20:59:58Z").unwrap();
        for hours in (0..24 * 366 * 30).step_by(23) {
            let time = start + Duration::hours(hours);
            assert_eq!(header_date(time), to_rfc7231(&time));
        }
    }
}
