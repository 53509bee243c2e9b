//! Lists of jobs, newest first, a page at a time in both directions.
//!
//! Where the index does not answer the whole of a filter, a page is looked for among so many rows and no more: one that
//! finds little says how far it has looked, and where the next one goes on. So no search holds up the database,
//! however many rows there are.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use jobs::job::JobId;
use sea_orm::{
    Condition, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::{ExprTrait, SelectStatement},
};

use super::filter::{Plan, Source};
use super::row::{Column, Entity, Model};
use super::{Job, light};
use crate::db::tags::row as job_tag;
use crate::db::{Store, StoreError};
use crate::domain::job_filter::JobFilter;

/// Rows that one page looks at when it has to look at each.
const LOOKED_AT: u64 = 20_000;

/// A part of a list, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub jobs: Vec<Job>,
    /// The cursor of the next page, with older jobs; `None` on the last one.
    pub next: Option<JobId>,
    /// The same of the page before, with newer jobs; `None` on the first one.
    pub previous: Option<JobId>,
    /// How far the search has come, when it has not looked at all jobs: what was made before that (after it, in a page
    /// of newer jobs) is still to be looked at.
    pub searched_to: Option<DateTime<Utc>>,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Newest,
    /// The newest of those that are older than this one.
    OlderThan(JobId),
    /// The oldest of those that are newer than this one.
    NewerThan(JobId),
}

impl Store {
    /// Newest first, older than `cursor`.
    pub async fn job_list(
        &self,
        filter: &JobFilter,
        cursor: Option<JobId>,
        limit: u64,
    ) -> Result<Page, StoreError> {
        let start = cursor.map_or(Start::Newest, Start::OlderThan);
        let (mut jobs, searched) = self.page(filter, start, limit).await?;
        let more = cut(&mut jobs, limit);
        Ok(Page {
            next: if more {
                jobs.last().map(|job| job.id)
            } else {
                searched
            },
            previous: cursor.and(jobs.first()).map(|job| job.id),
            searched_to: searched.filter(|_| !more).map(JobId::created_at),
            jobs,
        })
    }

    /// The page before one that begins with `than`: newest first, newer than that one.
    pub async fn job_list_newer(
        &self,
        filter: &JobFilter,
        than: JobId,
        limit: u64,
    ) -> Result<Page, StoreError> {
        let (mut jobs, searched) = self.page(filter, Start::NewerThan(than), limit).await?;
        let more = cut(&mut jobs, limit);
        jobs.reverse();
        Ok(Page {
            next: jobs.last().map(|job| job.id),
            previous: if more {
                jobs.first().map(|job| job.id)
            } else {
                searched
            },
            searched_to: searched.filter(|_| !more).map(JobId::created_at),
            jobs,
        })
    }

    /// Up to one more than `limit` jobs, and the last row that was looked at, when there are more.
    async fn page(
        &self,
        filter: &JobFilter,
        start: Start,
        limit: u64,
    ) -> Result<(Vec<Job>, Option<JobId>), StoreError> {
        let plan = filter.plan(self.backend());
        let searched = if plan.rest.is_some() {
            self.edge(&plan, start, LOOKED_AT).await?
        } else {
            None
        };
        let mut jobs = Vec::new();
        for query in pages(&plan, start, searched, limit) {
            let query = light::without_inputs(query, self.backend());
            let rows: Vec<Model> = self.bounded_search("job_list", query.all(&self.database)).await?;
            for row in rows {
                jobs.push(light::job(row)?);
            }
        }
        if matches!(start, Start::NewerThan(_)) {
            jobs.sort_by_key(|job| job.id);
        } else {
            jobs.sort_by_key(|job| Reverse(job.id));
        }
        // One that went from one state to another meanwhile is in two parts.
        jobs.dedup_by_key(|job| job.id);
        Ok((jobs, searched))
    }

    /// The last of about `most` rows, when there are more: the first one that any part comes to.
    pub(super) async fn edge(
        &self,
        plan: &Plan,
        start: Start,
        most: u64,
    ) -> Result<Option<JobId>, StoreError> {
        let mut edge: Option<JobId> = None;
        for query in edges(plan, start, most) {
            let looking = async {
                let row = self.database.query_one(&query).await?;
                row.map(|row| row.try_get_by_index::<String>(0)).transpose()
            };
            let found = self.bounded_search("job_list", looking).await?;
            let Some(found) = found else { continue };
            let found: JobId = super::parsed(&found, "id", &found)?;
            edge = Some(match (edge, start) {
                (None, _) => found,
                (Some(edge), Start::NewerThan(_)) => edge.min(found),
                (Some(edge), Start::Newest | Start::OlderThan(_)) => edge.max(found),
            });
        }
        Ok(edge)
    }
}

fn cut(jobs: &mut Vec<Job>, limit: u64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    more
}

/// For each part the query of the last row that it may look at.
pub(super) fn edges(plan: &Plan, start: Start, most: u64) -> Vec<SelectStatement> {
    let most = Ord::max(most / Ord::max(plan.parts.len(), 1) as u64, 1);
    let of = |part: &Condition| match plan.source {
        Source::Jobs => nth(
            Entity::find().select_only().column(Column::Id),
            plan.source,
            part,
            start,
            most,
        ),
        // Its own rows tell: no job is looked up to be passed over.
        Source::Tags => nth(
            job_tag::Entity::find()
                .select_only()
                .column(job_tag::Column::JobId),
            plan.source,
            part,
            start,
            most,
        ),
    };
    plan.parts.iter().map(of).collect()
}

fn nth<E: EntityTrait>(
    ids: Select<E>,
    source: Source,
    part: &Condition,
    start: Start,
    place: u64,
) -> SelectStatement {
    let ids = from(ids.filter(part.clone()), source, start);
    ids.offset(place - 1).limit(1).into_query()
}

/// For each part the query of its page. One more than asked for tells whether there is another page.
pub(super) fn pages(plan: &Plan, start: Start, searched: Option<JobId>, limit: u64) -> Vec<Select<Entity>> {
    let of = |part: &Condition| {
        let mut query = plan.source.jobs().filter(part.clone());
        if let Some(rest) = &plan.rest {
            query = query.filter(rest.clone());
        }
        if let Some(edge) = searched {
            query = query.filter(match start {
                Start::NewerThan(_) => plan.source.id().lte(edge.to_string()),
                Start::Newest | Start::OlderThan(_) => plan.source.id().gte(edge.to_string()),
            });
        }
        from(query, plan.source, start).limit(limit.saturating_add(1))
    };
    plan.parts.iter().map(of).collect()
}

fn from<E: EntityTrait>(query: Select<E>, source: Source, start: Start) -> Select<E> {
    let id = || source.id();
    match start {
        Start::Newest => query.order_by(id(), Order::Desc),
        Start::OlderThan(than) => query
            .filter(id().lt(than.to_string()))
            .order_by(id(), Order::Desc),
        Start::NewerThan(than) => query.filter(id().gt(than.to_string())).order_by(id(), Order::Asc),
    }
}

/// The queries of a page in SQLite, for a look at how it goes about them.
#[cfg(test)]
pub(super) fn queries_of(filter: &JobFilter, start: Start, limit: u64) -> Vec<SelectStatement> {
    let plan = filter.plan(sea_orm::DbBackend::Sqlite);
    let mut queries = edges(&plan, start, LOOKED_AT);
    queries.extend(
        pages(&plan, start, None, limit)
            .into_iter()
            .map(Select::into_query),
    );
    queries
}
