//! Parses the times that callers send. Every field, parameter and search term that takes a time uses it.

use chrono::{DateTime, Datelike as _, SubsecRound as _, Timelike as _, Utc};

/// The format of a time, for error messages.
pub const EXAMPLE: &str = "2026-01-02T03:04:05Z";

/// An RFC 3339 time, to the millisecond, as in ids and rows, within the years that ids and both databases
/// support.
///
/// Second 60 is refused, though RFC 3339 allows it: neither the databases nor browsers support it.
pub fn read(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    if is_leap(&time) {
        return None;
    }
    let time = time.trunc_subsecs(3);
    (1_970..=9_999).contains(&time.year()).then_some(time)
}

/// The same time without a second 60: an older version may have stored one.
pub fn without_leap_second(time: DateTime<Utc>) -> DateTime<Utc> {
    if is_leap(&time) {
        DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
    } else {
        time
    }
}

/// chrono represents second 60 as more than a thousand milliseconds of the second before.
fn is_leap(time: &DateTime<Utc>) -> bool {
    time.nanosecond() >= 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_to_the_millisecond() {
        let time = read("2026-01-02T04:04:05.678912+01:00").unwrap();
        assert_eq!(time.to_rfc3339(), "2026-01-02T03:04:05.678+00:00");
    }

    #[test]
    fn what_no_page_and_no_database_knows_is_refused() {
        for text in [
            "2026-12-31T23:59:60Z",
            "2016-12-31T23:59:60.5Z",
            "2017-01-01T00:59:60+01:00",
            "1969-12-31T23:59:59Z",
            "99999-01-01T00:00:00Z",
            "2026-01-02",
            "tomorrow",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(read(EXAMPLE).is_some());
    }

    #[test]
    fn a_second_60_that_was_stored_is_shown_as_the_next_one() {
        let stored = DateTime::parse_from_rfc3339("2026-12-31T23:59:60.250Z")
            .unwrap()
            .to_utc();
        assert_eq!(
            without_leap_second(stored).to_rfc3339(),
            "2027-01-01T00:00:00.250+00:00"
        );
        let other = read(EXAMPLE).unwrap();
        assert_eq!(without_leap_second(other), other);
    }
}
