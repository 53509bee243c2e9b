//! Problems (RFC 9457): the format of every error.

use salvo::oapi::ToSchema;
use serde::Serialize;

/// An error (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Problem"))]
pub struct Problem {
    /// A URI that identifies the kind of problem.
    #[serde(rename = "type")]
    #[salvo(schema(example = "urn:problem-type:spiral:invalid_input"))]
    pub kind: String,
    /// The kind of problem in a few words.
    #[salvo(schema(example = "The input is not valid"))]
    pub title: String,
    /// The HTTP status.
    #[salvo(schema(minimum = 400, maximum = 599, example = 422))]
    pub status: u16,
    /// What went wrong in this request, and what to do about it.
    #[salvo(schema(example = "/input/index: must be between 0 and 10,000,000"))]
    pub detail: String,
    /// The path of the request.
    #[salvo(schema(example = "/api/v1/functions/fibonacci/jobs"))]
    pub instance: String,
    /// A stable code for the kind of problem, for programs.
    #[salvo(schema(example = "invalid_input"))]
    pub code: String,
    /// The id of the request, as in the header `X-Request-Id` and in the log.
    pub request_id: String,
    /// The invalid fields, each with its own message.
    pub errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[salvo(schema(name = "FieldError"))]
pub struct FieldError {
    /// A JSON Pointer into the body (`/input/index`; empty for the body as a whole), or the name of a query parameter or header.
    #[salvo(schema(example = "/input/index"))]
    pub field: String,
    /// The message for this field.
    #[salvo(schema(example = "must be between 0 and 10,000,000"))]
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}
