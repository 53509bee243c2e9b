//! The fields of a JSON object, taken one by one. Fields that are left over are unknown.
//!
//! Not a derived `Deserialize`: that stops at the first invalid field, and callers need all of them.

use chrono::{DateTime, Utc};
use jobs::format::grouped;
use jobs::json::{Json, Object, escaped};
use serde_json::Value;

use crate::domain::times;
use crate::http::dto::problems::FieldError;
use crate::http::error::ApiError;

/// The fields of a body that are not yet taken, and the errors of those that were.
#[derive(Debug)]
pub struct Fields {
    rest: Object,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    pub fn of(body: Object) -> Self {
        Self {
            rest: body,
            known: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Notes what is wrong with the field at `pointer`.
    pub fn wrong(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, message));
    }

    /// Whether something is wrong with the field already.
    pub fn is_wrong(&self, name: &'static str) -> bool {
        self.errors
            .iter()
            .any(|error| error.field.strip_prefix('/') == Some(name))
    }

    /// A field of any kind, `null` included, with all digits of its numbers.
    pub fn json(&mut self, name: &'static str) -> Option<Json> {
        self.known.push(name);
        self.rest.remove(name)
    }

    /// A field of any kind, `null` included, with Rust numbers.
    pub fn any(&mut self, name: &'static str) -> Option<Value> {
        self.json(name).map(|value| value.rounded())
    }

    /// A field that may be missing; `null` counts as missing.
    fn optional(&mut self, name: &'static str) -> Option<Value> {
        self.any(name).filter(|value| !value.is_null())
    }

    /// Whether the field is there and `null`.
    pub fn is_null(&self, name: &'static str) -> bool {
        self.rest.get(name).is_some_and(Json::is_null)
    }

    /// The fields that are not yet taken.
    pub fn left(&self) -> &Object {
        &self.rest
    }

    /// A text, when the field is there.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.optional(name)?;
        if value.as_str().is_none() {
            self.wrong(format!("/{name}"), "must be a text");
        }
        value.as_str().map(str::to_owned)
    }

    /// True or false, when the field is there.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.optional(name)?;
        if value.as_bool().is_none() {
            self.wrong(format!("/{name}"), "must be true or false");
        }
        value.as_bool()
    }

    /// An array, when the field is there.
    pub fn array(&mut self, name: &'static str) -> Option<Vec<Json>> {
        let value = self.json(name).filter(|value| !value.is_null())?;
        let items = value.as_array();
        if items.is_none() {
            self.wrong(format!("/{name}"), "must be an array");
        }
        items
    }

    /// An object, when the field is there.
    pub fn object(&mut self, name: &'static str) -> Option<Object> {
        let value = self.json(name).filter(|value| !value.is_null())?;
        let fields = value.as_object();
        if fields.is_none() {
            self.wrong(format!("/{name}"), "must be an object");
        }
        fields
    }

    /// A whole number from `low` to `high`, when the field is there.
    pub fn number(&mut self, name: &'static str, low: u64, high: u64) -> Option<u64> {
        let value = self.optional(name)?;
        let number = whole(&value).filter(|number| (low..=high).contains(number));
        if number.is_none() {
            self.wrong(
                format!("/{name}"),
                format!("must be a whole number from {low} to {}", grouped(high)),
            );
        }
        number
    }

    /// A number from `low` to `high`, when the field is there.
    pub fn decimal(&mut self, name: &'static str, low: f64, high: f64) -> Option<f64> {
        let value = self.optional(name)?;
        let number = value.as_f64().filter(|number| (low..=high).contains(number));
        if number.is_none() {
            self.wrong(
                format!("/{name}"),
                format!("must be a number from {low} to {high}"),
            );
        }
        number
    }

    /// A text of 1 to `longest` characters, when the field is there.
    pub fn short_text(&mut self, name: &'static str, longest: usize) -> Option<String> {
        let value = self.optional(name)?;
        let fits = |text: &&str| (1..=longest).contains(&text.chars().count()) && !text.contains('\0');
        let text = value.as_str().filter(fits).map(str::to_owned);
        if text.is_none() {
            let message = format!("must be a text of 1 to {longest} characters, none of them U+0000");
            self.wrong(format!("/{name}"), message);
        }
        text
    }

    /// The errors of the object `name`, whose fields were taken one by one.
    pub fn inner(&mut self, name: &'static str, fields: Self) {
        if let Err(ApiError::InvalidInput { fields }) = fields.finish() {
            let inside = fields
                .into_iter()
                .map(|error| FieldError::new(format!("/{name}{}", error.field), error.message));
            self.errors.extend(inside);
        }
    }

    /// Notes that a field is missing, unless it has an error already.
    pub fn missing(&mut self, pointer: &str) {
        if !self.errors.iter().any(|error| error.field == pointer) {
            self.wrong(pointer, "is missing");
        }
    }

    /// An RFC 3339 time, when the field is there.
    pub fn time(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        let value = self.optional(name)?;
        let time = value.as_str().and_then(times::read);
        if time.is_none() {
            self.wrong(
                format!("/{name}"),
                format!("must be a time such as {:?}", times::EXAMPLE),
            );
        }
        time
    }

    /// Ends the reading: an error when a field is left over, or one was invalid.
    pub fn finish(mut self) -> Result<(), ApiError> {
        let known = self.known.join(", ");
        for name in self.rest.keys().take(20) {
            let pointer = format!("/{}", escaped(name));
            self.errors.push(FieldError::new(
                pointer,
                format!("is not known here; the fields are: {known}"),
            ));
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::InvalidInput { fields: self.errors })
        }
    }
}

