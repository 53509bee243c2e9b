//! Claims due times and makes their jobs, in one transaction: of any number of processes that try, whatever their clocks
//! say, one gets a due time.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use jobs::clock;
use jobs::job::JobId;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, TransactionTrait,
    sea_query::{
        Expr, ExprTrait, Func, IntoIden, LockBehavior, LockType, Query, TableRef, UpdateStatement, ValueTuple,
    },
};

use super::{Schedule, row};
use crate::db::jobs::{Inserted, Job, NewJob, insert};
use crate::db::{Store, StoreError};
use crate::domain::ids::ScheduleId;

const CLAIM: &str = "claim";

/// What a due schedule becomes, and the jobs of that.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    pub id: ScheduleId,
    /// The revision that all this was made up from: the claim of a row that has changed since fails.
    pub revision: i64,
    /// Later than every due time that it had.
    pub next_at: Option<DateTime<Utc>>,
    /// The due time and the job of the last run; `None` when there is none.
    pub last: Option<(DateTime<Utc>, JobId)>,
    pub error: Option<String>,
    /// `None` leaves the old one.
    pub notice: Option<String>,
    pub jobs: Vec<NewJob>,
}

/// A part of the schedules that are due, the earliest first.
#[derive(Debug, Clone, PartialEq)]
pub struct DuePage {
    pub schedules: Vec<Schedule>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<DueCursor>,
}

/// The time and the id of the last row of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct DueCursor(DateTime<Utc>, String);

impl Store {
    /// Schedules that are due until `horizon`, behind `after`. A row that this build cannot read is told to the log and
    /// left to others.
    pub async fn schedule_due(
        &self,
        horizon: DateTime<Utc>,
        after: Option<DueCursor>,
        limit: u64,
    ) -> Result<DuePage, StoreError> {
        self.schedules_of(due(horizon, after, limit), limit).await
    }

    /// Schedules that are due later than `time`, behind `after`.
    pub async fn schedule_planned(
        &self,
        time: DateTime<Utc>,
        after: Option<DueCursor>,
        limit: u64,
    ) -> Result<DuePage, StoreError> {
        let later = row::Entity::find().filter(row::Column::NextAt.gt(time));
        self.schedules_of(in_order(later, after, limit), limit).await
    }

    async fn schedules_of(&self, query: Select<row::Entity>, limit: u64) -> Result<DuePage, StoreError> {
        let rows = self.bounded("schedule_due", query.all(&self.database)).await?;
        let last = rows.last().filter(|_| rows.len() as u64 == limit);
        let next = last.and_then(|row| Some(DueCursor(row.next_at?, row.id.clone())));
        let read = |row: row::Model| {
            Schedule::try_from(row)
                .inspect_err(|error| tracing::warn!(%error, "a schedule that is due cannot be read"))
                .ok()
        };
        Ok(DuePage {
            schedules: rows.into_iter().filter_map(read).collect(),
            next,
        })
    }

    /// Writes the firings whose schedules have not changed since they were read, with their jobs, all or nothing.
    /// Answers the jobs that were made.
    ///
    /// # Errors
    /// When the database is away or refuses the data of one of them: nothing is written then, unless the database failed
    /// after it was told to commit. Trying again makes no job twice.
    pub async fn schedule_fire(&self, firings: &[Firing]) -> Result<Vec<Inserted>, StoreError> {
        if firings.is_empty() {
            return Ok(Vec::new());
        }
        let _turn = self.write_turn().await?;
        self.bounded("schedule_fire", fire(&self.database, firings)).await
    }
}

fn due(horizon: DateTime<Utc>, after: Option<DueCursor>, limit: u64) -> Select<row::Entity> {
    in_order(
        row::Entity::find().filter(row::Column::NextAt.lte(horizon)),
        after,
        limit,
    )
}

fn in_order(mut query: Select<row::Entity>, after: Option<DueCursor>, limit: u64) -> Select<row::Entity> {
    if let Some(DueCursor(at, id)) = after {
        let place = Expr::tuple([Expr::col(row::Column::NextAt), Expr::col(row::Column::Id)]);
        query = query.filter(place.gt(Expr::tuple([Expr::value(at), Expr::value(id)])));
    }
    query
        .order_by_asc(row::Column::NextAt)
        .order_by_asc(row::Column::Id)
        .limit(limit)
}

async fn fire(database: &DatabaseConnection, firings: &[Firing]) -> Result<Vec<Inserted>, DbErr> {
    let transaction = database.begin().await?;
    match fire_within(&transaction, firings).await {
        Ok(jobs) => {
            transaction.commit().await?;
            Ok(jobs.into_iter().map(Inserted::Created).collect())
        }
        Err(error) => {
            // Now, not when the connection is used again: until then the rows would look busy.
            transaction.rollback().await.ok();
            Err(error)
        }
    }
}

