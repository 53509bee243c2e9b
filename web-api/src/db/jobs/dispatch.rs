//! Which jobs Redis holds and which SQL keeps: the backlog, lane by lane, and the parked ones whose time is far off.
//!
//! A row is in one of three places (see [`Place`](super::Place)). Each move is one guarded statement, so that of several processes
//! exactly one makes it.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jobs::clock;
use jobs::job::{JobId, JobState, Priority, QueueName};
use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    UpdateMany,
    sea_query::{CaseStatement, Expr, ExprTrait, LockBehavior, LockType, SimpleExpr},
};

use super::{
    Job, parsed,
    row::{Column, Entity},
};
use crate::db::{Store, StoreError};
use jobs::error::chain;

/// Jobs of one queue, priority and fairness key: among them the oldest is first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    pub priority: Priority,
    /// Empty for jobs without one.
    pub fairness_key: String,
}

/// A job that Redis should hold: enough to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchedJob {
    pub id: JobId,
    pub queue: QueueName,
    pub dispatched_at: DateTime<Utc>,
}

/// What was dispatched so far ahead of now was written by a wrong clock: it is as old as can be.
pub const AHEAD: TimeDelta = TimeDelta::minutes(5);

impl Store {
    /// The first lane of a queue, after `after` and before `before`, that has jobs in the backlog.
    pub async fn job_next_lane(
        &self,
        queue: &QueueName,
        after: Option<&Lane>,
        before: Option<&Lane>,
    ) -> Result<Option<Lane>, StoreError> {
        for query in next_lane(queue, after, before) {
            let query = query.into_tuple::<(i16, String)>();
            let found = self.bounded("job_next_lane", query.one(&self.database)).await?;
            if let Some((priority, fairness_key)) = found {
                return Ok(Some(Lane {
                    priority: u8::try_from(priority)
                        .unwrap_or_default()
                        .try_into()
                        .unwrap_or_default(),
                    fairness_key,
                }));
            }
        }
        Ok(None)
    }

    /// Whether a lane has jobs in the backlog behind this one.
    pub async fn job_has_next(
        &self,
        queue: &QueueName,
        lane: &Lane,
        behind: JobId,
    ) -> Result<bool, StoreError> {
        let query = of_lane(self.backend(), queue, lane, Some(behind), 1).into_tuple::<String>();
        let found = self.bounded("job_has_next", query.one(&self.database)).await?;
        Ok(found.is_some())
    }

    /// Moves up to `most` jobs of a lane, behind one of them, from the backlog to the window, the oldest first, and returns
    /// them in their order. They are this process's to push. One whose time has come is queued from now on.
    pub async fn job_dispatch(
        &self,
        queue: &QueueName,
        lane: &Lane,
        behind: Option<JobId>,
        most: u64,
    ) -> Result<Vec<Job>, StoreError> {
        let now = clock::now().trunc_subsecs(3);
        let statement = dispatch(self.backend(), queue, lane, behind, most, now);
        let _turn = self.write_turn().await?;
        let rows = self
            .bounded("job_dispatch", statement.exec_with_returning(&self.database))
            .await?;
        // One that cannot be read must not keep the others back.
        let mut jobs: Vec<Job> = rows
            .into_iter()
            .filter_map(|row| or_skip(Job::try_from(row)))
            .collect();
        // A statement chooses the oldest, and returns them in any order.
        jobs.sort_unstable_by_key(|job| job.id);
        Ok(jobs)
    }

    /// Moves up to `most` parked jobs whose time comes before `until` to the backlog. Returns the queues that they are
    /// of, one for each job.
    pub async fn job_unpark(&self, until: DateTime<Utc>, most: u64) -> Result<Vec<QueueName>, StoreError> {
        let statement = unpark(self.backend(), until, most);
        let _turn = self.write_turn().await?;
        let rows = self
            .bounded("job_unpark", statement.exec_with_returning(&self.database))
            .await?;
        let queues = rows
            .into_iter()
            .filter_map(|row| or_skip(parsed(&row.id, "queue", &row.queue)));
        Ok(queues.collect())
    }

