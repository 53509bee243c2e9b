//! Checks an input against a function's JSON Schema and describes what is wrong for the caller.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::error::Error;
use crate::format::grouped;
use crate::json::{Json, escaped};

/// Problems reported at once; a caller corrects the first few before reading more.
const MOST_PROBLEMS: usize = 20;

/// One thing that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// JSON pointer (RFC 6901) to the place within the input; empty for the input itself.
    pub pointer: String,
    pub message: String,
}

pub(super) struct InputCheck {
    schema: Value,
    validator: Validator,
}

impl InputCheck {
    pub(super) fn new(function: &'static str, schema: &Value) -> Result<Self, Error> {
        let validator = jsonschema::validator_for(schema).map_err(|error| {
            Error::Function(function, format!("its input schema cannot be used: {error}"))
        })?;
        Ok(Self {
            schema: schema.clone(),
            validator,
        })
    }

    /// Numbers beyond 64 bits are compared as floats with the limits of a schema; what the function's own type makes of
    /// them, [`read`] tells.
    pub(super) fn check(&self, input: &Json) -> Result<(), Vec<InputError>> {
        let input: Value = serde_json::from_str(input.text()).map_err(|error| vec![whole(&error)])?;
        let problems: Vec<InputError> = self
            .validator
            .iter_errors(&input)
            .flat_map(|error| self.explain(&error))
            .take(MOST_PROBLEMS)
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    fn explain(&self, error: &ValidationError<'_>) -> Vec<InputError> {
        let place = error.instance_path().as_str().to_owned();
        let at = |pointer: String, message: String| vec![InputError { pointer, message }];
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library's own words serve for rare keywords"
        )]
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                at(format!("{place}/{}", escaped(name)), "is missing".to_owned())
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
                .iter()
                .map(|name| InputError {
                    pointer: format!("{place}/{}", escaped(name)),
                    message: "is not a field of this input".to_owned(),
                })
                .collect(),
            ValidationErrorKind::Minimum { .. }
            | ValidationErrorKind::Maximum { .. }
            | ValidationErrorKind::ExclusiveMinimum { .. }
            | ValidationErrorKind::ExclusiveMaximum { .. } => {
                at(place, self.range(error).unwrap_or_else(|| error.to_string()))
            }
            ValidationErrorKind::Type { .. } => at(place, self.type_message(error)),
            ValidationErrorKind::Enum { options } => {
                let options = options.as_array().into_iter().flatten();
                let options: Vec<String> = options.map(ToString::to_string).collect();
                at(place, format!("must be one of {}", options.join(", ")))
            }
            _ => at(place, error.to_string()),
        }
    }

    /// "must be a whole number from 0 to 10,000,000", out of the schema of the place that failed.
    fn range(&self, error: &ValidationError<'_>) -> Option<String> {
        let schema = self.schema_of(error)?;
        let bound = |name: &str| {
            let bound = schema.get(name)?;
            bound.as_i64().map(grouped).or(Some(bound.as_f64()?.to_string()))
        };
        let noun = if schema.get("type")?.as_str()? == "integer" {
            "a whole number"
        } else {
            "a number"
        };
        Some(match (bound("minimum"), bound("maximum")) {
            (Some(low), Some(high)) => format!("must be {noun} from {low} to {high}"),
            (Some(low), None) => format!("must be {noun} of at least {low}"),
            (None, Some(high)) => format!("must be {noun} of at most {high}"),
            (None, None) => return None,
        })
    }

    fn type_message(&self, error: &ValidationError<'_>) -> String {
        if let Some(range) = self.range(error) {
            return range;
        }
        match self
            .schema_of(error)
            .and_then(|schema| schema.get("type"))
            .and_then(Value::as_str)
        {
            Some("integer") => "must be a whole number".to_owned(),
            Some("object") => "must be an object".to_owned(),
            Some("array") => "must be an array".to_owned(),
            Some("boolean") => "must be true or false".to_owned(),
            Some(name) => format!("must be a {name}"),
            None => error.to_string(),
        }
    }

    /// The part of the schema that holds the keyword which failed.
    fn schema_of(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let (holder, _keyword) = error.schema_path().as_str().rsplit_once('/')?;
        self.schema.pointer(holder)
    }
}

/// Reads an input as a function's type, as the worker will, and names the place at which that fails.
pub(super) fn read<T: DeserializeOwned>(input: &Json) -> Result<(), InputError> {
    let mut text = serde_json::Deserializer::from_str(input.text());
    let read: Result<T, _> = serde_path_to_error::deserialize(&mut text);
    read.map(|_| ()).map_err(|error| {
        let steps = error.path().iter().filter_map(|step| match step {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        InputError {
            pointer: steps.collect(),
            ..whole(error.inner())
        }
    })
}

/// Without the line and column, which are those of a text that the caller has not seen.
fn whole(error: &serde_json::Error) -> InputError {
    let text = error.to_string();
    InputError {
        pointer: String::new(),
        message: text.split(" at line ").next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::catalog::{Catalog, FunctionSettings};

    fn problems(input: &Value) -> Vec<(String, String)> {
        let catalog = Catalog::new(&FunctionSettings::default()).unwrap();
        let problems = catalog
            .get("fibonacci")
            .unwrap()
            .check_input(&input.clone().into())
            .err()
            .unwrap_or_default();
        problems
            .into_iter()
            .map(|problem| (problem.pointer, problem.message))
            .collect()
    }

    #[test]
    fn good_inputs_pass() {
        for index in [0, 1, 90, 10_000_000] {
            assert_eq!(problems(&json!({ "index": index })), [], "{index}");
        }
    }

    #[test]
    fn bad_indices_are_reported_with_their_place_and_the_limits() {
        let huge: Value = serde_json::from_str("99999999999999999999").unwrap();
        for bad in [
            json!(-1),
            json!(1.5),
            json!("12"),
            json!("abc"),
            json!(null),
            json!(10_000_001),
            huge,
            json!([1]),
        ] {
            let found = problems(&json!({ "index": bad }));
            assert!(!found.is_empty(), "{bad}");
            for (pointer, message) in found {
                assert_eq!(pointer, "/index", "{bad}");
                assert_eq!(message, "must be a whole number from 0 to 10,000,000", "{bad}");
            }
        }
    }

    #[test]
    fn missing_and_unknown_fields_are_named() {
        assert_eq!(
            problems(&json!({})),
            [("/index".to_owned(), "is missing".to_owned())]
        );
        assert_eq!(
            problems(&json!({ "index": 1, "a/b": 2 })),
            [("/a~1b".to_owned(), "is not a field of this input".to_owned())]
        );
        assert_eq!(
            problems(&json!([])),
            [(String::new(), "must be an object".to_owned())]
        );
    }

    #[test]
    fn a_whole_number_written_with_a_fraction_is_refused_by_the_type() {
        let expected = "invalid type: floating point `5.0`, expected u64";
        assert_eq!(
            problems(&json!({ "index": 5.0 })),
            [("/index".to_owned(), expected.to_owned())]
        );
    }
}
