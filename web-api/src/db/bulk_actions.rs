//! The table `job_actions`: actions on all jobs of a search, which one process at a time works on, chunk by chunk.
//!
//! A process has an action for the time of a lease, by the clocks of the processes: when two are apart, both may work on
//! one for a moment, which does no harm to the jobs. Only the one that has it writes how far it is.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jobs::clock;
use jobs::job::JobId;
use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Set,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType},
};

use super::job_history::Actor;
use super::jobs::{Counted, parsed, unreadable};
use super::{Store, StoreError};
use crate::domain::job_filter::JobFilter;
use crate::domain::search;
use jobs::error::chain;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "job_actions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub action: String,
        pub search: String,
        pub state: String,
        pub total: i64,
        pub total_is_exact: bool,
        pub seen: i64,
        pub changed: i64,
        pub cursor: String,
        pub owner: Option<String>,
        pub leased_until: Option<DateTimeUtc>,
        pub created_at: DateTimeUtc,
        pub finished_at: Option<DateTimeUtc>,
        pub role: Option<String>,
        pub address: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What is done to the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Retry,
    Cancel,
    Delete,
}

/// A text that names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an action (retry, cancel or delete)")]
pub struct ParseActionError(String);

/// Where an action is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionState {
    Running,
    /// It has come to all jobs.
    Finished,
    /// Somebody has stopped it. What it had done until then stays done.
    Stopped,
}

/// An action on all jobs of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkAction {
    pub id: JobId,
    pub action: Action,
    pub filter: JobFilter,
    pub state: ActionState,
    /// How many jobs fitted in the beginning.
    pub total: Counted,
    /// How many it has come to.
    pub seen: u64,
    /// How many of them it has changed: others did not fit any more.
    pub changed: u64,
    /// It goes on with jobs that are older than this one.
    pub cursor: JobId,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Who has begun it.
    pub actor: Option<Actor>,
}

/// What a chunk has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub seen: u64,
    pub changed: u64,
    /// Where it goes on; `None` at the end.
    pub next: Option<JobId>,
}

impl Store {
    pub async fn job_action_insert(&self, action: &BulkAction) -> Result<(), StoreError> {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let row = row::ActiveModel {
            id: Set(action.id.to_string()),
            action: Set(action.action.as_str().to_owned()),
            search: Set(action.filter.to_string()),
            state: Set(action.state.as_str().to_owned()),
            total: Set(signed(action.total.jobs)),
            total_is_exact: Set(action.total.exact),
            seen: Set(signed(action.seen)),
            changed: Set(signed(action.changed)),
            cursor: Set(action.cursor.to_string()),
            owner: Set(None),
            leased_until: Set(None),
            created_at: Set(action.created_at),
            finished_at: Set(action.finished_at),
            role: Set(action.actor.as_ref().map(|actor| actor.role.clone())),
            address: Set(action.actor.as_ref().map(|actor| actor.address.clone())),
        };
        let insert = row::Entity::insert(row);
        let _turn = self.write_turn().await?;
        self.bounded("job_action_insert", insert.exec_without_returning(&self.database))
            .await?;
        Ok(())
    }

    pub async fn job_action_get(&self, id: JobId) -> Result<Option<BulkAction>, StoreError> {
        let query = row::Entity::find_by_id(id.to_string());
        let row = self.bounded("job_action_get", query.one(&self.database)).await?;
        row.map(BulkAction::try_from).transpose()
    }

    /// The newest first.
    pub async fn job_action_list(&self, limit: u64) -> Result<Vec<BulkAction>, StoreError> {
        let query = row::Entity::find().order_by_desc(row::Column::Id).limit(limit);
        let rows = self.bounded("job_action_list", query.all(&self.database)).await?;
        // One that cannot be read must not hide the others.
        let readable = rows.into_iter().filter_map(|row| {
            BulkAction::try_from(row)
                .inspect_err(|error| tracing::error!(error = %chain(error), "an action is left out"))
                .ok()
        });
        Ok(readable.collect())
    }

    /// How many are under way.
    pub async fn job_action_running(&self) -> Result<u64, StoreError> {
        let query = row::Entity::find().filter(row::Column::FinishedAt.is_null());
        self.bounded("job_action_running", query.count(&self.database))
            .await
    }

