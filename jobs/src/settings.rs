//! Reads settings from names and texts, the environment as a rule, and gathers every problem before it gives up.
//! The one place that knows how a number, a duration or a switch is written.

use std::fmt::Display;
use std::fs;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Where settings come from: a name to its text. The environment in a binary, a map in a test.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One setting that cannot be used, in words for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct Problem {
    pub name: &'static str,
    pub message: String,
}

/// Reads settings one by one and remembers what was wrong.
pub struct Reader<'a> {
    lookup: Lookup<'a>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub fn new(lookup: Lookup<'a>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
        }
    }

    /// The text of `name`; an empty one counts as not set.
    pub fn optional(&self, name: &'static str) -> Option<String> {
        (self.lookup)(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    pub fn text(&self, name: &'static str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    /// A secret: the text of `name`, or else of the file that `in_file` names, as container runtimes hand secrets over.
    pub fn secret(&mut self, name: &'static str, in_file: &'static str) -> Option<String> {
        let direct = self.optional(name);
        let Some(file) = self.optional(in_file) else {
            return direct;
        };
        if direct.is_some() {
            self.problem(in_file, format!("is set, and so is {name}: take one of them"));
            return None;
        }
        match fs::read_to_string(&file) {
            Ok(text) if text.trim().is_empty() => self.problem(in_file, format!("the file {file} is empty")),
            Ok(text) => return Some(text.trim().to_owned()),
            Err(error) => self.problem(in_file, format!("the file {file} cannot be read: {error}")),
        }
        None
    }

    /// Anything that can be read from a text, such as an address.
    pub fn parsed<T>(&mut self, name: &'static str, default: T) -> T
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.optional(name).map(|text| text.parse::<T>()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                self.problem(name, error.to_string());
                default
            }
        }
    }

    /// A whole number within `range`; `_` may group its digits.
    pub fn number(&mut self, name: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some(text) = self.optional(name) else {
            return default;
        };
        match text.replace('_', "").parse::<u64>() {
            Ok(value) if range.contains(&value) => value,
            Ok(_) | Err(_) => {
                let (low, high) = (range.start(), range.end());
                self.problem(
                    name,
                    format!("{text:?} is not a whole number from {low} to {high}"),
                );
                default
            }
        }
    }

    /// A duration such as `500ms`, `30s`, `5m`, `24h` or `30d`.
    pub fn duration(&mut self, name: &'static str, default: Duration) -> Duration {
        let Some(text) = self.optional(name) else {
            return default;
        };
        parse_duration(&text).unwrap_or_else(|| {
            self.problem(
                name,
                format!("{text:?} is not a duration such as 500ms, 30s, 5m, 24h or 30d"),
            );
            default
        })
    }

    /// A switch: `true` or `false`.
    pub fn flag(&mut self, name: &'static str, default: bool) -> bool {
        match self.optional(name).as_deref() {
            None => default,
            Some("true" | "1" | "yes" | "on") => true,
            Some("false" | "0" | "no" | "off") => false,
            Some(text) => {
                self.problem(name, format!("{text:?} is neither true nor false"));
                default
            }
        }
    }

    /// Notes a problem that only shows when settings are seen together.
    pub fn problem(&mut self, name: &'static str, message: String) {
        self.problems.push(Problem { name, message });
    }

    /// Takes over what another group of settings found, so that all problems are reported at once.
    pub fn group<T: Default>(&mut self, group: Result<T, Vec<Problem>>) -> T {
        group.unwrap_or_else(|problems| {
            self.problems.extend(problems);
            T::default()
        })
    }

    /// The settings, or every problem that was found on the way.
    pub fn finish<T>(self, settings: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(settings)
        } else {
            Err(self.problems)
        }
    }
}

/// Reads a duration: a number and one of `ms`, `s`, `m`, `h`, `d`. `None` when it is anything else.
///
/// Not `humantime`: there `1M` is a month and `1m` a minute, and sums of several units are allowed.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis_per_unit).map(Duration::from_millis)
}

/// The environment as a [`Lookup`]. The only place that reads it.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// All problems as one text, a line each, for the error with which a binary ends.
pub fn explain(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    format!("these settings cannot be used:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_reported_at_once() {
        let lookup = |name: &str| match name {
            "A" => Some("many".to_owned()),
            "B" => Some("3 weeks".to_owned()),
            "C" => Some("perhaps".to_owned()),
            _ => None,
        };
        let mut reader = Reader::new(&lookup);
        reader.number("A", 1, 1..=9);
        reader.duration("B", Duration::ZERO);
        reader.flag("C", true);
        let problems = reader.finish(()).unwrap_err();
        assert_eq!(
            problems.iter().map(|problem| problem.name).collect::<Vec<_>>(),
            ["A", "B", "C"]
        );
        assert!(explain(&problems).contains("A: \"many\" is not a whole number from 1 to 9"));
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse_duration("2h"), Some(Duration::from_hours(2)));
        for bad in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "banana",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_secret_comes_from_a_file_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            file.to_str().unwrap().to_owned()
        };
        let read = |direct: &str, in_file: &str| {
            let (direct, in_file) = (direct.to_owned(), in_file.to_owned());
            let lookup = move |name: &str| {
                Some(if name == "A" {
                    direct.clone()
                } else {
                    in_file.clone()
                })
            };
            let mut reader = Reader::new(&lookup);
            let secret = reader.secret("A", "A_FILE");
            reader.finish(secret)
        };
        let (whole, empty) = (file("whole", "sesame\n"), file("empty", "\n"));
        assert_eq!(read("", "").unwrap(), None);
        assert_eq!(read("direct", "").unwrap().as_deref(), Some("direct"));
        assert_eq!(read("", &whole).unwrap().as_deref(), Some("sesame"));
        for (direct, in_file, expected) in [
            ("direct", &whole, "take one of them"),
            ("", &empty, "is empty"),
            ("", &format!("{whole}/none"), "cannot be read"),
        ] {
            let problems = read(direct, in_file).unwrap_err();
            assert_eq!(problems[0].name, "A_FILE");
            assert!(problems[0].message.contains(expected), "{problems:?}");
            assert!(!problems[0].message.contains("sesame"), "{problems:?}");
        }
    }

    #[test]
    fn an_empty_setting_is_a_setting_not_made() {
        let lookup = |_: &str| Some("  ".to_owned());
        assert_eq!(Reader::new(&lookup).text("A", "standard"), "standard");
    }
}
