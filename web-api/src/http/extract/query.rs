//! The query parameters, read one by one. Parameters that are left over are unknown.
//!
//! Not a derived `Deserialize`, for the reason that [`fields`](super::fields) gives.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use salvo::prelude::*;

use crate::domain::times;
use crate::http::dto::problems::FieldError;
use crate::http::error::ApiError;

const WAIT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_mins(1);

/// The parameters that are not yet read, and the errors of those that were.
#[derive(Debug)]
pub struct Query {
    rest: Vec<(String, String)>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Query {
    pub fn of(req: &Request) -> Self {
        let rest = req
            .queries()
            .flat_iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Self {
            rest,
            known: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// The text of a parameter; a duplicate is an error.
    fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let (mine, rest) = std::mem::take(&mut self.rest)
            .into_iter()
            .partition(|(found, _)| found == name);
        self.rest = rest;
        let mut mine: Vec<(String, String)> = mine;
        if mine.len() > 1 {
            self.errors.push(FieldError::new(name, "is there more than once"));
        }
        let (_, value) = mine.pop()?;
        // PostgreSQL cannot store this character, and fails when a query contains it.
        if value.contains('\0') {
            self.errors
                .push(FieldError::new(name, "must not hold the character U+0000"));
            return None;
        }
        Some(value)
    }

    /// The text of a parameter, when it is there; an empty one counts as missing.
    pub fn words(&mut self, name: &'static str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// Anything that can be parsed from a text, when the parameter is there.
    pub fn parsed<T>(&mut self, name: &'static str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.text(name)?;
        text.parse()
            .map_err(|error: T::Err| self.errors.push(FieldError::new(name, error.to_string())))
            .ok()
    }

    /// Notes what is wrong with a parameter.
    pub fn wrong(&mut self, name: &'static str, message: &str) {
        self.errors.push(FieldError::new(name, message));
    }

    /// An RFC 3339 time, when the parameter is there.
    pub fn time(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        let text = self.text(name)?;
        let time = times::read(&text);
        if time.is_none() {
            let message = format!("must be a time such as {}, not {text:?}", times::EXAMPLE);
            self.errors.push(FieldError::new(name, message));
        }
        time
    }

    /// A whole number within `range`, when the parameter is there.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!(
                "must be a whole number from {} to {}, not {text:?}",
                range.start(),
                range.end()
            );
            self.errors.push(FieldError::new(name, message));
        }
        number
    }

    /// `1` or `true`, `0` or `false`; missing is false.
    pub fn flag(&mut self, name: &'static str) -> bool {
        let Some(text) = self.text(name) else { return false };
        match text.as_str() {
            "1" | "true" => true,
            "0" | "false" => false,
            _ => {
                self.errors
                    .push(FieldError::new(name, format!("must be 1 or 0, not {text:?}")));
                false
            }
        }
    }

    /// How long the caller wants to wait for an outcome.
    pub fn wait(&mut self) -> Option<Duration> {
        let text = self.text("wait")?;
        let wait = jobs::settings::parse_duration(&text).filter(|wait| WAIT.contains(wait));
        if wait.is_none() {
            let message = format!("must be a duration from 1ms to 60s, such as 500ms or 10s, not {text:?}");
            self.errors.push(FieldError::new("wait", message));
        }
        wait
    }

    /// Ends the reading: an error when a parameter is left over, or one was invalid.
    pub fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in self.rest.iter().take(20) {
            let message = if self.known.is_empty() {
                "is not known here; there are no parameters".to_owned()
            } else {
                format!("is not known here; the parameters are: {}", self.known.join(", "))
            };
            self.errors.push(FieldError::new(name.clone(), message));
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::InvalidParameter { fields: self.errors })
        }
    }
}

#[cfg(test)]
mod tests {
    use jobs::job::JobState;

    use super::*;

    fn query(text: &str) -> Query {
        let mut req = Request::new();
        *req.uri_mut() = format!("/?{text}").parse().unwrap();
        Query::of(&req)
    }

    fn message(query: Query) -> String {
        query.finish().unwrap_err().to_string()
    }

    #[test]
    fn a_wait_is_a_duration_within_limits() {
        let mut good = query("wait=500ms");
        assert_eq!(good.wait(), Some(Duration::from_millis(500)));
        assert!(good.finish().is_ok());
        for bad in ["banana", "", "0ms", "61s", "-1s", "10", "1h"] {
            let mut query = query(&format!("wait={bad}"));
            assert_eq!(query.wait(), None, "{bad}");
            let expected =
                format!("wait: must be a duration from 1ms to 60s, such as 500ms or 10s, not {bad:?}");
            assert_eq!(message(query), expected);
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let mut query = query("limit=501&state=done&sort=asc&state=dead");
        query.number("limit", 1..=500);
        query.parsed::<JobState>("state");
        let Err(ApiError::InvalidParameter { fields }) = query.finish() else {
            panic!("it should be refused")
        };
        let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(names, ["limit", "state", "sort"]);
        assert!(
            fields[0]
                .message
                .starts_with("must be a whole number from 1 to 500")
        );
        assert!(fields[2].message.ends_with("the parameters are: limit, state"));
    }

    #[test]
    fn a_parameter_is_there_once() {
        let mut twice = query("state=dead&state=queued");
        twice.parsed::<JobState>("state");
        assert!(message(twice).contains("state: is there more than once"));
    }

    #[test]
    fn an_empty_text_is_none_and_an_empty_value_is_wrong() {
        let mut query = query("function=&state=&from=");
        assert_eq!(query.words("function"), None);
        assert_eq!(query.parsed::<JobState>("state"), None);
        assert_eq!(query.time("from"), None);
        let Err(ApiError::InvalidParameter { fields }) = query.finish() else {
            panic!("it should be refused")
        };
        let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(names, ["state", "from"]);
    }
}
