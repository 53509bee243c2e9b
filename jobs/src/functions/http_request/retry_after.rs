//! Reads the header `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.

use std::time::{Duration, SystemTime};

/// A server may keep a job waiting for so long and no longer.
const LONGEST: Duration = Duration::from_hours(1);

/// How long the server wants to be left alone. `None` when it says nothing of use, or asks for no wait at all: the
/// function's own backoff is the better answer then.
pub(super) fn wait(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // Digits that fit no number are a very long time.
        value.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        httpdate::parse_http_date(value).ok()?.duration_since(now).ok()?
    };
    (!wait.is_zero()).then_some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37, the example of RFC 9110.
    const NOW: u64 = 784_111_777;

    fn seconds(value: &str) -> Option<u64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        wait(value, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_taken_up_to_an_hour() {
        for (value, expected) in [
            ("1", 1),
            (" 120 ", 120),
            ("0010", 10),
            ("3600", 3_600),
            ("3601", 3_600),
            ("99999999999999999999999", 3_600),
        ] {
            assert_eq!(seconds(value), Some(expected), "{value:?}");
        }
    }

    #[test]
    fn dates_are_taken_in_all_three_forms_up_to_an_hour() {
        for (value, expected) in [
            ("Sun, 06 Nov 1994 08:49:47 GMT", 10),
            ("Sunday, 06-Nov-94 08:50:37 GMT", 60),
            ("Sun Nov  6 09:49:36 1994", 3_599),
            ("Mon, 07 Nov 1994 08:49:37 GMT", 3_600),
        ] {
            assert_eq!(seconds(value), Some(expected), "{value:?}");
        }
    }

    #[test]
    fn what_asks_for_no_wait_or_for_nothing_is_left_to_the_backoff() {
        for value in [
            "",
            "0",
            "-1",
            "1.5",
            "soon",
            "10 seconds",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:00:00 GMT",
            "Sun, 99 Nov 1994 08:00:00 GMT",
        ] {
            assert_eq!(seconds(value), None, "{value:?}");
        }
    }
}
