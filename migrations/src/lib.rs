//! The SQL schema of Spiral, for PostgreSQL and SQLite from one code base.
//!
//! Every change of the schema is one file `m<date>_<number>_<what>.rs` and one line in [`Migrator`].
//! Migrations name tables and columns literally and never use the entities of `web-api`: a migration
//! that has run somewhere must mean the same for ever, while entities go on changing.
//!
//! This crate knows SQL and nothing else of Spiral. It never starts by itself: the `migrate` binary and
//! the all-in-one mode of `web-api` call [`migrate_up`].

#![expect(
    elided_lifetimes_in_paths,
    reason = "MigrationTrait elides the lifetime of SchemaManager, and async_trait wants it written alike"
)]

mod api_role;
mod connection;
mod error;
mod locks;
mod m20261123_000001_create_jobs;
mod m20261123_000002_create_indices;
mod m20261124_000003_dispatch;
mod m20261124_000004_create_attempts;
mod m20261124_000005_create_queues;
mod m20261124_000010_create_schedules;
mod m20261124_000020_create_job_keys;
mod m20261124_000021_create_batches;
mod m20261124_000030_search_jobs;
mod m20261124_000031_run_again;
mod m20261124_000032_create_failures;
mod m20261124_000033_create_job_actions;
mod m20261124_000050_job_counts;
mod m20261124_000051_create_stats;
mod m20261124_000052_backlog_limits;
mod m20261124_000053_create_audit;
mod m20261130_000060_tags;
mod m20261130_000070_input_previews;
mod m20261130_000075_job_history;
mod runner;
mod sessions;

pub use api_role::{ApiRole, ApiRoleError, grant_api_role};
pub use connection::{ConnectError, UrlError, checked_url, connect, redacted, with_password};
pub use error::{LockHolders, MigrateError};
pub use runner::{MigrationState, migrate_down, migrate_up, status};
pub use sessions::{SessionError, check_sessions};

use sea_orm_migration::prelude::*;

/// The ordered list of migrations.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_create_jobs::Migration),
            Box::new(m20261123_000002_create_indices::Migration),
            Box::new(m20261124_000003_dispatch::Migration),
            Box::new(m20261124_000004_create_attempts::Migration),
            Box::new(m20261124_000005_create_queues::Migration),
            Box::new(m20261124_000010_create_schedules::Migration),
            Box::new(m20261124_000020_create_job_keys::Migration),
            Box::new(m20261124_000021_create_batches::Migration),
            Box::new(m20261124_000030_search_jobs::Migration),
            Box::new(m20261124_000031_run_again::Migration),
            Box::new(m20261124_000032_create_failures::Migration),
            Box::new(m20261124_000033_create_job_actions::Migration),
            Box::new(m20261124_000050_job_counts::Migration),
            Box::new(m20261124_000051_create_stats::Migration),
            Box::new(m20261124_000052_backlog_limits::Migration),
            Box::new(m20261124_000053_create_audit::Migration),
            Box::new(m20261130_000060_tags::Migration),
            Box::new(m20261130_000070_input_previews::Migration),
            Box::new(m20261130_000075_job_history::Migration),
        ]
    }
}
