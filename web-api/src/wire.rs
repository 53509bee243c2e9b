//! The JSON shapes of the HTTP API: what goes over the wire, with the descriptions that end up in the OpenAPI document.
//! They hold no logic and never leave the HTTP half: store and queue have types of their own.

pub mod audit;
pub mod batch;
pub mod event;
pub mod failure;
pub mod function;
pub mod health;
pub mod job;
pub mod job_action;
pub mod job_history;
pub mod many_calls;
pub mod overview;
pub mod queue;
pub mod scalar;
pub mod schedule;
pub mod session;
pub mod stats;
pub mod tag;
pub mod text;
pub mod value;
pub mod worker;