    /// Unfinished jobs that Redis should hold, with ids greater than `after`, in their order.
    pub async fn job_dispatched(
        &self,
        after: Option<JobId>,
        limit: u64,
    ) -> Result<Vec<DispatchedJob>, StoreError> {
        let query = dispatched(after, limit).into_tuple::<(String, String, DateTime<Utc>)>();
        let rows = self.bounded("job_dispatched", query.all(&self.database)).await?;
        let jobs = rows.into_iter().filter_map(|(id, queue, dispatched_at)| {
            let job = || {
                Ok(DispatchedJob {
                    id: parsed(&id, "id", &id)?,
                    queue: parsed(&id, "queue", &queue)?,
                    dispatched_at,
                })
            };
            or_skip(job())
        });
        Ok(jobs.collect())
    }

    /// Moves those of `ids` back to the backlog that are unfinished and in the window since `before` or longer: Redis
    /// has lost them. Returns how many. They wait again, and an attempt in which they were lost did not fail.
    pub async fn job_take_back(&self, ids: &[JobId], before: DateTime<Utc>) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let statement = take_back(ids, before, clock::now());
        let _turn = self.write_turn().await?;
        let result = self
            .bounded("job_take_back", statement.exec(&self.database))
            .await?;
        Ok(result.rows_affected)
    }
}

/// A row; one that cannot be read is left out and told to the log.
fn or_skip<T>(row: Result<T, StoreError>) -> Option<T> {
    row.inspect_err(|error| tracing::error!(error = %chain(error), "left out a row that cannot be read"))
        .ok()
}

/// Rows that wait in the backlog. By the time at which they finished and not by the states: the index is made for it.
fn in_backlog() -> Condition {
    Condition::all()
        .add(Column::FinishedAt.is_null())
        .add(Column::DispatchedAt.is_null())
        .add(Column::ParkedUntil.is_null())
}

/// The first lane after one and before another, in at most two parts: first those of a lower number of priority, then those of
/// the same priority as `before`. PostgreSQL does not end a scan where two columns together reach a bound.
pub(super) fn next_lane(
    queue: &QueueName,
    after: Option<&Lane>,
    before: Option<&Lane>,
) -> Vec<Select<Entity>> {
    let number = |lane: &Lane| i16::from(u8::from(lane.priority));
    let mut query = Entity::find()
        .select_only()
        .columns([Column::Priority, Column::FairnessKey])
        .filter(Column::Queue.eq(queue.as_str()))
        .filter(in_backlog())
        .order_by_asc(Column::Priority)
        .order_by_asc(Column::FairnessKey)
        .limit(1);
    let Some(before) = before else {
        if let Some(lane) = after {
            let place = Expr::tuple([Expr::col(Column::Priority), Expr::col(Column::FairnessKey)]);
            let seen = Expr::tuple([Expr::value(number(lane)), Expr::value(lane.fairness_key.as_str())]);
            query = query.filter(place.gt(seen));
        }
        return vec![query];
    };
    let mut parts = Vec::new();
    let same_priority = after.filter(|after| after.priority == before.priority);
    if same_priority.is_none() {
        let mut lower = query.clone().filter(Column::Priority.lt(number(before)));
        if let Some(lane) = after {
            let place = Expr::tuple([Expr::col(Column::Priority), Expr::col(Column::FairnessKey)]);
            let seen = Expr::tuple([Expr::value(number(lane)), Expr::value(lane.fairness_key.as_str())]);
            lower = lower.filter(place.gt(seen));
        }
        parts.push(lower);
    }
    // Nothing comes before the lane of those without a key.
    if !before.fairness_key.is_empty() {
        let mut same = query
            .filter(Column::Priority.eq(number(before)))
            .filter(Column::FairnessKey.lt(before.fairness_key.as_str()));
        if let Some(lane) = same_priority {
            same = same.filter(Column::FairnessKey.gt(lane.fairness_key.as_str()));
        }
        parts.push(same);
    }
    parts
}

/// The ids of a lane's jobs in the backlog, the oldest first.
///
/// PostgreSQL is not told that the queue is equal to something: it would see that the order is that of the ids alone, and
/// when nearly all rows wait it would take the primary key for as good as the backlog's index, and go through all rows that
/// were dispatched before.
pub(super) fn of_lane(
    backend: DbBackend,
    queue: &QueueName,
    lane: &Lane,
    behind: Option<JobId>,
    most: u64,
) -> Select<Entity> {
    let of_queue = if backend == DbBackend::Postgres {
        // One of two that are the same.
        Column::Queue.is_in([queue.as_str(), queue.as_str()])
    } else {
        Column::Queue.eq(queue.as_str())
    };
    let mut query = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(of_queue)
        .filter(Column::Priority.eq(i16::from(u8::from(lane.priority))))
        .filter(Column::FairnessKey.eq(lane.fairness_key.as_str()))
        .filter(in_backlog());
    if let Some(id) = behind {
        query = query.filter(Column::Id.gt(id.to_string()));
    }
    query
        .order_by_asc(Column::Queue)
        .order_by_asc(Column::Id)
        .limit(most)
}

