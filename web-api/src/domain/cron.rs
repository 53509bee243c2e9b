//! The due times of a schedule: a cron expression in a time zone, or `@every` with an interval. Pure rules:
//! the caller passes the current time.
//!
//! When the clocks of the zone change, a schedule for fixed times of day still runs once: at the first moment
//! after the change when its time is skipped, and the first time when it occurs twice. A repeating schedule
//! (a `*` or a step in hours, minutes or seconds) follows the local time: it leaves out the skipped hour, and
//! runs in both of a repeated hour.

#[cfg(test)]
mod clock_changes;
mod describe;
mod every;
mod fields;
#[cfg(test)]
mod properties;

use chrono::{DateTime, Datelike as _, NaiveDate, SubsecRound as _, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// The longest cron expression, in bytes: a list of all minutes fits.
pub const TEXT_MAX: usize = 256;
/// The most times of day that are treated as fixed; a schedule with more counts as repeating.
const TIMES_OF_DAY: usize = 24;
/// The most steps of a search for the latest due time.
const STEPS: usize = 1_000;

const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * SUN"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A checked rule for due times, which are whole seconds.
#[derive(Debug, Clone)]
pub struct Timing {
    text: String,
    zone: Tz,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    Every(TimeDelta),
    Cron {
        /// Seconds first, in capital letters.
        fields: [String; 6],
        whole: Box<Cron>,
        /// One for each fixed time of day; empty when the rule repeats.
        times: Vec<Cron>,
    },
}

/// The zone of that name in the IANA database.
///
/// # Errors
/// A message that can stand beside the field.
pub fn parse_zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_unknown| {
        let shown: String = name.chars().take(80).collect();
        format!("must be a time zone such as UTC, Europe/Berlin or America/New_York, not {shown:?}")
    })
}

impl Timing {
    /// Parses a cron expression of five fields, six with the seconds first, or one that starts with `@`.
    ///
    /// # Errors
    /// A message that can stand beside the field.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, String> {
        if text.len() > TEXT_MAX {
            return Err(format!("must have at most {TEXT_MAX} bytes"));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let lower = text.to_ascii_lowercase();
        let rule = if let Some(distance) = lower.strip_prefix("@every ") {
            Rule::Every(every::parse(distance)?)
        } else if let Some((_, meaning)) = NICKNAMES.iter().find(|(name, _)| *name == lower) {
            Rule::cron(&meaning.split(' ').collect::<Vec<_>>())?
        } else if text.starts_with('@') {
            let names: Vec<&str> = NICKNAMES.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "must be {} or @every 30s, not {text:?}",
                names.join(", ")
            ));
        } else {
            Rule::cron(&words)?
        };
        Ok(Self { text, zone, rule })
    }

    /// The expression with single spaces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means in plain words.
    pub fn describe(&self) -> String {
        match &self.rule {
            Rule::Every(distance) => every::describe(*distance),
            Rule::Cron { fields, whole, .. } => describe::describe(fields, whole, self.zone),
        }
    }

    /// The first due time of a schedule that starts at `now`.
    pub fn first(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.following(now.trunc_subsecs(0))
    }

    /// The due time after the due time `due`.
    pub fn following(&self, due: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.rule {
            Rule::Every(distance) => due.checked_add_signed(*distance),
            Rule::Cron { whole, times, .. } => {
                let at = due.with_timezone(&self.zone);
                let times = if times.is_empty() {
                    std::slice::from_ref(whole.as_ref())
                } else {
                    times
                };
                let next = times
                    .iter()
                    .filter_map(|cron| cron.find_next_occurrence(&at, false).ok());
                next.min().map(|next| next.with_timezone(&Utc))
            }
        }
    }

    /// The first due time later than `now` and later than the due time `due`.
    pub fn after(&self, due: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if now < due {
            return self.following(due);
        }
        match &self.rule {
            Rule::Every(_) => self.following(self.latest(due, now)),
            Rule::Cron { .. } => self.following(now),
        }
    }

    /// The first due time later than `now`, where the due time `due` is later still. `@every` keeps its step.
    pub fn before(&self, due: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.rule {
            Rule::Every(distance) => {
                let seconds = distance.num_seconds().max(1);
                let times = ((due - now).num_seconds() / seconds).max(0);
                let first = due - TimeDelta::seconds(times * seconds);
                Some(if first > now { first } else { first + *distance })
            }
            Rule::Cron { .. } => self.first(now),
        }
    }

    /// The latest due time not later than `now`, from the due time `due` on. For a cron expression with a
    /// thousand due times since, it may be an earlier one, unless there is one within the last minute.
    pub fn latest(&self, due: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        if let Rule::Every(distance) = &self.rule {
            let times = (now - due).num_seconds().max(0) / distance.num_seconds();
            return due + TimeDelta::seconds(times * distance.num_seconds());
        }
        let mut latest = due;
        for step in 0..STEPS {
            match self.following(latest) {
                Some(next) if next <= now => latest = next,
                _ => return latest,
            }
            if step == STEPS / 2 {
                // Half of the steps are kept for the last minute.
                let recent = self.following(now - TimeDelta::minutes(1));
                latest = recent
                    .filter(|recent| *recent <= now)
                    .unwrap_or(latest)
                    .max(latest);
            }
        }
        latest
    }

    /// `count` due times, the first of which is `first`.
    pub fn times_from(&self, first: Option<DateTime<Utc>>, count: usize) -> Vec<DateTime<Utc>> {
        std::iter::successors(first, |due| self.following(*due))
            .take(count)
            .collect()
    }
}

