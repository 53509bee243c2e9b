//! How SQLite goes about the queries: each by an index, whatever the tables' size. Tests alone.

use sea_orm::{DbBackend, QueryTrait};

use super::close::{done, open};
use super::{JobId, counting, list, unfinished};
use crate::db::jobs::plans::{database, plan};
use crate::domain::ids::BatchId;

#[tokio::test]
async fn batches_and_their_jobs_are_found_by_their_indices() {
    let database = database().await;
    let (id, job) = (BatchId::new(), JobId::new());
    for (statement, searches) in [
        (
            list(Some(id), 20).build(DbBackend::Sqlite),
            &["SEARCH batches USING INDEX sqlite_autoindex_batches_1 (id<?)"][..],
        ),
        (
            open(Some(id), 200).build(DbBackend::Sqlite),
            &["SEARCH batches USING INDEX batches_unfinished (id>?)"],
        ),
        (
            unfinished(id, Some(job), 500).build(DbBackend::Sqlite),
            &["SEARCH jobs USING INDEX jobs_unfinished_by_batch (batch_id=? AND id>?)"],
        ),
        (
            counting(&["a", "b"]).build(DbBackend::Sqlite),
            &["SEARCH jobs USING INDEX jobs_by_batch (batch_id=?)"],
        ),
        (
            DbBackend::Sqlite.build(&done(&[id, BatchId::new()])),
            &[
                "SEARCH batches USING",
                "INDEX jobs_unfinished_by_batch (batch_id=?)",
            ],
        ),
    ] {
        let plan = plan(&database, statement).await;
        assert!(searches.iter().all(|search| plan.contains(search)), "{plan}");
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}
