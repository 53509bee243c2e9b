//! An empty database for each test.

pub(crate) mod pgbouncer;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tempfile::TempDir;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestDatabase {
    Postgres,
    Sqlite,
}

pub(crate) struct Database {
    pub(crate) url: String,
    place: Place,
}

enum Place {
    Postgres { server: String, name: String },
    Sqlite(TempDir),
}

impl Database {
    pub(crate) async fn new(kind: TestDatabase) -> Self {
        match kind {
            TestDatabase::Postgres => {
                let server = server_url();
                let name = unique_name();
                admin(&server, &format!("CREATE DATABASE {name}")).await;
                let (authority, _) = server.rsplit_once('/').unwrap();
                Self {
                    url: format!("{authority}/{name}"),
                    place: Place::Postgres { server, name },
                }
            }
            TestDatabase::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", folder.path().join("spiral.db").display());
                Self {
                    url,
                    place: Place::Sqlite(folder),
                }
            }
        }
    }

    pub(crate) async fn connect(&self) -> DatabaseConnection {
        migrations::connect(&self.url, Duration::from_secs(10))
            .await
            .unwrap()
    }

    pub(crate) async fn remove(self) {
        match self.place {
            Place::Postgres { server, name } => {
                admin(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
            Place::Sqlite(folder) => folder.close().unwrap(),
        }
    }
}

async fn admin(server: &str, statement: &str) {
    let admin = migrations::connect(server, Duration::from_secs(10))
        .await
        .unwrap();
    admin.execute_unprepared(statement).await.unwrap();
    admin.close().await.unwrap();
}

fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("migrate_{}_{now}_{count}", std::process::id())
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

/// Makes each function a module with one test for each database: `name::postgres` and `name::sqlite`.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test(kind: TestDatabase) {
                let $database = Database::new(kind).await;
                $body
                $database.remove().await;
            }

            $(#[$meta])*
            #[tokio::test]
            async fn postgres() {
                test(TestDatabase::Postgres).await;
            }

            $(#[$meta])*
            #[tokio::test]
            async fn sqlite() {
                test(TestDatabase::Sqlite).await;
            }
        }
    )+};
}
pub(crate) use on_both_databases;
