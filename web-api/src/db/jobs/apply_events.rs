//! What events mean for the rows of `jobs`, and the one statement that brings many rows up to date.
//!
//! Events come at least once, and with several recorders not always in order. So no event is applied blindly: each
//! change has a guard that its row must pass, and a row in a final state passes none.

mod applied;
mod change;
mod history;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use jobs::clock;
use jobs::{
    job::{JobId, JobState},
    queue::events::EventBatch,
};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult,
    sea_query::{
        CaseStatement, Expr, ExprTrait, Func, IntoIden, Query, TableRef, UpdateStatement, Value, ValueTuple,
    },
};

use super::{FINAL, UnfinishedJob, dispatch::AHEAD, parsed, row::Column};
use crate::db::{Store, StoreError, json};
use crate::domain::ids::BatchId;

use applied::ended;
pub use applied::{Applied, AppliedChange};
use change::changes;
pub use change::{Attempt, Change};
use history::History;

/// Rows in one statement. More bring little, and PostgreSQL takes at most 65,535 parameters.
const CHUNK: usize = 500;
const CHANGE: &str = "change";

/// What events mean for one job.
#[derive(Debug, Clone)]
struct Piece {
    id: JobId,
    /// `None` when they tell of its history alone.
    change: Option<Change>,
    history: History,
}

impl Piece {
    /// Drops every text that came from outside.
    fn strip(&mut self) {
        if let Some(change) = &mut self.change {
            change.strip();
        }
        self.history.strip();
    }
}

/// The pieces in the order of their ids, in lists that are to be applied one after the other; see [`changes`]. The history
/// of a job comes with its first change.
fn pieces(batches: &[EventBatch]) -> Vec<Vec<Piece>> {
    let mut histories = history::histories(batches);
    let mut lists: Vec<Vec<Piece>> = Vec::new();
    for changes in changes(batches) {
        let list = changes.into_iter().map(|change| Piece {
            id: change.id,
            history: histories.remove(&change.id).unwrap_or_default(),
            change: Some(change),
        });
        lists.push(list.collect());
    }
    if let Some(first) = lists.first_mut() {
        first.extend(histories.into_iter().map(|(id, history)| Piece {
            id,
            change: None,
            history,
        }));
        first.sort_by_key(|piece| piece.id);
    }
    lists
}

/// What a row says after a change.
struct Passed {
    could_run: Option<DateTime<Utc>>,
    batch: Option<BatchId>,
    function: String,
}

impl Store {
    /// Brings the rows up to date, with their history. The same events once more change nothing.
    ///
    /// # Errors
    /// When the database is away; part of the batch may have been applied, so give the whole of it again.
    pub async fn job_apply_events(&self, batches: &[EventBatch]) -> Result<Applied, StoreError> {
        let mut applied = Applied::default();
        for mut left in pieces(batches) {
            while !left.is_empty() {
                let rest = left.split_off(left.len().min(CHUNK));
                self.apply_or_split(left, &mut applied).await?;
                left = rest;
            }
        }
        Ok(applied)
    }

    /// Writes that these jobs, which the queue does not hold, are cancelled, and returns those that were. A row that has
    /// ended stays as it is, and so does one that was dispatched since `arrived`: its push may be on its way.
    ///
    /// # Errors
    /// When the database is away; some of them may have been cancelled.
    pub async fn job_cancel_many(
        &self,
        jobs: &[UnfinishedJob],
        arrived: DateTime<Utc>,
    ) -> Result<HashSet<JobId>, StoreError> {
        let now = clock::now();
        let mut done = HashSet::new();
        let mut cancelled: Vec<Change> = jobs
            .iter()
            .map(|job| change::cancelled(job.id, &job.queue, now))
            .collect();
        cancelled.sort_by_key(|change| change.id);
        for chunk in cancelled.chunks(CHUNK) {
            let mut statement = update(self.backend(), chunk);
            let dispatched_at = || Expr::col(("jobs", Column::DispatchedAt));
            let settled = dispatched_at()
                .is_null()
                .or(dispatched_at().lt(arrived))
                .or(dispatched_at().gt(now + AHEAD));
            statement.and_where(settled);
            done.extend(self.execute(&statement).await?.into_keys());
        }
        Ok(done)
    }

