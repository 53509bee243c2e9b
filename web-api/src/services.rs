//! What runs beside the HTTP server, and what handlers ask for: one file a role.
//!
//! A role owns its settings, its loop and its handle. Services know the database, the queue and the rules of `domain`; none knows HTTP.

pub mod admission;
pub mod batch_closer;
pub mod bulk_actions;
pub mod cancel;
pub mod dispatcher;
pub mod enqueuer;
pub mod limits_sync;
pub mod outcome_waiters;
pub mod progress_marker;
pub mod pruner;
pub mod queue_position;
pub mod reconciler;
pub mod recorder;
pub mod redis_checks;
pub mod removed_queues;
pub mod retry;
pub mod retry_loop;
pub mod rollups;
pub mod scheduler;
