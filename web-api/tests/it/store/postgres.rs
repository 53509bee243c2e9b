//! What is so with PostgreSQL alone.

use super::*;

/// With many finished rows around, and beyond the five executions after which PostgreSQL may plan without the values.
#[tokio::test]
async fn postgres_walks_what_redis_should_hold_by_its_partial_index() {
    let database = Database::new(TestDatabase::Postgres).await;
    let store = Store::connect(&DatabaseSettings {
        max_connections: 1,
        ..database.settings()
    })
    .await
    .unwrap();
    let new: Vec<NewJob> = (0..3_000).map(|index| dispatched(new_job(index))).collect();
    for new in new.chunks(500) {
        store.job_insert_many(new).await.unwrap();
    }
    let done = new[20..].iter().map(|job| finished(job.id, 1)).collect();
    store.job_apply_events(&[batch(done)]).await.unwrap();
    let admin = database.connect().await;
    admin.execute_unprepared("VACUUM ANALYZE jobs").await.unwrap();
    let before = scans(&admin).await;
    for _ in 0..10 {
        assert_eq!(
            store.job_dispatched(Some(new[9].id), 500).await.unwrap().len(),
            10
        );
    }
    // Counts are passed on when a connection ends, or a moment later.
    store.close().await.unwrap();
    let counted = async || (scans(&admin).await >= before + 10).then_some(());
    eventually("each of the ten walks used the index", counted).await;
}

async fn scans(database: &DatabaseConnection) -> i64 {
    let query = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'jobs_dispatched'";
    let row = database
        .query_one_raw(Statement::from_string(DbBackend::Postgres, query))
        .await
        .unwrap();
    row.unwrap().try_get("", "idx_scan").unwrap()
}

#[tokio::test]
async fn postgres_that_is_away_fails_fast_and_comes_back_by_itself() {
    let database = Database::new(TestDatabase::Postgres).await;
    let proxy = Proxy::to(database.address()).await;
    proxy.cut();
    let settings = DatabaseSettings {
        acquire_timeout: Duration::from_millis(500),
        statement_timeout: Duration::from_millis(500),
        ..DatabaseSettings::new(proxy.url(database.url(), &database.address()))
    };
    // It starts without its database.
    let store = Store::connect(&settings).await.unwrap();
    assert_away(&store).await;
    proxy.restore();
    let works = async || store.ping().await.ok();
    eventually("the store works when the database is there", works).await;
    store.job_insert_many(&[new_job(1)]).await.unwrap();

    proxy.cut();
    assert_away(&store).await;
    proxy.restore();
    eventually("the store works again", works).await;

    // A network that swallows everything: no error ever comes, so the limit is the store's own.
    proxy.silence();
    assert_away(&store).await;
    proxy.restore();
    eventually("the store works again", works).await;
    assert_eq!(unfinished(&store, None).await.len(), 1);
}
