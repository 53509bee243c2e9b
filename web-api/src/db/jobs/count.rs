//! How many jobs a filter finds, counted piece by piece: no statement looks at more rows than it can in a moment, and a
//! count that takes too long is broken off.

use std::time::{Duration, Instant};

use jobs::job::JobId;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, sea_query::ExprTrait};

use super::list::Start;
use super::row::Column;
use crate::db::{Store, StoreError};
use crate::domain::job_filter::JobFilter;

/// Rows in one statement.
const PIECE: u64 = 50_000;

/// How many jobs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub jobs: u64,
    /// False when there may be more.
    pub exact: bool,
}

impl Store {
    /// Counts the jobs that are older than `than`, for about as long as `patience`.
    pub async fn job_count(
        &self,
        filter: &JobFilter,
        than: JobId,
        patience: Duration,
    ) -> Result<Counted, StoreError> {
        let begun = Instant::now();
        let plan = filter.plan(self.backend());
        let mut counted = Counted { jobs: 0, exact: true };
        let mut before = than;
        loop {
            let edge = self.edge(&plan, Start::OlderThan(before), PIECE).await?;
            for part in &plan.parts {
                let mut query = plan
                    .source
                    .jobs()
                    .select_only()
                    .column_as(Column::Id.count(), "jobs")
                    .filter(part.clone())
                    .filter(plan.source.id().lt(before.to_string()));
                if let Some(rest) = &plan.rest {
                    query = query.filter(rest.clone());
                }
                if let Some(edge) = edge {
                    query = query.filter(plan.source.id().gte(edge.to_string()));
                }
                let query = query.into_tuple::<i64>();
                let jobs = self
                    .bounded_search("job_count", query.one(&self.database))
                    .await?;
                counted.jobs += jobs.unwrap_or_default().unsigned_abs();
            }
            match edge {
                None => return Ok(counted),
                Some(_) if begun.elapsed() > patience => {
                    counted.exact = false;
                    return Ok(counted);
                }
                Some(edge) => before = edge,
            }
        }
    }
}
