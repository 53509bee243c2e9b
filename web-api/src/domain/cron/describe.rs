//! A cron expression in plain words: our wording for common forms, the library's for the rest.

use chrono_tz::Tz;
use croner::Cron;

/// Times of day that are listed one by one.
const LISTED: usize = 4;
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// When within a day.
enum Time {
    /// "08:00 and 20:00".
    At(String),
    /// "Every 15 minutes", with the hours to which it is confined.
    Repeating { every: String, hours: Option<String> },
}

/// "Every day at 08:00 Europe/Berlin".
pub(super) fn describe(fields: &[String; 6], cron: &Cron, zone: Tz) -> String {
    let (Some(time), Some(days)) = (time(fields, cron), days(fields, cron)) else {
        return format!("{}, {zone}", cron.describe().trim_end_matches('.'));
    };
    match (time, days.as_str()) {
        (Time::At(times), _) => format!("{} at {times} {zone}", capital(&days)),
        // The same in every zone, or as good as.
        (Time::Repeating { every, hours: None }, "every day") => every,
        (Time::Repeating { every, hours }, _) => {
            let days = Some(days).filter(|days| days != "every day");
            let parts = [Some(every), hours, days, Some(zone.to_string())];
            let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
            text.replacen(", from ", " from ", 1)
        }
    }
}

fn time(fields: &[String; 6], cron: &Cron) -> Option<Time> {
    let [second, minute, hour, ..] = fields.each_ref().map(String::as_str);
    let pattern = &cron.pattern;
    let (seconds, minutes, hours) = (
        pattern.seconds.values(),
        pattern.minutes.values(),
        pattern.hours.values(),
    );
    let repeats = [second, minute, hour]
        .iter()
        .any(|field| field.contains(['*', '/']));
    if !repeats && seconds.len() * minutes.len() * hours.len() <= LISTED {
        let mut times = Vec::new();
        for hour in &hours {
            for minute in &minutes {
                times.extend(seconds.iter().map(|second| clock(*hour, *minute, *second)));
            }
        }
        return Some(Time::At(list(&times)));
    }
    let every = match (second, minute) {
        ("*", "*") => "Every second".to_owned(),
        ("0", "*") => "Every minute".to_owned(),
        (step, "*") => format!("Every {} seconds", even_step(step, 60)?),
        ("0", step) if step.starts_with("*/") => format!("Every {} minutes", even_step(step, 60)?),
        ("0", _) if minutes.len() == 1 => return hourly(hour, &hours, minutes[0]),
        _ => return None,
    };
    let hours = if hour == "*" {
        None
    } else {
        let last = clock(*hours.last()?, *minutes.last()?, *seconds.last()?);
        Some(format!("from {} to {last}", clock(in_a_row(&hours)?, 0, 0)))
    };
    Some(Time::Repeating { every, hours })
}

/// "Every hour at minute 5", "Every 2 hours from 00:05", "Every hour from 08:00 to 18:00".
fn hourly(field: &str, hours: &[u16], minute: u16) -> Option<Time> {
    let (every, hours) = if field == "*" {
        let at = match minute {
            0 => String::new(),
            _ => format!(" at minute {minute}"),
        };
        (format!("Every hour{at}"), None)
    } else if field.starts_with("*/") {
        let every = format!("Every {} hours", even_step(field, 24)?);
        (every, Some(format!("from {}", clock(0, minute, 0))))
    } else {
        let first = clock(in_a_row(hours)?, minute, 0);
        let last = clock(*hours.last()?, minute, 0);
        ("Every hour".to_owned(), Some(format!("from {first} to {last}")))
    };
    Some(Time::Repeating { every, hours })
}

/// The step of `*/15`, when it divides the whole: else the last distance is a shorter one.
fn even_step(field: &str, whole: u16) -> Option<u16> {
    let step = field.strip_prefix("*/")?.parse().ok()?;
    (step > 1 && whole.is_multiple_of(step)).then_some(step)
}

/// The first of values of which each follows the one before.
fn in_a_row(values: &[u16]) -> Option<u16> {
    let in_a_row = values.windows(2).all(|pair| pair[1] == pair[0] + 1);
    values.first().copied().filter(|_| in_a_row)
}

fn clock(hour: u16, minute: u16, second: u16) -> String {
    match second {
        0 => format!("{hour:02}:{minute:02}"),
        _ => format!("{hour:02}:{minute:02}:{second:02}"),
    }
}

