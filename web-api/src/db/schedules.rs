//! The table `schedules`: its rows, and the queries of the API on them. [`fire`] is how the clock makes jobs of them.
//!
//! Every write counts `revision` up and says which one it has read, so that of two writers one finds that it comes late.

pub mod fire;

use std::{fmt, str::FromStr};

use chrono::{DateTime, SubsecRound, Utc};
use jobs::{job::JobId, json::Json};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    IntoActiveModel, Iterable, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set, SqlErr,
    sea_query::{Expr, ExprTrait},
};

use super::jobs::{InputCut, InputSql};
use super::json::{self, JsonText};
use super::{Store, StoreError};
use crate::db::values::saturated;
use crate::domain::catch_up::CatchUp;
use crate::domain::catch_up::LATE;
use crate::domain::ids::ScheduleId;

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    use crate::db::json::JsonText;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "schedules")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub cron: String,
        pub time_zone: String,
        pub function: String,
        #[sea_orm(column_type = "JsonBinary")]
        pub(in crate::db) input: JsonText,
        pub max_attempts: Option<i32>,
        pub catch_up: String,
        pub paused: bool,
        pub next_at: Option<DateTimeUtc>,
        pub last_at: Option<DateTimeUtc>,
        pub last_job_id: Option<String>,
        pub error: Option<String>,
        pub notice: Option<String>,
        pub revision: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A schedule, as SQL has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    pub id: ScheduleId,
    /// Unique, for people.
    pub name: String,
    /// What [`crate::domain::cron::Timing`] reads.
    pub cron: String,
    pub time_zone: String,
    pub function: String,
    pub input: Json,
    /// What a list says instead of a large input, which is null then.
    pub input_cut: Option<InputCut>,
    /// Instead of the function's own limit.
    pub max_attempts: Option<u32>,
    pub catch_up: CatchUp,
    pub paused: bool,
    /// When it is due; `None` while it is paused, and when it never is again.
    pub next_at: Option<DateTime<Utc>>,
    /// The due time of its last run, or when somebody started that.
    pub last_at: Option<DateTime<Utc>>,
    pub last_job: Option<JobId>,
    /// Why its last due time made no job.
    pub error: Option<String>,
    /// What was left out, and when.
    pub notice: Option<String>,
    /// Which change of the row this is.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    /// When a person changed it last.
    pub updated_at: DateTime<Utc>,
}

impl Schedule {
    /// From when on a rule counts that is new now: not before the last run, whatever the clock of this process says, so
    /// that no due time comes again. A last run far ahead of now was started by a wrong clock.
    pub fn begin(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let last = self.last_at.filter(|last| *last <= now + LATE);
        last.map_or(now, |last| Ord::max(last, now))
    }
}

/// A row without its large input.
#[derive(FromQueryResult)]
struct Listed {
    #[sea_orm(nested)]
    row: row::Model,
    input_size: i64,
    input_preview: String,
}

/// What became of a write that may collide with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    Done,
    /// Another schedule has this name.
    NameTaken,
    /// The row has changed, or is gone, since it was read.
    Outdated,
}

impl Store {
    pub async fn schedule_count(&self) -> Result<u64, StoreError> {
        self.bounded("schedule_count", row::Entity::find().count(&self.database))
            .await
    }

    pub async fn schedule_insert(&self, schedule: &Schedule) -> Result<Written, StoreError> {
        let inserting = async {
            let row = active(schedule);
            let insert = json::insert(self.backend(), [row], &[row::Column::Input])?;
            unless_taken(self.database.execute(&insert).await)
        };
        let _turn = self.write_turn().await?;
        let inserted = self.bounded("schedule_insert", inserting).await?;
        Ok(inserted.map_or(Written::NameTaken, |_| Written::Done))
    }

    pub async fn schedule_get(&self, id: ScheduleId) -> Result<Option<Schedule>, StoreError> {
        let query = row::Entity::find_by_id(id.to_string());
        self.bounded("schedule_get", query.one(&self.database))
            .await?
            .map(Schedule::try_from)
            .transpose()
    }

    /// By name, those behind `after`, without large inputs.
    pub async fn schedule_list(&self, after: Option<&str>, limit: u64) -> Result<Vec<Schedule>, StoreError> {
        let mut query = row::Entity::find();
        if let Some(after) = after {
            query = query.filter(row::Column::Name.gt(after));
        }
        let input = InputSql::of("schedules", self.backend());
        let others = row::Column::iter().filter(|column| !matches!(column, row::Column::Input));
        let query = query
            .order_by_asc(row::Column::Name)
            .limit(limit)
            .select_only()
            .columns(others)
            .column_as(Expr::cust(input.when_small(&input.bytes)), "input")
            .column_as(Expr::cust(input.bytes.clone()), "input_size")
            .column_as(Expr::cust(input.beginning()), "input_preview")
            .into_model::<Listed>();
        let rows = self.bounded("schedule_list", query.all(&self.database)).await?;
        rows.into_iter()
            .map(|listed| {
                Ok(Schedule {
                    input_cut: InputCut::of(listed.input_size, Some(listed.input_preview)),
                    ..Schedule::try_from(listed.row)?
                })
            })
            .collect()
    }

