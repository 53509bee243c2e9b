//! The JSON types of the HTTP API, with the descriptions of the OpenAPI document. They hold no logic and stay
//! within the HTTP layer: database and queue have types of their own.

pub mod audit;
pub mod batches;
pub mod bulk_actions;
pub mod bulk_call;
pub mod demo;
pub mod events;
pub mod failures;
pub mod functions;
pub mod health;
pub mod job_history;
pub mod job_state;
pub mod jobs;
pub mod new_job;
pub mod overview;
pub mod pattern;
pub mod problems;
pub mod queues;
pub mod scalar;
pub mod schedules;
pub mod session;
pub mod stats;
pub mod tags;
pub mod workers;
