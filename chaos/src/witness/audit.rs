//! The trigger in the database: every change of every row of `jobs` leaves a line in a table of its own, in the same
//! transaction. It looks at whole rows, so it need not know what columns there are.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use jobs::job::{JobId, JobState};
use sea_orm::sea_query::Value;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement,
};

/// Rows in one answer.
const PAGE: u64 = 5_000;

/// What is made before the first job. The columns that are compared are all there are.
const SET_UP: &str = r#"
CREATE TABLE chaos_audit (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    job TEXT COLLATE "C" NOT NULL,
    state_before TEXT,
    state_after TEXT,
    attempt INTEGER,
    differs JSONB
);
CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before JSONB := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) END;
    after JSONB := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) END;
    changes JSONB;
BEGIN
    IF before = after THEN
        RETURN NULL;
    END IF;
    -- What a change of an ended row wrote: it should not be there at all.
    IF before->>'state' IN ('completed', 'dead', 'cancelled') THEN
        SELECT jsonb_object_agg(field.key, field.value) INTO changes
        FROM jsonb_each(coalesce(after, '{}')) AS field WHERE field.value IS DISTINCT FROM before->field.key;
    END IF;
    INSERT INTO chaos_audit (job, state_before, state_after, attempt, differs) VALUES (
        coalesce(after, before)->>'id', before->>'state', after->>'state', (after->>'attempt')::INTEGER, changes
    );
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_note AFTER INSERT OR UPDATE OR DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION chaos_note();
"#;

/// The question for what happened to rows that had ended.
const AFTER_THE_END: &str = "SELECT job FROM chaos_audit \
    WHERE state_before IN ('completed', 'dead', 'cancelled') ORDER BY number";

/// A connection to the database that none of the faults is meant for, and the table that the trigger fills.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    database: DatabaseConnection,
}

/// A row of `jobs`, as far as it is judged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: JobId,
    pub(crate) state: JobState,
    /// The key of its call.
    pub(crate) key: Option<String>,
    pub(crate) output: Option<serde_json::Value>,
    pub(crate) output_length: Option<i64>,
    pub(crate) output_preview: Option<String>,
}

impl Audit {
    pub(crate) async fn start(url: &str) -> Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(2).sqlx_logging(false);
        let database = Database::connect(options).await?;
        database
            .execute_unprepared(SET_UP)
            .await
            .context("the trigger cannot be made")?;
        Ok(Self { database })
    }

    /// Rows that have no outcome.
    pub(crate) async fn unfinished(&self) -> Result<u64> {
        let rows = self
            .ask("SELECT count(*) FROM jobs WHERE finished_at IS NULL", [])
            .await?;
        let count: i64 = rows
            .first()
            .context("a count without a row")?
            .try_get_by_index(0)?;
        Ok(count.unsigned_abs())
    }

    /// All rows, oldest first, a page after the other.
    pub(crate) async fn rows(&self, after: Option<JobId>) -> Result<Vec<Row>> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let rows = self
            .ask(
                &format!(
                    "SELECT id, state, key, output, output_length, output_preview FROM jobs \
                    LEFT JOIN job_keys ON holder = id AND kind = 'idempotency' \
                    WHERE id > $1 ORDER BY id LIMIT {PAGE}"
                ),
                [after.into()],
            )
            .await?;
        rows.iter().map(Row::read).collect()
    }

    /// Jobs whose row was changed after it had ended, once for each change.
    pub(crate) async fn changed_after_the_end(&self) -> Result<Vec<JobId>> {
        let rows = self.ask(AFTER_THE_END, []).await?;
        rows.iter().map(|row| id(row, 0)).collect()
    }

    /// When each job's outcome was recorded.
    pub(crate) async fn ends(&self) -> Result<HashMap<JobId, DateTime<Utc>>> {
        let mut ends = HashMap::new();
        let mut after = 0_i64;
        loop {
            let rows = self
                .ask(
                    &format!(
                        "SELECT number, job, at FROM chaos_audit WHERE number > $1 \
                        AND state_after IN ('completed', 'dead', 'cancelled') \
                        AND state_before IS DISTINCT FROM state_after ORDER BY number LIMIT {PAGE}"
                    ),
                    [after.into()],
                )
                .await?;
            for row in &rows {
                after = row.try_get_by_index(0)?;
                ends.entry(id(row, 1)?).or_insert(row.try_get_by_index(2)?);
            }
            if rows.is_empty() {
                return Ok(ends);
            }
        }
    }

    /// How long jobs took from their row to their outcome, in seconds: half of them, 99 of a hundred, all.
    pub(crate) async fn times(&self) -> Result<[f64; 3]> {
        let rows = self
            .ask(
                "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds), \
                percentile_disc(0.99) WITHIN GROUP (ORDER BY seconds), max(seconds) FROM ( \
                    SELECT extract(epoch FROM max(at) FILTER ( \
                        WHERE state_after IN ('completed', 'dead', 'cancelled')) - min(at))::FLOAT8 AS seconds \
                    FROM chaos_audit GROUP BY job) AS jobs",
                [],
            )
            .await?;
        let row = rows.first().context("times without a row")?;
        let second = |at| Ok::<_, DbErr>(row.try_get_by_index::<Option<f64>>(at)?.unwrap_or_default());
        Ok([second(0)?, second(1)?, second(2)?])
    }

    /// A row as it is, as JSON.
    pub(crate) async fn row_text(&self, job: JobId) -> Result<Option<String>> {
        let rows = self
            .ask(
                "SELECT to_jsonb(jobs)::TEXT FROM jobs WHERE id = $1",
                [job.to_string().into()],
            )
            .await?;
        rows.first().map(|row| Ok(row.try_get_by_index(0)?)).transpose()
    }

    /// What the trigger noted of a job.
    pub(crate) async fn changes(&self, job: JobId) -> Result<Vec<(DateTime<Utc>, String)>> {
        let rows = self
            .ask(
                "SELECT at, concat_ws(' ', coalesce(state_before, 'no row'), '->', coalesce(state_after, 'no row'), \
                'attempt', attempt, differs::TEXT) FROM chaos_audit WHERE job = $1 ORDER BY number",
                [job.to_string().into()],
            )
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
            .collect()
    }

    async fn ask(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<QueryResult>> {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        self.database
            .query_all_raw(statement)
            .await
            .with_context(|| format!("the database does not say: {sql}"))
    }
}

impl Row {
    fn read(row: &QueryResult) -> Result<Self> {
        let state: String = row.try_get_by_index(1)?;
        Ok(Self {
            id: id(row, 0)?,
            state: state.parse()?,
            key: row.try_get_by_index(2)?,
            output: row.try_get_by_index(3)?,
            output_length: row.try_get_by_index(4)?,
            output_preview: row.try_get_by_index(5)?,
        })
    }
}

fn id(row: &QueryResult, at: usize) -> Result<JobId> {
    let text: String = row.try_get_by_index(at)?;
    Ok(text.parse()?)
}
