//! The table `audit`: what operators have changed, or tried to.

use chrono::{DateTime, SubsecRound as _, Utc};
use jobs::job::JobId;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Set,
    sea_query::{Expr, ExprTrait, Func},
};

use super::jobs::parsed;
use super::{Store, StoreError};
use crate::db::values::storable;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub at: DateTimeUtc,
        pub role: String,
        pub address: String,
        pub action: String,
        pub method: String,
        pub path: String,
        pub subject: Option<String>,
        pub request_id: String,
        pub status: Option<i32>,
        pub finished_at: Option<DateTimeUtc>,
        pub detail: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A change, or an attempt at one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Rises with time.
    pub id: JobId,
    pub at: DateTime<Utc>,
    pub role: String,
    pub address: String,
    pub action: String,
    pub method: String,
    pub path: String,
    /// The name or id of what was changed, where there is one.
    pub subject: Option<String>,
    pub request_id: String,
    /// The HTTP status of the answer; `None` as long as there is none.
    pub status: Option<u16>,
    pub finished_at: Option<DateTime<Utc>>,
    /// What was asked for, where the path does not say it: a JSON text.
    pub detail: Option<String>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Refused,
    Failed,
    /// There was no answer, at least not yet.
    Unknown,
}

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub action: Option<String>,
    pub role: Option<String>,
    pub address: Option<String>,
    pub subject: Option<String>,
    pub outcome: Option<Outcome>,
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}

impl Outcome {
    pub const ALL: [Self; 4] = [Self::Done, Self::Refused, Self::Failed, Self::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    pub fn of(status: Option<u16>) -> Self {
        match status {
            None => Self::Unknown,
            Some(..400) => Self::Done,
            Some(400..500) => Self::Refused,
            Some(_) => Self::Failed,
        }
    }
}

impl Store {
    /// Records that a change begins.
    pub async fn audit_insert(&self, entry: &Entry) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: Set(entry.id.to_string()),
            at: Set(entry.at.trunc_subsecs(3)),
            role: Set(entry.role.clone()),
            address: Set(entry.address.clone()),
            action: Set(entry.action.clone()),
            method: Set(storable(&entry.method)),
            path: Set(storable(&entry.path)),
            subject: Set(entry.subject.as_deref().map(storable)),
            request_id: Set(storable(&entry.request_id)),
            status: Set(entry.status.map(i32::from)),
            finished_at: Set(entry.finished_at),
            detail: Set(entry.detail.as_deref().map(storable)),
        };
        let insert = row::Entity::insert(row);
        let _turn = self.write_turn().await?;
        self.bounded("audit_insert", insert.exec_without_returning(&self.database))
            .await?;
        Ok(())
    }

    /// Adds how it ended, and the name of what was made, unless the entry has a subject already.
    pub async fn audit_finish(
        &self,
        id: JobId,
        status: u16,
        made: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let made = made.map(storable);
        let subject = Func::coalesce([Expr::col(row::Column::Subject), Expr::val(made)]);
        let update = row::Entity::update_many()
            .col_expr(row::Column::Status, Expr::val(i32::from(status)))
            .col_expr(row::Column::FinishedAt, Expr::val(at.trunc_subsecs(3)))
            .col_expr(row::Column::Subject, subject.into())
            .filter(row::Column::Id.eq(id.to_string()));
        let _turn = self.write_turn().await?;
        self.bounded("audit_finish", update.exec(&self.database)).await?;
        Ok(())
    }

    /// Up to `limit` entries that are older than `before`, the newest first.
    pub async fn audit_list(
        &self,
        filter: &AuditFilter,
        before: Option<JobId>,
        limit: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let query = listed(filter, before, limit);
        let rows = self
            .bounded_search("audit_list", query.all(&self.database))
            .await?;
        rows.into_iter().map(Entry::try_from).collect()
    }

    /// Deletes up to `limit` entries from before `time`, and says how many.
    pub async fn audit_prune(&self, time: DateTime<Utc>, limit: u64) -> Result<u64, StoreError> {
        let old = row::Entity::find()
            .select_only()
            .column(row::Column::Id)
            .filter(row::Column::Id.lt(JobId::lower_bound(time).to_string()))
            .order_by_asc(row::Column::Id)
            .limit(limit)
            .into_query();
        let delete = row::Entity::delete_many().filter(row::Column::Id.in_subquery(old));
        let _turn = self.write_turn().await?;
        let deleted = self.bounded("audit_prune", delete.exec(&self.database)).await?;
        Ok(deleted.rows_affected)
    }
}

fn listed(filter: &AuditFilter, before: Option<JobId>, limit: u64) -> Select<row::Entity> {
    use row::Column;
    let bound = |time: DateTime<Utc>| JobId::lower_bound(time).to_string();
    row::Entity::find()
        .apply_if(before, |query, before| {
            query.filter(Column::Id.lt(before.to_string()))
        })
        .apply_if(filter.action.as_deref(), |query, action| {
            query.filter(Column::Action.eq(action))
        })
        .apply_if(filter.role.as_deref(), |query, role| {
            query.filter(Column::Role.eq(role))
        })
        .apply_if(filter.address.as_deref(), |query, address| {
            query.filter(Column::Address.eq(address))
        })
        .apply_if(filter.subject.as_deref(), |query, subject| {
            query.filter(Column::Subject.eq(subject))
        })
        .apply_if(filter.outcome, |query, outcome| {
            query.filter(match outcome {
                Outcome::Done => Column::Status.lt(400),
                Outcome::Refused => Column::Status.gte(400).and(Column::Status.lt(500)),
                Outcome::Failed => Column::Status.gte(500),
                Outcome::Unknown => Column::Status.is_null(),
            })
        })
        .apply_if(filter.from, |query, from| {
            query.filter(Column::Id.gte(bound(from)))
        })
        .apply_if(filter.before, |query, before| {
            query.filter(Column::Id.lt(bound(before)))
        })
        .order_by_desc(Column::Id)
        .limit(limit)
}

impl TryFrom<row::Model> for Entry {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "id", &row.id)?,
            at: row.at,
            role: row.role,
            address: row.address,
            action: row.action,
            method: row.method,
            path: row.path,
            subject: row.subject,
            request_id: row.request_id,
            status: row.status.and_then(|status| u16::try_from(status).ok()),
            finished_at: row.finished_at,
            detail: row.detail,
        })
    }
}