    /// Writes all of `schedule`, if the row is still of that revision.
    pub async fn schedule_update(&self, schedule: &Schedule) -> Result<Written, StoreError> {
        let changed = row::ActiveModel {
            revision: Set(schedule.revision.saturating_add(1)),
            input: ActiveValue::NotSet,
            ..active(schedule).reset_all()
        };
        let update = row::Entity::update_many()
            .set(changed)
            .col_expr(
                row::Column::Input,
                json::bound(self.backend(), Some(&schedule.input)),
            )
            .filter(row::Column::Id.eq(schedule.id.to_string()))
            .filter(row::Column::Revision.eq(schedule.revision))
            .exec(&self.database);
        let _turn = self.write_turn().await?;
        let updated = self
            .bounded("schedule_update", async { unless_taken(update.await) })
            .await?;
        Ok(match updated {
            None => Written::NameTaken,
            Some(done) if done.rows_affected == 0 => Written::Outdated,
            Some(_) => Written::Done,
        })
    }

    /// Writes when the schedule is due, which a wrong clock had moved ahead, if the row is still of that revision.
    pub async fn schedule_repair(
        &self,
        schedule: &Schedule,
        now: DateTime<Utc>,
        next_at: DateTime<Utc>,
        notice: &str,
    ) -> Result<bool, StoreError> {
        let last_at = schedule.last_at.map(|last| Ord::min(last, now).trunc_subsecs(3));
        let update = row::Entity::update_many()
            .col_expr(row::Column::NextAt, Expr::value(next_at))
            .col_expr(row::Column::LastAt, Expr::value(last_at))
            .col_expr(row::Column::Notice, Expr::value(notice))
            .col_expr(row::Column::Revision, Expr::col(row::Column::Revision).add(1))
            .filter(row::Column::Id.eq(schedule.id.to_string()))
            .filter(row::Column::Revision.eq(schedule.revision))
            .exec(&self.database);
        let _turn = self.write_turn().await?;
        let updated = self.bounded("schedule_repair", update).await?;
        Ok(updated.rows_affected > 0)
    }

    /// Notes a run that somebody started.
    pub async fn schedule_ran(
        &self,
        id: ScheduleId,
        at: DateTime<Utc>,
        job: JobId,
    ) -> Result<(), StoreError> {
        let update = row::Entity::update_many()
            .col_expr(row::Column::LastAt, Expr::value(at.trunc_subsecs(3)))
            .col_expr(row::Column::LastJobId, Expr::value(job.to_string()))
            .col_expr(row::Column::Revision, Expr::col(row::Column::Revision).add(1))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.database);
        let _turn = self.write_turn().await?;
        self.bounded("schedule_ran", update).await?;
        Ok(())
    }

    /// Whether there was one. The jobs that it made stay.
    pub async fn schedule_delete(&self, id: ScheduleId) -> Result<bool, StoreError> {
        let delete = row::Entity::delete_by_id(id.to_string()).exec(&self.database);
        let _turn = self.write_turn().await?;
        let deleted = self.bounded("schedule_delete", delete).await?;
        Ok(deleted.rows_affected > 0)
    }
}

/// `None` when the name, which alone is unique besides the id, is another's.
fn unless_taken<T>(result: Result<T, DbErr>) -> Result<Option<T>, DbErr> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(None),
        Err(error) => Err(error),
    }
}

fn active(schedule: &Schedule) -> row::ActiveModel {
    row::Model {
        id: schedule.id.to_string(),
        name: schedule.name.clone(),
        cron: schedule.cron.clone(),
        time_zone: schedule.time_zone.clone(),
        function: schedule.function.clone(),
        input: JsonText(schedule.input.clone()),
        max_attempts: schedule.max_attempts.map(saturated),
        catch_up: schedule.catch_up.as_str().to_owned(),
        paused: schedule.paused,
        next_at: schedule.next_at,
        last_at: schedule.last_at,
        last_job_id: schedule.last_job.map(|id| id.to_string()),
        error: schedule.error.clone(),
        notice: schedule.notice.clone(),
        revision: schedule.revision,
        created_at: schedule.created_at,
        updated_at: schedule.updated_at,
    }
    .into_active_model()
    .reset_all()
}

impl TryFrom<row::Model> for Schedule {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "id", &row.id)?,
            catch_up: parsed(&row.id, "catch_up", &row.catch_up)?,
            last_job: row
                .last_job_id
                .as_ref()
                .map(|id| parsed(&row.id, "last_job_id", id))
                .transpose()?,
            name: row.name,
            cron: row.cron,
            time_zone: row.time_zone,
            function: row.function,
            input: row.input.0,
            input_cut: None,
            max_attempts: row.max_attempts.map(i32::unsigned_abs),
            paused: row.paused,
            next_at: row.next_at,
            last_at: row.last_at,
            error: row.error,
            notice: row.notice,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn parsed<T: FromStr>(row: &str, column: &str, text: &str) -> Result<T, StoreError>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|error| StoreError::Row {
        row: format!("schedule {row}"),
        problem: format!("{column}: {error}"),
    })
}