impl Rule {
    fn cron(words: &[&str]) -> Result<Self, String> {
        let fields: [String; 6] = match words {
            [_, _, _, _, _] => {
                std::array::from_fn(|at| if at == 0 { "0" } else { words[at - 1] }.to_ascii_uppercase())
            }
            [_, _, _, _, _, _] => std::array::from_fn(|at| words[at].to_ascii_uppercase()),
            _ => {
                let count = words.len();
                return Err(format!(
                    "must have 5 fields (minute, hour, day of the month, month, day of the week), or 6 with the second \
                     first, such as \"0 8 * * *\"; it has {count}"
                ));
            }
        };
        fields::check(&fields.each_ref().map(String::as_str))?;
        let whole = read(&fields)?;
        if !is_ever_due(&whole) {
            return Err("is never due: none of its months has such a day".to_owned());
        }
        let repeats = fields[..3].iter().any(|field| field.contains(['*', '/']));
        let pattern = &whole.pattern;
        let (seconds, minutes, hours) = (
            pattern.seconds.values(),
            pattern.minutes.values(),
            pattern.hours.values(),
        );
        let count = seconds.len() * minutes.len() * hours.len();
        let mut times = Vec::new();
        // The library recognizes a fixed time of day only when it is a single one.
        if !repeats && (2..=TIMES_OF_DAY).contains(&count) {
            for hour in &hours {
                for minute in &minutes {
                    for second in &seconds {
                        let [_, _, _, days, months, weekdays] = &fields;
                        let time = [second, minute, hour].map(ToString::to_string);
                        let [second, minute, hour] = time;
                        times.push(read(&[
                            second,
                            minute,
                            hour,
                            days.clone(),
                            months.clone(),
                            weekdays.clone(),
                        ])?);
                    }
                }
            }
        }
        Ok(Self::Cron {
            fields,
            whole: Box::new(whole),
            times,
        })
    }
}

fn read(fields: &[String; 6]) -> Result<Cron, String> {
    let parser = CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Disallowed)
        .build();
    parser
        .parse(&fields.join(" "))
        .map_err(|error| format!("cannot be read: {error}"))
}

