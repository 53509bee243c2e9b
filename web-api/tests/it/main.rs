//! The API and its roles against a real PostgreSQL, SQLite and Redis. One binary, so that it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![expect(clippy::panic, reason = "a failed expectation ends the test")]

mod support;

mod access;
mod actions;
mod all_in_one;
mod apply_events;
mod audit;
mod bad_input;
mod base_path;
mod batch;
mod batch_calls;
mod bulk;
mod call_options;
mod calls;
mod cancel;
mod cluster;
mod counts;
mod database_role;
mod dispatch;
mod enqueue;
mod env_example;
mod failures;
mod guard;
mod health;
mod hosts;
mod job_detail;
mod job_keys;
mod list;
mod live;
mod monitoring;
mod openapi;
mod outages;
mod places;
mod prune;
mod queues;
mod reconcile;
mod record;
mod redis_memory;
mod redis_user;
mod removed_queues;
mod results;
mod schedules;
mod schedules_api;
mod schedules_run;
mod search;
mod session;
mod shutdown;
mod store;
mod workers;
