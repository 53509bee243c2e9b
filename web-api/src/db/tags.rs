//! The table `job_tags`: which jobs have a tag, in the order of their ids. The row of a job contains its tags
//! as well.

use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set,
    sea_query::OnConflict,
};

use super::jobs::Job;
use super::{Store, StoreError};

/// Rows in one statement.
const CHUNK: usize = 500;

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "job_tags")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tag: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub job_id: String,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Store {
    /// Up to `limit` of the tags that begin with `prefix`, in the order of their bytes. Each costs one step
    /// in the index, however many jobs have it.
    pub async fn tag_list(&self, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let listing = async {
            let mut tags: Vec<String> = Vec::new();
            while tags.len() < limit {
                let next = next(prefix, tags.last()).into_tuple::<String>();
                match next.one(&self.database).await? {
                    Some(tag) if tag.starts_with(prefix) => tags.push(tag),
                    Some(_) | None => break,
                }
            }
            Ok::<_, DbErr>(tags)
        };
        self.bounded_search("tag_list", listing).await
    }
}

/// The first tag that is not before `prefix`, and comes after `last`.
fn next(prefix: &str, last: Option<&String>) -> Select<row::Entity> {
    let bound = match last {
        Some(last) => row::Column::Tag.gt(last.as_str()),
        None => row::Column::Tag.gte(prefix),
    };
    row::Entity::find()
        .select_only()
        .column(row::Column::Tag)
        .filter(bound)
        .order_by_asc(row::Column::Tag)
        .limit(1)
}

/// Records the tags of new jobs.
pub(super) async fn record<'a>(
    transaction: &DatabaseTransaction,
    jobs: impl Iterator<Item = &'a Job>,
) -> Result<(), DbErr> {
    let rows: Vec<row::ActiveModel> = jobs
        .flat_map(|job| job.tags.iter().map(|tag| (tag.to_string(), job.id.to_string())))
        .map(|(tag, job_id)| row::ActiveModel {
            tag: Set(tag),
            job_id: Set(job_id),
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        row::Entity::insert_many(chunk.iter().cloned())
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// Deletes the tags of jobs that are deleted.
pub(super) async fn delete(transaction: &DatabaseTransaction, jobs: &[String]) -> Result<(), DbErr> {
    row::Entity::delete_many()
        .filter(row::Column::JobId.is_in(jobs))
        .exec(transaction)
        .await
        .map(drop)
}