pub(super) fn dispatch(
    backend: DbBackend,
    queue: &QueueName,
    lane: &Lane,
    behind: Option<JobId>,
    most: u64,
    now: DateTime<Utc>,
) -> UpdateMany<Entity> {
    let oldest = of_lane(backend, queue, lane, behind, most);
    Entity::update_many()
        .col_expr(Column::DispatchedAt, Expr::value(now))
        .col_expr(Column::State, waiting_state(now))
        .filter(taken(backend, oldest))
}

pub(super) fn unpark(backend: DbBackend, until: DateTime<Utc>, most: u64) -> UpdateMany<Entity> {
    let due = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::FinishedAt.is_null())
        .filter(Column::DispatchedAt.is_null())
        .filter(Column::ParkedUntil.lte(until))
        .order_by_asc(Column::ParkedUntil)
        .limit(most);
    Entity::update_many()
        .col_expr(Column::ParkedUntil, Expr::value(Option::<DateTime<Utc>>::None))
        .filter(taken(backend, due))
}

pub(super) fn dispatched(after: Option<JobId>, limit: u64) -> Select<Entity> {
    let mut query = Entity::find()
        .select_only()
        .columns([Column::Id, Column::Queue, Column::DispatchedAt])
        .filter(Column::FinishedAt.is_null())
        .filter(Column::DispatchedAt.is_not_null());
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.to_string()));
    }
    query.order_by_asc(Column::Id).limit(limit)
}

fn take_back(ids: &[JobId], before: DateTime<Utc>, now: DateTime<Utc>) -> UpdateMany<Entity> {
    // At least one attempt is left, as in `Job::attempts_that_count`: the row must say what the envelope will say, or
    // it takes the next attempt for one that it has seen.
    let last = Expr::col(Column::MaxAttempts).sub(1);
    let attempts = CaseStatement::new()
        .case(Expr::col(Column::Attempt).gt(last.clone()), last)
        .finally(Expr::col(Column::Attempt));
    Entity::update_many()
        .col_expr(Column::DispatchedAt, Expr::value(Option::<DateTime<Utc>>::None))
        .col_expr(Column::State, waiting_state(now))
        .col_expr(Column::Attempt, attempts.into())
        .filter(Column::Id.is_in(ids.iter().map(JobId::to_string)))
        .filter(Column::FinishedAt.is_null())
        .filter(
            Column::DispatchedAt
                .lte(before)
                .or(Column::DispatchedAt.gt(now + AHEAD)),
        )
}

/// The rows of the subquery, on PostgreSQL without those that another process is taking at this moment. On SQLite
/// there is one writer at a time.
///
/// PostgreSQL goes from a subquery's rows to the same rows of the table by their places: by their ids it would sometimes read
/// the whole table instead, since it cannot know how many there will be.
fn taken(backend: DbBackend, rows: Select<Entity>) -> SimpleExpr {
    if backend != DbBackend::Postgres {
        return Column::Id.in_subquery(rows.into_query());
    }
    let mut rows = rows.into_query();
    rows.clear_selects()
        .expr(Expr::cust("ctid"))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let rows = SimpleExpr::SubQuery(None, Box::new(rows.into()));
    Expr::cust_with_exprs("ctid = ANY(ARRAY $1)", [rows])
}

/// Scheduled or retrying while its time is ahead, else queued.
fn waiting_state(now: DateTime<Utc>) -> SimpleExpr {
    let waits_for_its_time = Expr::col(Column::RunAt)
        .gt(now)
        .and(Expr::col(Column::State).is_in([JobState::Scheduled.as_str(), JobState::Retrying.as_str()]));
    CaseStatement::new()
        .case(waits_for_its_time, Expr::col(Column::State))
        .finally(JobState::Queued.as_str())
        .into()
}