/// Whether a day of the calendar matches. In any 28 years of this century, each month begins on each day of the week,
/// the leap months too.
fn is_ever_due(cron: &Cron) -> bool {
    let first = NaiveDate::from_ymd_opt(2001, 1, 1).unwrap_or_default();
    first.iter_days().take_while(|day| day.year() < 2029).any(|day| {
        let weekday = croner::Weekday::from_days_from_sunday(day.weekday().num_days_from_sunday());
        cron.pattern.month_match(day.month()).unwrap_or(false)
            && cron
                .pattern
                .day_match(day.year(), day.month(), day.day(), weekday)
                .unwrap_or(false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(text: &str, zone: &str) -> Timing {
        Timing::parse(text, parse_zone(zone).unwrap()).unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn five_fields_or_six_or_a_nickname() {
        for (text, expected) in [
            ("0 8 * * *", "2026-01-02T08:00:00Z"),
            ("  0   8 * *  *", "2026-01-02T08:00:00Z"),
            ("30 0 8 * * *", "2026-01-02T08:00:30Z"),
            ("*/15 * * * *", "2026-01-02T03:15:00Z"),
            ("0 9 * * mon-fri", "2026-01-02T09:00:00Z"),
            ("0 0 * * sat-sun", "2026-01-03T00:00:00Z"),
            ("0 0 l * *", "2026-01-31T00:00:00Z"),
            ("@hourly", "2026-01-02T04:00:00Z"),
            ("@daily", "2026-01-03T00:00:00Z"),
            ("@weekly", "2026-01-04T00:00:00Z"),
            ("@Monthly", "2026-02-01T00:00:00Z"),
            ("@yearly", "2027-01-01T00:00:00Z"),
            ("@every 30s", "2026-01-02T03:04:35Z"),
            ("@every  1h30m", "2026-01-02T04:34:05Z"),
        ] {
            let next = timing(text, "UTC").first(at("2026-01-02T03:04:05.678Z"));
            assert_eq!(next, Some(at(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_cron_text_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "must have 5 fields"),
            ("* * * *", "it has 4"),
            ("* * * * * * *", "it has 7"),
            ("@often", "must be @hourly, @daily,"),
            ("@every", "must be @hourly, @daily,"),
            ("@every soon", "after @every comes a time"),
            ("61 * * * *", "the minute must be 0 to 59"),
            ("1--100000000 * * * *", "the minute must be 0 to 59"),
            ("0 0 30 2 *", "is never due"),
            ("0 0 31 2,4,6,9,11 *", "is never due"),
            ("0 0 31W FEB *", "is never due"),
            (&"1,".repeat(200), "at most 256 bytes"),
        ] {
            let error = Timing::parse(text, Tz::UTC).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(parse_zone("Europe/Berlin").is_ok() && parse_zone("UTC").is_ok());
        for zone in ["", "Berlin", "europe/berlin", "+01:00", "../../etc/passwd"] {
            assert!(
                parse_zone(zone).unwrap_err().contains("must be a time zone"),
                "{zone}"
            );
        }
    }

    #[test]
    fn the_rarest_days_are_found() {
        // Over 2100, which is no leap year; a Monday is the rarest of them, as any weekday.
        let leap_day = timing("0 0 29 2 *", "UTC");
        assert_eq!(
            leap_day.first(at("2096-03-01T00:00:00Z")),
            Some(at("2104-02-29T00:00:00Z"))
        );
        let fifth = timing("0 0 * 2 MON#5", "UTC");
        assert_eq!(
            fifth.first(at("2026-01-01T00:00:00Z")),
            Some(at("2044-02-29T00:00:00Z"))
        );
    }

    #[test]
    fn the_grid_of_every_stays_where_it_was() {
        let every = timing("@every 90s", "UTC");
        let due = at("2026-01-01T00:00:00Z");
        assert_eq!(
            every.after(due, at("2026-01-01T00:10:00Z")),
            Some(at("2026-01-01T00:10:30Z"))
        );
        assert_eq!(
            every.after(due, at("2025-12-31T23:59:59Z")),
            Some(at("2026-01-01T00:01:30Z")),
            "later than both"
        );
        assert_eq!(
            every.latest(due, at("2026-01-01T00:10:00Z")),
            at("2026-01-01T00:09:00Z")
        );
        assert_eq!(every.latest(due, due), due);
        // Thirty million times of a second later, without going through them.
        let every = timing("@every 1s", "UTC");
        assert_eq!(
            every.latest(due, at("2026-12-31T00:00:00.5Z")),
            at("2026-12-31T00:00:00Z")
        );
    }

    #[test]
    fn the_latest_of_a_cron_text_is_exact_where_it_matters() {
        let (due, now) = (at("2026-01-01T00:00:00Z"), at("2026-12-01T12:00:30.5Z"));
        assert_eq!(
            timing("0 8 * * *", "UTC").latest(at("2026-01-01T08:00:00Z"), now),
            at("2026-12-01T08:00:00Z")
        );
        assert_eq!(
            timing("* * * * * *", "UTC").latest(due, now),
            at("2026-12-01T12:00:30Z")
        );
        assert_eq!(
            timing("* * * * *", "UTC").latest(due, now),
            at("2026-12-01T12:00:00Z")
        );
        assert!(timing("*/5 8 * * *", "UTC").latest(at("2026-01-01T08:00:00Z"), now) <= now);
    }
}
