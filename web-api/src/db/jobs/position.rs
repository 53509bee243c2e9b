//! Which jobs wait around a given one, from a bounded number of rows.

use jobs::job::{JobId, JobState, QueueName};
use sea_orm::ColumnTrait;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement, Value,
};

use super::{
    Job,
    row::{Column, Entity},
};
use crate::db::{Store, StoreError};

/// Rows that are read on each side.
pub const LOOKED_AT: u64 = 10_000;

/// Jobs of one priority and fairness key that wait around a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneCount {
    pub priority: u8,
    /// Empty for jobs without one.
    pub fairness_key: String,
    pub older: u64,
    pub newer: u64,
}

impl LaneCount {
    pub fn is_of(&self, job: &Job) -> bool {
        self.priority == u8::from(job.priority)
            && self.fairness_key == job.fairness_key.as_deref().unwrap_or_default()
    }
}

/// The jobs that wait around a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbours {
    pub lanes: Vec<LaneCount>,
    /// How many rows of each side were read; [`LOOKED_AT`] when there may be more.
    pub older: u64,
    pub newer: u64,
}

impl Store {
    /// Those that wait in the queue of the job, the nearest by age on each side.
    pub async fn job_neighbours(&self, queue: &QueueName, id: JobId) -> Result<Neighbours, StoreError> {
        let query = async {
            let rows = self
                .database
                .query_all_raw(neighbours(self.backend(), queue, id))
                .await?;
            let mut found = Neighbours {
                lanes: Vec::with_capacity(rows.len()),
                older: 0,
                newer: 0,
            };
            for row in rows {
                let count = |at: usize| row.try_get_by_index::<i64>(at).map(i64::unsigned_abs);
                let lane = LaneCount {
                    priority: u8::try_from(row.try_get_by_index::<i16>(0)?).unwrap_or_default(),
                    fairness_key: row.try_get_by_index(1)?,
                    older: count(2)?,
                    newer: count(3)?,
                };
                found.older += lane.older;
                found.newer += lane.newer;
                found.lanes.push(lane);
            }
            Ok::<_, DbErr>(found)
        };
        self.bounded_search("job_neighbours", query).await
    }

    /// The oldest job that waits for a worker.
    pub async fn job_oldest_waiting(&self, queue: &QueueName) -> Result<Option<Job>, StoreError> {
        let query = Entity::find()
            .filter(Column::Queue.eq(queue.as_str()))
            .filter(Column::State.eq(JobState::Queued.as_str()))
            .order_by_asc(Column::Id)
            .limit(1);
        let row = self
            .bounded("job_oldest_waiting", query.one(&self.database))
            .await?;
        row.map(Job::try_from).transpose()
    }
}

pub(super) fn neighbours(backend: DbBackend, queue: &QueueName, id: JobId) -> Statement {
    let postgres = backend == DbBackend::Postgres;
    let place = |number: usize| {
        if postgres {
            format!("${number}")
        } else {
            format!("?{number}")
        }
    };
    let (queue_at, id_at) = (place(1), place(2));
    let side = |than: &str, order: &str, older: u8, newer: u8| {
        format!(
            "SELECT * FROM (SELECT priority, fairness_key, {older} AS older, {newer} AS newer FROM jobs
             WHERE queue = {queue_at} AND state = '{}' AND id {than} {id_at}
             ORDER BY id {order} LIMIT {LOOKED_AT}) AS side_{order}",
            JobState::Queued
        )
    };
    let sql = format!(
        "SELECT priority, fairness_key, CAST(SUM(older) AS BIGINT), CAST(SUM(newer) AS BIGINT)
         FROM ({} UNION ALL {}) AS around GROUP BY priority, fairness_key",
        side("<", "DESC", 1, 0),
        side(">", "ASC", 0, 1),
    );
    Statement::from_sql_and_values(
        backend,
        sql,
        [Value::from(queue.as_str()), Value::from(id.to_string())],
    )
}