/// On which days, as it goes on in a sentence.
fn days(fields: &[String; 6], cron: &Cron) -> Option<String> {
    let any = |field: &str| field == "*" || field == "?";
    let [_, _, _, day, month, weekday] = fields.each_ref().map(String::as_str);
    let every_month = any(month);
    match (any(day), any(weekday)) {
        (true, true) if every_month => Some("every day".to_owned()),
        (true, true) => Some(format!("every day in {}", months(cron))),
        (true, false) => {
            let weekdays = weekdays(weekday, cron)?;
            Some(if every_month {
                weekdays
            } else {
                format!("{weekdays} in {}", months(cron))
            })
        }
        (false, true) => {
            let of_month = if every_month {
                "every month".to_owned()
            } else {
                months(cron)
            };
            match day {
                "L" => Some(format!("on the last day of {of_month}")),
                "LW" => Some(format!("on the last working day of {of_month}")),
                _ if cron.pattern.days.has_modifiers() || day.contains(['*', '/']) => None,
                _ => {
                    let days = cron.pattern.days.values();
                    let one_month = cron.pattern.months.values().len() == 1;
                    match days.as_slice() {
                        [day] if one_month => Some(format!("every {day} {of_month}")),
                        [day] => Some(format!("on day {day} of {of_month}")),
                        _ => Some(format!("on days {} of {of_month}", list(&days))),
                    }
                }
            }
        }
        // Either of the two: the library says it.
        (false, false) => None,
    }
}

fn weekdays(field: &str, cron: &Cron) -> Option<String> {
    if cron.pattern.days_of_week.has_modifiers() || field.contains(['*', '/']) {
        return None;
    }
    let name = |day: &u16| WEEKDAYS[usize::from(*day) % 7];
    let mut days = cron.pattern.days_of_week.values();
    days.sort_by_key(|day| (day + 6) % 7);
    Some(match days.as_slice() {
        [1, 2, 3, 4, 5] => "Monday to Friday".to_owned(),
        [_, _, _, _, _, _, _] => "every day".to_owned(),
        _ => format!("every {}", list(&days.iter().map(name).collect::<Vec<_>>())),
    })
}

fn months(cron: &Cron) -> String {
    let values = cron.pattern.months.values();
    let names: Vec<&str> = values
        .iter()
        .map(|month| MONTHS[(usize::from(*month) + 11) % 12])
        .collect();
    list(&names)
}

/// "a, b and c".
fn list<T: ToString>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [first @ .., second, last] => {
            let first = first
                .iter()
                .chain([second])
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            format!("{first} and {last}")
        }
        _ => texts.concat(),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cron::Timing;

    #[test]
    fn the_usual_shapes_have_plain_words() {
        for (text, words) in [
            ("0 8 * * *", "Every day at 08:00 Europe/Berlin"),
            ("@daily", "Every day at 00:00 Europe/Berlin"),
            ("30 0 8 * * *", "Every day at 08:00:30 Europe/Berlin"),
            (
                "0 8,12,18 * * *",
                "Every day at 08:00, 12:00 and 18:00 Europe/Berlin",
            ),
            ("0,30 8 * * *", "Every day at 08:00 and 08:30 Europe/Berlin"),
            ("0 8 * * MON-FRI", "Monday to Friday at 08:00 Europe/Berlin"),
            ("@weekly", "Every Sunday at 00:00 Europe/Berlin"),
            (
                "0 8 * * SUN,MON,THU",
                "Every Monday, Thursday and Sunday at 08:00 Europe/Berlin",
            ),
            ("0 8 * * 0-7", "Every day at 08:00 Europe/Berlin"),
            ("@monthly", "On day 1 of every month at 00:00 Europe/Berlin"),
            (
                "0 6 1,15 * *",
                "On days 1 and 15 of every month at 06:00 Europe/Berlin",
            ),
            (
                "0 6 L * *",
                "On the last day of every month at 06:00 Europe/Berlin",
            ),
            (
                "0 6 LW 3,6 *",
                "On the last working day of March and June at 06:00 Europe/Berlin",
            ),
            ("@yearly", "Every 1 January at 00:00 Europe/Berlin"),
            ("0 6 * 7 *", "Every day in July at 06:00 Europe/Berlin"),
            ("0 6 * 7 MON", "Every Monday in July at 06:00 Europe/Berlin"),
            ("* * * * * *", "Every second"),
            ("*/10 * * * * *", "Every 10 seconds"),
            ("* * * * *", "Every minute"),
            ("*/15 * * * *", "Every 15 minutes"),
            ("@hourly", "Every hour"),
            ("5 * * * *", "Every hour at minute 5"),
            ("5 */6 * * *", "Every 6 hours from 00:05, Europe/Berlin"),
            (
                "*/15 9-17 * * 1-5",
                "Every 15 minutes from 09:00 to 17:45, Monday to Friday, Europe/Berlin",
            ),
            (
                "0 9-17 * * 1-5",
                "Every hour from 09:00 to 17:00, Monday to Friday, Europe/Berlin",
            ),
            ("* * * * MON", "Every minute, every Monday, Europe/Berlin"),
            ("@every 90s", "Every 1 minute and 30 seconds"),
            // The library's words.
            (
                "0 8 * * FRI#2",
                "At 08:00, on the 2nd Friday of the month, Europe/Berlin",
            ),
            ("0 8 13 * FRI", "At 08:00, on day 13 or Friday, Europe/Berlin"),
        ] {
            assert_eq!(
                Timing::parse(text, Tz::Europe__Berlin).unwrap().describe(),
                words,
                "{text}"
            );
        }
    }
}
