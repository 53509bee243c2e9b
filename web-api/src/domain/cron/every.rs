//! The interval of `@every`: "30s", "1h30m".

use chrono::TimeDelta;

const UNITS: [(char, i64, &str); 4] = [
    ('d', 86_400, "day"),
    ('h', 3_600, "hour"),
    ('m', 60, "minute"),
    ('s', 1, "second"),
];
const LONGEST: TimeDelta = TimeDelta::days(366);

/// Parses an interval of whole seconds, from one second to a year.
pub(super) fn parse(text: &str) -> Result<TimeDelta, String> {
    let wrong =
        || format!("after @every comes a time from 1s to 366d such as 30s, 15m, 1h30m or 2d, not {text:?}");
    let mut seconds = 0_i64;
    let mut rest = text;
    // Each unit once, the largest first: "30m1h" is more likely a mistake.
    for (unit, length, _) in UNITS {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        let digits =
            !number.is_empty() && number.len() <= 9 && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { number.parse::<i64>().ok() } else { None };
        seconds += number.ok_or_else(wrong)? * length;
        rest = after;
    }
    let distance = TimeDelta::seconds(seconds);
    if rest.is_empty() && distance >= TimeDelta::seconds(1) && distance <= LONGEST {
        Ok(distance)
    } else {
        Err(wrong())
    }
}

/// "Every 30 seconds", "Every hour", "Every 1 hour and 30 minutes".
pub(super) fn describe(distance: TimeDelta) -> String {
    let mut left = distance.num_seconds();
    let mut parts = Vec::new();
    for (_, length, name) in UNITS {
        let count = left / length;
        left %= length;
        match count {
            0 => {}
            1 => parts.push(format!("1 {name}")),
            _ => parts.push(format!("{count} {name}s")),
        }
    }
    match parts.as_slice() {
        [only] => format!("Every {}", only.strip_prefix("1 ").unwrap_or(only)),
        [first @ .., last] => format!("Every {} and {last}", first.join(", ")),
        [] => "Every moment".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_read_and_told() {
        for (text, seconds, words) in [
            ("1s", 1, "Every second"),
            ("30s", 30, "Every 30 seconds"),
            ("60s", 60, "Every minute"),
            ("90m", 5_400, "Every 1 hour and 30 minutes"),
            ("1h30m", 5_400, "Every 1 hour and 30 minutes"),
            (
                "1d2h3m4s",
                93_784,
                "Every 1 day, 2 hours, 3 minutes and 4 seconds",
            ),
            ("366d", 31_622_400, "Every 366 days"),
        ] {
            let distance = parse(text).unwrap();
            assert_eq!(distance.num_seconds(), seconds, "{text}");
            assert_eq!(describe(distance), words, "{text}");
        }
    }

    #[test]
    fn what_is_no_distance_is_refused() {
        for text in [
            "",
            "0s",
            "5",
            "s",
            "1h1h",
            "30m1h",
            "1.5h",
            "-1s",
            "+1s",
            "1ms",
            "1 h",
            "367d",
            "999999999d",
            "99999999999s",
            "1h ",
            "１s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