    /// What the database refuses of one job must not sink the others: halves the chunk until it stands alone.
    async fn apply_or_split(&self, chunk: Vec<Piece>, applied: &mut Applied) -> Result<(), StoreError> {
        let mut chunks = vec![chunk];
        while let Some(mut chunk) = chunks.pop() {
            match self.apply(&chunk).await {
                Ok(passed) => applied.changes.extend(passed),
                Err(error @ StoreError::Data { .. }) => {
                    if let [only] = chunk.as_mut_slice() {
                        // The state alone, at least: or the job would be run again and again.
                        let id = only.id;
                        only.strip();
                        match self.apply(&chunk).await {
                            Ok(_) | Err(StoreError::Data { .. }) => {}
                            Err(other) => return Err(other),
                        }
                        applied.refused.push((id, error));
                    } else {
                        chunks.push(chunk.split_off(chunk.len() / 2));
                        chunks.push(chunk);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The changes, and in the same transaction the history of the jobs and what both mean for the time series: an event
    /// that comes again changes no row and counts no more.
    async fn apply(&self, pieces: &[Piece]) -> Result<Vec<AppliedChange>, StoreError> {
        let changes: Vec<Change> = pieces.iter().filter_map(|piece| piece.change.clone()).collect();
        let told: Vec<&Piece> = pieces.iter().filter(|piece| !piece.history.is_empty()).collect();
        let counts = |change: &Change| !change.ended.is_empty() || !change.vanished.is_empty();
        if told.is_empty() && !changes.iter().any(counts) {
            let mut passed = self.execute(&update(self.backend(), &changes)).await?;
            return Ok(applied(changes, &mut passed));
        }
        let _turn = self.write_turn().await?;
        let applying = async {
            let transaction = self.begin().await?;
            let mut histories: Vec<&History> = Vec::new();
            if !told.is_empty() {
                // The history first, so that who sees a job in its new state finds what led to it.
                let kept = history::kept(&transaction, told.iter().map(|piece| piece.id)).await?;
                let of_kept = told.iter().filter(|piece| kept.contains(&piece.id.to_string()));
                histories.extend(of_kept.map(|piece| &piece.history));
                history::write(&transaction, &histories).await?;
            }
            let rows = if changes.is_empty() {
                Vec::new()
            } else {
                transaction.query_all(&update(self.backend(), &changes)).await?
            };
            let Ok(mut passed) = read(rows) else {
                // Nothing is written for an answer that makes no sense.
                return Ok(None);
            };
            let applied = applied(changes, &mut passed);
            history::write_failures(&transaction, &histories).await?;
            ended(&applied).write(&transaction).await?;
            transaction.commit().await?;
            Ok::<_, DbErr>(Some(applied))
        };
        let applied = self.bounded("job_apply_events", applying).await?;
        applied.ok_or_else(|| {
            let unreadable = DbErr::Type("a row that cannot be read".to_owned());
            StoreError::new("job_apply_events", unreadable)
        })
    }

    async fn execute(&self, statement: &UpdateStatement) -> Result<HashMap<JobId, Passed>, StoreError> {
        let _turn = self.write_turn().await?;
        let rows = self
            .bounded("job_apply_events", self.database.query_all(statement))
            .await?;
        read(rows)
    }
}

fn read(rows: Vec<QueryResult>) -> Result<HashMap<JobId, Passed>, StoreError> {
    rows.into_iter()
        .map(|row| {
            let read = || {
                let (id, could_run) = (row.try_get_by_index::<String>(0)?, row.try_get_by_index(1)?);
                let batch = row.try_get_by_index::<Option<String>>(2)?;
                Ok::<_, DbErr>((id, could_run, batch, row.try_get_by_index(3)?))
            };
            let (id, could_run, batch, function) =
                read().map_err(|source| StoreError::new("job_apply_events", source))?;
            let batch = batch.map(|batch| parsed(&id, "batch_id", &batch)).transpose()?;
            let passed = Passed {
                could_run,
                batch,
                function,
            };
            Ok((parsed(&id, "id", &id)?, passed))
        })
        .collect()
}

/// Those whose rows let them pass.
fn applied(changes: Vec<Change>, passed: &mut HashMap<JobId, Passed>) -> Vec<AppliedChange> {
    let applied = changes.into_iter().filter_map(|change| {
        let Passed {
            could_run,
            batch,
            function,
        } = passed.remove(&change.id)?;
        Some(AppliedChange {
            change,
            could_run,
            batch,
            function,
        })
    });
    applied.collect()
}

/// `UPDATE jobs SET .. FROM (VALUES ..) AS change WHERE jobs.id = change.id AND guard
/// RETURNING id, COALESCE(run_at, again_at), batch_id, function`.
/// Both databases name the columns of a bare VALUES list column1, column2 and so on.
fn update(backend: DbBackend, changes: &[Change]) -> UpdateStatement {
    let [id, state, attempt, run_at, worker, started_at, finished_at] = new_columns(1);
    let [
        error_kind,
        error_message,
        output,
        output_size,
        output_length,
        output_preview,
    ] = new_columns(8);
    let [below, running, due, progress, parked, at, failure] = new_columns(14);
    let old = |column: Column| Expr::col(("jobs", column));
    let or_old = |new: &Expr, column: Column| Expr::from(Func::coalesce([new.clone(), old(column)]));
    // A job that has completed has no error, whatever its earlier attempts met.
    let error = |new: &Expr, column: Column| {
        CaseStatement::new().case(
            state.clone().ne(constant(JobState::Completed)),
            or_old(new, column),
        )
    };
    let waiting = [JobState::Scheduled, JobState::Retrying].map(constant);
    let guard = old(Column::Attempt)
        .lt(below)
        .or(old(Column::State)
            .eq(constant(JobState::Running))
            .and(old(Column::Attempt).eq(running)))
        .or(old(Column::State)
            .is_in(waiting)
            .and(due.clone().is_not_null())
            .and(old(Column::RunAt).is_null().or(old(Column::RunAt).lte(due))));

    // A job that runs again waits since somebody wanted that.
    let could_run = Expr::from(Func::coalesce([old(Column::RunAt), old(Column::AgainAt)]));
    let mut update = Query::update();
    update
        .table("jobs")
        .value(Column::Attempt, or_old(&attempt, Column::Attempt))
        .value(Column::RunAt, or_old(&run_at, Column::RunAt))
        .value(Column::Worker, or_old(&worker, Column::Worker))
        .value(Column::StartedAt, or_old(&started_at, Column::StartedAt))
        .value(Column::FinishedAt, finished_at)
        .value(Column::ErrorKind, error(&error_kind, Column::ErrorKind))
        .value(Column::ErrorMessage, error(&error_message, Column::ErrorMessage))
        .value(Column::Failure, error(&failure, Column::Failure))
        .value(Column::Output, json::cast(backend, output))
        .value(Column::OutputSize, output_size)
        .value(Column::OutputLength, output_length)
        .value(Column::OutputPreview, output_preview)
        .value(Column::Progress, or_old(&progress, Column::Progress))
        .value(
            Column::DispatchedAt,
            CaseStatement::new().case(parked.clone().not(), old(Column::DispatchedAt)),
        )
        .value(Column::ParkedUntil, CaseStatement::new().case(parked, run_at))
        .value(Column::State, state)
        .from(TableRef::ValuesList(
            changes.iter().map(values).collect(),
            CHANGE.into_iden(),
        ))
        .and_where(old(Column::Id).eq(id))
        // Not "is one of the unfinished": SQLite would go through all unfinished rows by their index, for each change.
        .and_where(old(Column::State).is_not_in(FINAL.map(constant)))
        // A job that was retried has nothing to do with what is told of its earlier life.
        .and_where(
            old(Column::AgainAt)
                .is_null()
                .or(at.clone().is_null())
                .or(old(Column::AgainAt).lte(at)),
        )
        .and_where(guard)
        .returning(Query::returning().exprs([
            old(Column::Id),
            could_run,
            old(Column::BatchId),
            old(Column::Function),
        ]));
    update
}

/// The statement for these events, for a look at how a database goes about it.
#[cfg(test)]
pub(super) fn update_of(events: Vec<jobs::queue::events::JobEvent>, at: DateTime<Utc>) -> UpdateStatement {
    let queue = jobs::job::QueueName::standard();
    let mut lives = changes(&[EventBatch {
        id: jobs::queue::events::EventId::default(),
        queue,
        at,
        events,
    }]);
    update(DbBackend::Sqlite, &lives.remove(0))
}

fn new_columns<const N: usize>(first: usize) -> [Expr; N] {
    std::array::from_fn(|at| Expr::col((CHANGE, format!("column{}", first + at))))
}

/// A literal: states are few, and PostgreSQL plans better when it sees them.
fn constant(state: JobState) -> Expr {
    Expr::Constant(Value::from(state.as_str()))
}

/// One row of the VALUES list, in the order that [`update`] takes it apart.
fn values(change: &Change) -> ValueTuple {
    let (kind, message) = change.error.clone().unzip();
    let output = change.output.as_ref();
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    ValueTuple::Many(vec![
        change.id.to_string().into(),
        change.state.as_str().into(),
        change.attempt.into(),
        change.run_at.into(),
        change.worker.clone().into(),
        change.started_at.into(),
        change.finished_at.into(),
        kind.into(),
        message.into(),
        output
            .and_then(|output| Some(output.json.as_ref()?.text().to_owned()))
            .into(),
        output.map(|output| count(output.size)).into(),
        output.and_then(|output| output.length).map(count).into(),
        output.map(|output| output.preview.clone()).into(),
        change.guard.below.into(),
        change.guard.running.into(),
        change.guard.due.into(),
        change.progress.into(),
        change.parked.into(),
        change.at.into(),
        change.failure.clone().into(),
    ])
}