async fn fire_within(transaction: &DatabaseTransaction, firings: &[Firing]) -> Result<Vec<Job>, DbErr> {
    let free = free(transaction, firings).await?;
    if free.is_empty() {
        return Ok(Vec::new());
    }
    let won = transaction
        .query_all(&claim(&free))
        .await?
        .iter()
        .map(|row| row.try_get_by_index::<String>(0))
        .collect::<Result<HashSet<_>, _>>()?;
    let now = clock::now();
    let jobs: Vec<NewJob> = free
        .into_iter()
        .filter(|firing| won.contains(&firing.id.to_string()))
        .flat_map(|firing| &firing.jobs)
        .cloned()
        .collect();
    Ok(insert::insert(transaction, &jobs, now).await?.made)
}

/// Those whose rows nobody else is writing at the moment. On PostgreSQL two processes would else wait for each other,
/// each with a part of the rows, in a circle; SQLite has one writer at a time.
async fn free<'a>(
    transaction: &DatabaseTransaction,
    firings: &'a [Firing],
) -> Result<Vec<&'a Firing>, DbErr> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(firings.iter().collect());
    }
    let ids = firings.iter().map(|firing| firing.id.to_string());
    let locked = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::Id.is_in(ids))
        .order_by_asc(row::Column::Id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple::<String>()
        .all(transaction)
        .await?;
    let locked: HashSet<String> = locked.into_iter().collect();
    Ok(firings
        .iter()
        .filter(|firing| locked.contains(&firing.id.to_string()))
        .collect())
}

/// `UPDATE schedules SET .. FROM (VALUES ..) AS claim WHERE id and revision are those of the claim RETURNING id`.
/// Both databases name the columns of a bare VALUES list column1, column2 and so on.
fn claim(firings: &[&Firing]) -> UpdateStatement {
    let [id, revision, next_at, last_at, last_job, error, notice] =
        std::array::from_fn(|at| Expr::col((CLAIM, format!("column{}", at + 1))));
    let old = |column: row::Column| Expr::col(("schedules", column));
    let or_old = |new: Expr, column: row::Column| Expr::from(Func::coalesce([new, old(column)]));
    let mut update = Query::update();
    update
        .table("schedules")
        .value(row::Column::NextAt, next_at)
        .value(row::Column::LastAt, or_old(last_at, row::Column::LastAt))
        .value(row::Column::LastJobId, or_old(last_job, row::Column::LastJobId))
        .value(row::Column::Error, error)
        .value(row::Column::Notice, or_old(notice, row::Column::Notice))
        .value(row::Column::Revision, old(row::Column::Revision).add(1))
        .from(TableRef::ValuesList(
            firings.iter().map(|firing| values(firing)).collect(),
            CLAIM.into_iden(),
        ))
        .and_where(old(row::Column::Id).eq(id))
        .and_where(old(row::Column::Revision).eq(revision))
        .returning(Query::returning().expr(old(row::Column::Id)));
    update
}

/// One row of the VALUES list, in the order that [`claim`] takes it apart.
fn values(firing: &Firing) -> ValueTuple {
    let (last_at, last_job) = firing.last.unzip();
    ValueTuple::Many(vec![
        firing.id.to_string().into(),
        firing.revision.into(),
        firing.next_at.into(),
        last_at.into(),
        last_job.map(|id| id.to_string()).into(),
        firing.error.clone().into(),
        firing.notice.clone().into(),
    ])
}

#[cfg(test)]
mod tests {
    use sea_orm::{Database, QueryTrait, Statement};

    use super::*;

    /// Each process asks every second: the answer must not cost more as the table grows.
    #[tokio::test]
    async fn what_is_due_is_found_by_its_index_and_needs_no_sorting() {
        let database = Database::connect("sqlite::memory:").await.unwrap();
        migrations::migrate_up(&database).await.unwrap();
        for after in [None, Some(DueCursor(Utc::now(), "01".to_owned()))] {
            let statement = due(Utc::now(), after, 500).build(DbBackend::Sqlite);
            let explained = Statement {
                sql: format!("EXPLAIN QUERY PLAN {}", statement.sql),
                ..statement
            };
            let rows = database.query_all_raw(explained).await.unwrap();
            let plan: Vec<String> = rows
                .iter()
                .map(|row| row.try_get("", "detail").unwrap())
                .collect();
            let plan = plan.join("\n");
            assert!(
                plan.contains("SEARCH schedules USING INDEX schedules_by_next (") && !plan.contains("TEMP"),
                "{plan}"
            );
        }
    }
}
