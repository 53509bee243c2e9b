//! The tables `job_counts` and `job_count_changes`: how many jobs there are in each state, which triggers
//! keep in the transaction that changes a job. Nothing here reads `jobs`, so the cost does not grow with the
//! number of jobs.

use std::collections::BTreeMap;

use jobs::job::{JobState, QueueName};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

use super::jobs::parsed;
use super::{Store, StoreError};

/// Rows that are rolled up in one statement.
const MOST: u32 = 20_000;

/// Jobs of one queue and function in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCount {
    pub queue: QueueName,
    pub function: String,
    pub state: JobState,
    pub jobs: u64,
}

impl Store {
    /// How many jobs there are, exactly, at one moment.
    pub async fn job_counts(&self) -> Result<Vec<JobCount>, StoreError> {
        let statement = Statement::from_string(self.backend(), counts());
        let query = async {
            let rows = self.database.query_all_raw(statement).await?;
            let read = rows.iter().map(|row| {
                Ok::<_, DbErr>((
                    row.try_get_by_index::<String>(0)?,
                    row.try_get_by_index::<String>(1)?,
                    row.try_get_by_index::<String>(2)?,
                    row.try_get_by_index::<i64>(3)?,
                ))
            });
            read.collect::<Result<Vec<_>, DbErr>>()
        };
        let rows = self.bounded("job_counts", query).await?;
        rows.into_iter()
            .map(|(queue, function, state, jobs)| {
                Ok(JobCount {
                    queue: parsed("job_counts", "queue", &queue)?,
                    state: parsed("job_counts", "state", &state)?,
                    function,
                    jobs: jobs.unsigned_abs(),
                })
            })
            .collect()
    }

    /// Rolls up the recorded changes into the counts. The sum of the two is right at every moment, also when
    /// several processes do this.
    pub async fn job_count_fold(&self) -> Result<(), StoreError> {
        if self.backend() == DbBackend::Postgres {
            loop {
                let fold = Statement::from_string(DbBackend::Postgres, fold());
                let folding = async {
                    let row = self.database.query_one_raw(fold).await?;
                    row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))
                };
                let folded = self.bounded("job_count_fold", folding).await?;
                if folded < i64::from(MOST) {
                    break;
                }
            }
        }
        let empty = Statement::from_string(
            self.backend(),
            "DELETE FROM job_counts WHERE jobs = 0 AND failure <> ''",
        );
        let _turn = self.write_turn().await?;
        self.bounded("job_count_fold", self.database.execute_raw(empty))
            .await?;
        Ok(())
    }
}

/// The failures that most jobs have, how many these are and how many of them are retrying, and the newest of
/// those that are dead and of those that are retrying: each found with one index lookup.
pub(super) fn failures(backend: DbBackend, limit: u64) -> Statement {
    let place = if backend == DbBackend::Postgres { "$1" } else { "?" };
    let newest = |state: JobState| {
        format!(
            "(SELECT id FROM jobs WHERE jobs.failure = most.failure AND jobs.state = '{state}'
              ORDER BY id DESC LIMIT 1)"
        )
    };
    let sql = format!(
        "SELECT most.failure, most.jobs, most.retrying, {}, {} FROM (
            SELECT failure, CAST(SUM(jobs) AS BIGINT) AS jobs,
                CAST(SUM(CASE WHEN state = '{}' THEN jobs ELSE 0 END) AS BIGINT) AS retrying
            FROM (
                SELECT failure, state, jobs FROM job_counts WHERE failure <> ''
                UNION ALL SELECT failure, state, jobs FROM job_count_changes WHERE failure <> ''
            ) AS kept GROUP BY failure HAVING SUM(jobs) > 0 ORDER BY 2 DESC, failure LIMIT {place}
        ) AS most ORDER BY most.jobs DESC, most.failure",
        newest(JobState::Dead),
        newest(JobState::Retrying),
        JobState::Retrying,
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Statement::from_sql_and_values(backend, sql, [Value::from(limit)])
}

fn counts() -> &'static str {
    "SELECT queue, function, state, CAST(SUM(jobs) AS BIGINT) FROM (
        SELECT queue, function, state, jobs FROM job_counts
        UNION ALL SELECT queue, function, state, jobs FROM job_count_changes
    ) AS kept GROUP BY queue, function, state HAVING SUM(jobs) > 0"
}

/// In one order, so that two processes cannot deadlock.
fn fold() -> String {
    format!(
        "WITH gone AS (
            DELETE FROM job_count_changes WHERE id IN (
                SELECT id FROM job_count_changes ORDER BY id LIMIT {MOST} FOR UPDATE SKIP LOCKED
            ) RETURNING queue, function, state, failure, jobs
        ), folded AS (
            INSERT INTO job_counts (queue, function, state, failure, jobs)
            SELECT queue, function, state, failure, SUM(jobs) FROM gone
            GROUP BY queue, function, state, failure HAVING SUM(jobs) <> 0
            ORDER BY queue, function, state, failure
            ON CONFLICT (queue, function, state, failure)
            DO UPDATE SET jobs = job_counts.jobs + excluded.jobs
        )
        SELECT COUNT(*) FROM gone"
    )
}

/// The counts of one queue, or of all, by state.
pub fn by_state<'c>(counts: impl IntoIterator<Item = &'c JobCount>) -> BTreeMap<&'static str, u64> {
    let mut sums: BTreeMap<&'static str, u64> =
        JobState::ALL.iter().map(|state| (state.as_str(), 0)).collect();
    for count in counts {
        *sums.entry(count.state.as_str()).or_default() += count.jobs;
    }
    sums
}