    /// Takes the oldest action that nobody works on, for the time of the lease.
    pub async fn job_action_claim(
        &self,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<BulkAction>, StoreError> {
        let now = clock::now();
        let mut free = row::Entity::find()
            .select_only()
            .column(row::Column::Id)
            .filter(row::Column::FinishedAt.is_null())
            .filter(
                row::Column::LeasedUntil
                    .is_null()
                    .or(row::Column::LeasedUntil.lt(now))
                    // No lease is so long: it was taken by a wrong clock.
                    .or(row::Column::LeasedUntil.gt(until(now, lease * 10))),
            )
            .order_by_asc(row::Column::Id)
            .limit(1)
            .into_query();
        if self.backend() == DbBackend::Postgres {
            free.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let claim = row::Entity::update_many()
            .col_expr(row::Column::Owner, Expr::value(owner))
            .col_expr(row::Column::LeasedUntil, Expr::value(until(now, lease)))
            .filter(row::Column::Id.in_subquery(free));
        let _turn = self.write_turn().await?;
        let mut rows = self
            .bounded("job_action_claim", claim.exec_with_returning(&self.database))
            .await?;
        rows.pop().map(BulkAction::try_from).transpose()
    }

    /// Writes how far `owner` has come, and renews its lease. False when it has the action no more: it was stopped, or
    /// taken over.
    pub async fn job_action_step(
        &self,
        id: JobId,
        owner: &str,
        step: Step,
        lease: Duration,
    ) -> Result<bool, StoreError> {
        let now = clock::now().trunc_subsecs(3);
        let plus = |column: row::Column, number: u64| {
            Expr::col(column).add(i64::try_from(number).unwrap_or(i64::MAX))
        };
        let mut update = row::Entity::update_many()
            .col_expr(row::Column::Seen, plus(row::Column::Seen, step.seen))
            .col_expr(row::Column::Changed, plus(row::Column::Changed, step.changed))
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(row::Column::Owner.eq(owner))
            .filter(row::Column::FinishedAt.is_null());
        update = match step.next {
            Some(next) => update
                .col_expr(row::Column::Cursor, Expr::value(next.to_string()))
                .col_expr(row::Column::LeasedUntil, Expr::value(until(now, lease))),
            None => update
                .col_expr(row::Column::State, Expr::value(ActionState::Finished.as_str()))
                .col_expr(row::Column::FinishedAt, Expr::value(now)),
        };
        let _turn = self.write_turn().await?;
        let result = self
            .bounded("job_action_step", update.exec(&self.database))
            .await?;
        Ok(result.rows_affected > 0)
    }

    /// Gives an action back that `owner` cannot go on with, so that another process can, after a rest: an action that
    /// fails must not keep others from their turn.
    pub async fn job_action_give_back(
        &self,
        id: JobId,
        owner: &str,
        rest: Duration,
    ) -> Result<(), StoreError> {
        let update = row::Entity::update_many()
            .col_expr(row::Column::LeasedUntil, Expr::value(until(clock::now(), rest)))
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(row::Column::Owner.eq(owner));
        let _turn = self.write_turn().await?;
        self.bounded("job_action_give_back", update.exec(&self.database))
            .await?;
        Ok(())
    }

    /// Stops an action that runs. What has ended stays as it is.
    pub async fn job_action_stop(&self, id: JobId) -> Result<(), StoreError> {
        let update = row::Entity::update_many()
            .col_expr(row::Column::State, Expr::value(ActionState::Stopped.as_str()))
            .col_expr(
                row::Column::FinishedAt,
                Expr::value(clock::now().trunc_subsecs(3)),
            )
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(row::Column::FinishedAt.is_null());
        let _turn = self.write_turn().await?;
        self.bounded("job_action_stop", update.exec(&self.database))
            .await?;
        Ok(())
    }

    /// Deletes actions that ended before `time`, and says how many.
    pub async fn job_action_prune(&self, time: DateTime<Utc>) -> Result<u64, StoreError> {
        let delete = row::Entity::delete_many().filter(row::Column::FinishedAt.lt(time));
        let _turn = self.write_turn().await?;
        let result = self
            .bounded("job_action_prune", delete.exec(&self.database))
            .await?;
        Ok(result.rows_affected)
    }
}

fn until(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::days(1));
    (now + lease).trunc_subsecs(3)
}

impl Action {
    pub const ALL: [Self; 3] = [Self::Retry, Self::Cancel, Self::Delete];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
        }
    }
}

impl FromStr for Action {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, ParseActionError> {
        let action = Self::ALL.into_iter().find(|action| action.as_str() == text);
        action.ok_or_else(|| ParseActionError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ActionState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }
}

impl TryFrom<row::Model> for BulkAction {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let states = [ActionState::Running, ActionState::Finished, ActionState::Stopped];
        let state = states.into_iter().find(|state| state.as_str() == row.state);
        Ok(Self {
            id: parsed(&row.id, "id", &row.id)?,
            action: parsed(&row.id, "action", &row.action)?,
            filter: search::stored(&row.search).map_err(|error| unreadable(&row.id, "search", &error))?,
            state: state.unwrap_or(ActionState::Stopped),
            total: Counted {
                jobs: row.total.unsigned_abs(),
                exact: row.total_is_exact,
            },
            seen: row.seen.unsigned_abs(),
            changed: row.changed.unsigned_abs(),
            cursor: parsed(&row.id, "cursor", &row.cursor)?,
            created_at: row.created_at,
            finished_at: row.finished_at,
            actor: row
                .role
                .zip(row.address)
                .map(|(role, address)| Actor { role, address }),
        })
    }
}
