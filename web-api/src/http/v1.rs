//! The handlers of `/api/v1`, one file or folder per resource.

pub mod audit;
pub mod batches;
pub mod bulk_actions;
pub mod events;
pub mod failures;
pub mod functions;
pub mod jobs;
pub mod overview;
pub mod queues;
pub mod schedules;
pub mod session;
pub mod stats;
pub mod tags;
pub mod workers;
