//! The query plans of SQLite: each uses an index, whatever the tables' size. Only for tests.

use chrono::Utc;
use sea_orm::{DbBackend, QueryTrait};

use super::{Keys, batch, expired_keys, job, keys_of, old_jobs, page};
use crate::db::jobs::plans::{database, plan};

#[tokio::test]
async fn a_walk_costs_what_it_looks_at() {
    let database = database().await;
    let now = Utc::now();
    let id = "01JD3Y8M5Q2W7E9R4T6Y1P0A2S";
    let ids = [id.to_owned(), id.to_owned()];
    for (statement, search) in [
        (
            page::<job::Entity>(job::Column::Id, Some(id), now, 500).build(DbBackend::Sqlite),
            "SEARCH jobs USING COVERING INDEX sqlite_autoindex_jobs_1 (id>? AND id<?)",
        ),
        (
            page::<batch::Entity>(batch::Column::Id, Some(id), now, 500).build(DbBackend::Sqlite),
            "SEARCH batches USING COVERING INDEX sqlite_autoindex_batches_1 (id>? AND id<?)",
        ),
        (
            old_jobs(id, id, now).build(DbBackend::Sqlite),
            "SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (id>? AND id<?)",
        ),
        (
            expired_keys(now, 500).build(DbBackend::Sqlite),
            "SEARCH job_keys USING INDEX job_keys_by_expiry (expires_at<?)",
        ),
        (
            keys_of(&ids, Keys::WithoutTime).build(DbBackend::Sqlite),
            "SEARCH job_keys USING INDEX job_keys_by_holder (holder=?)",
        ),
    ] {
        let plan = plan(&database, statement).await;
        assert!(plan.contains(search), "{search}: {plan}");
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}
