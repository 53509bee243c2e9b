//! A database for each test, with the real migrations: a new one in the PostgreSQL that `cargo xtask test` starts, or a
//! SQLite file in a folder that goes away with the test.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use jobs::job::{JobId, JobState};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tempfile::TempDir;
use web_api::db::{DatabaseSettings, Store};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestDatabase {
    Postgres,
    Sqlite,
}

pub(crate) struct Database {
    url: String,
    place: Place,
}

enum Place {
    Postgres { server: String, name: String },
    Sqlite(TempDir),
}

impl Database {
    pub(crate) async fn new(kind: TestDatabase) -> Self {
        let database = Self::empty(kind).await;
        let connection = database.connect().await;
        migrations::migrate_up(&connection).await.unwrap();
        connection.close().await.unwrap();
        database
    }

    /// A SQLite file with all tables in a folder of its own inside this one.
    pub(crate) async fn sqlite_in(folder: &Path) -> Self {
        let database = Self::of_file(tempfile::tempdir_in(folder).unwrap());
        let connection = database.connect().await;
        migrations::migrate_up(&connection).await.unwrap();
        connection.close().await.unwrap();
        database
    }

    fn of_file(folder: TempDir) -> Self {
        let url = format!("sqlite://{}", folder.path().join("spiral.db").display());
        Self {
            url,
            place: Place::Sqlite(folder),
        }
    }

    /// Without any table.
    pub(crate) async fn empty(kind: TestDatabase) -> Self {
        match kind {
            TestDatabase::Postgres => {
                let server = server_url();
                let name = format!("test_{}", JobId::new().to_string().to_lowercase());
                let admin = migrations::connect(&server, Duration::from_secs(10))
                    .await
                    .unwrap();
                admin
                    .execute_unprepared(&format!("CREATE DATABASE {name}"))
                    .await
                    .unwrap();
                admin.close().await.unwrap();
                let (authority, _) = server.rsplit_once('/').unwrap();
                Self {
                    url: format!("{authority}/{name}"),
                    place: Place::Postgres { server, name },
                }
            }
            TestDatabase::Sqlite => Self::of_file(tempfile::tempdir().unwrap()),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Host and port of the server, for a proxy in front of it.
    pub(crate) fn address(&self) -> String {
        let (_, rest) = self.url.split_once("://").unwrap();
        let authority = rest.split('/').next().unwrap();
        authority.rsplit('@').next().unwrap().to_owned()
    }

    pub(crate) fn file(&self) -> PathBuf {
        let Place::Sqlite(folder) = &self.place else {
            panic!("PostgreSQL has no file of its own")
        };
        folder.path().join("spiral.db")
    }

    pub(crate) fn settings(&self) -> DatabaseSettings {
        DatabaseSettings {
            // Of which five may be used for requests at the same time.
            max_connections: 8,
            ..DatabaseSettings::new(self.url.clone())
        }
    }

    pub(crate) async fn store(&self) -> Store {
        Store::connect(&self.settings()).await.unwrap()
    }

    /// A connection of its own, for looking behind the store.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        migrations::connect(&self.url, Duration::from_secs(10))
            .await
            .unwrap()
    }
}

/// How many jobs are in this state. Whoever reads thousands of rows again and again is the one who is waited for.
pub(crate) async fn count_jobs(connection: &DatabaseConnection, state: JobState) -> u64 {
    let query = format!("SELECT COUNT(*) FROM jobs WHERE state = '{state}'");
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    u64::try_from(row.try_get_by_index::<i64>(0).unwrap()).unwrap()
}

/// Waits until so many jobs have completed.
pub(crate) async fn until_completed(database: &Database, count: u64) {
    let connection = database.connect().await;
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let done = count_jobs(&connection, JobState::Completed).await;
        if done == count {
            return;
        }
        assert!(Instant::now() < deadline, "{done} of {count} jobs have completed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Place::Postgres { server, name } = &self.place else {
            return;
        };
        let (server, name) = (server.clone(), name.clone());
        // The test's own runtime cannot be waited for in a drop.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let Ok(admin) = migrations::connect(&server, Duration::ZERO).await else {
                    return;
                };
                admin
                    .execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)"))
                    .await
                    .ok();
            });
        });
        dropping.join().ok();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how `cargo xtask test` tells tests where its PostgreSQL is"
)]
fn server_url() -> String {
    std::env::var("SPIRAL_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "this test needs PostgreSQL: run `cargo xtask test`, which starts one, or set SPIRAL_TEST_POSTGRES_URL \
             to a server on which databases may be created"
        )
    })
}