/// JSON knows one kind of number: 3.0 is 3.
fn whole(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole, not negative, and exact"
    )]
    let of_float = |number: f64| {
        let exact = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
        exact.then_some(number as u64)
    };
    value.as_u64().or_else(|| value.as_f64().and_then(of_float))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(body: Value) -> Fields {
        Fields::of(Json::from(body).as_object().unwrap())
    }

    fn problems(fields: Fields) -> Vec<(String, String)> {
        let Err(ApiError::InvalidInput { fields }) = fields.finish() else {
            return Vec::new();
        };
        fields
            .into_iter()
            .map(|error| (error.field, error.message))
            .collect()
    }

    #[test]
    fn what_nobody_asked_for_is_unknown() {
        let mut fields = fields(json!({"input": {}, "maxattempts": 3}));
        fields.any("input");
        fields.number("max_attempts", 1, 100);
        let message = "is not known here; the fields are: input, max_attempts".to_owned();
        assert_eq!(problems(fields), [("/maxattempts".to_owned(), message)]);
    }

    #[test]
    fn texts_and_flags_are_taken_as_they_are() {
        let mut fields = fields(json!({"name": "a", "cron": 5, "paused": "yes", "limit": null}));
        assert!(fields.is_null("limit") && !fields.is_null("name") && !fields.is_null("other"));
        assert_eq!(fields.text("name").as_deref(), Some("a"));
        assert_eq!(
            (fields.text("cron"), fields.text("limit"), fields.flag("paused")),
            (None, None, None)
        );
        let wrong = [("/cron", "must be a text"), ("/paused", "must be true or false")];
        assert_eq!(
            problems(fields),
            wrong.map(|(field, message)| (field.to_owned(), message.to_owned()))
        );
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let mut fields = fields(json!({"a": 3.0, "b": 3.5, "c": -1.0, "d": 1e300}));
        assert_eq!(fields.number("a", 0, 9), Some(3));
        for name in ["b", "c", "d"] {
            assert_eq!(fields.number(name, 0, u64::MAX), None);
        }
        assert_eq!(problems(fields).len(), 3);
    }

    #[test]
    fn every_wrong_field_is_told() {
        let mut fields = fields(json!({"max_attempts": 0, "run_at": "tomorrow", "delay_seconds": null}));
        assert_eq!(fields.number("max_attempts", 1, 31_536_000), None);
        assert_eq!(fields.time("run_at"), None);
        assert_eq!(fields.number("delay_seconds", 0, 9), None);
        let problems = problems(fields);
        assert_eq!(problems.len(), 2);
        assert_eq!(problems[0].1, "must be a whole number from 1 to 31,536,000");
        assert_eq!(problems[1].0, "/run_at");
    }

    #[test]
    fn what_is_wrong_inside_an_object_is_told_with_its_place() {
        let mut fields = fields(json!({"rate": {"jobs": 0, "what": 1}, "paused": "yes", "queue": ""}));
        let mut rate = Fields::of(fields.object("rate").unwrap());
        rate.number("jobs", 1, 9);
        rate.missing("/jobs");
        rate.missing("/period_seconds");
        fields.inner("rate", rate);
        fields.flag("paused");
        fields.short_text("queue", 64);
        let places: Vec<String> = problems(fields).into_iter().map(|(place, _)| place).collect();
        assert_eq!(
            places,
            [
                "/rate/jobs",
                "/rate/period_seconds",
                "/rate/what",
                "/paused",
                "/queue"
            ]
        );
    }
}
