//! The `migrate` binary: what it prints and how it ends.

use std::process::Output;

use sea_orm::ConnectionTrait;
use tokio::process::Command;

use crate::support::{Database, TestDatabase, on_both_databases};

async fn migrate(url: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_migrate"))
        .args(arguments)
        .env_clear()
        .env("SPIRAL_DATABASE_URL", url)
        .output()
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

on_both_databases! {
    async fn up_status_down(database) {
        let connection = database.connect().await;
        let names: Vec<String> =
            migrations::status(&connection).await.unwrap().into_iter().map(|migration| migration.name).collect();
        connection.close().await.unwrap();
        let count = names.len();
        let status = migrate(&database.url, &["status"]).await;
        assert_eq!(status.status.code(), Some(4), "{status:?}");
        assert!(text(&status.stdout).contains("pending  m20261123_000001_create_jobs"), "{status:?}");
        assert!(text(&status.stdout).contains(&format!("{count} of {count} not applied: run `migrate up`")), "{status:?}");

        let up = migrate(&database.url, &["up"]).await;
        assert_eq!(up.status.code(), Some(0), "{up:?}");
        assert!(text(&up.stdout).starts_with("applied m20261123_000001_create_jobs\n"), "{up:?}");
        assert!(text(&up.stdout).ends_with(&format!("is up to date, {count} migrations applied\n")), "{up:?}");
        let again = migrate(&database.url, &["up"]).await;
        assert_eq!(again.status.code(), Some(0));
        assert!(text(&again.stdout).ends_with("is up to date, nothing to do\n"), "{again:?}");

        let status = migrate(&database.url, &["status"]).await;
        assert_eq!(status.status.code(), Some(0), "{status:?}");
        assert!(!text(&status.stdout).contains("pending"), "{status:?}");

        let down = migrate(&database.url, &["down"]).await;
        let (last, others) = names.split_last().unwrap();
        assert_eq!(text(&down.stdout), format!("took back {last}\n"));
        let down = migrate(&database.url, &["down", "500"]).await;
        let taken_back: Vec<String> = others.iter().rev().map(|name| format!("took back {name}\n")).collect();
        assert_eq!(text(&down.stdout), taken_back.concat());
        let down = migrate(&database.url, &["down"]).await;
        assert_eq!(down.status.code(), Some(0));
        assert!(text(&down.stdout).ends_with("has no migration to take back\n"), "{down:?}");
    }

    async fn the_role_of_the_api_gets_its_rights(database) {
        let migrate = |settings: &[(&'static str, &'static str)]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
            command.arg("up").env_clear().env("SPIRAL_DATABASE_URL", &database.url);
            command.envs(settings.iter().copied());
            async move { command.output().await.unwrap() }
        };
        let role = ("SPIRAL_DATABASE_API_ROLE", "nobody_of_this_name");
        let without = migrate(&[role]).await;
        assert_eq!(without.status.code(), Some(1), "{without:?}");
        let told = text(&without.stderr);
        if database.url.starts_with("sqlite") {
            assert!(told.contains("only PostgreSQL has roles"), "{told}");
        } else {
            assert!(told.contains("there is no role nobody_of_this_name: give it a password"), "{told}");
        }
        let unreadable = migrate(&[role, ("SPIRAL_DATABASE_API_PASSWORD_FILE", "/nowhere")]).await;
        let told = text(&unreadable.stderr);
        assert!(told.contains("SPIRAL_DATABASE_API_PASSWORD_FILE: the file /nowhere cannot be read"), "{told}");
    }

    async fn three_processes_at_once(database) {
        let runs = futures::future::join_all((0..3).map(|_| migrate(&database.url, &["up"]))).await;
        for run in &runs {
            assert_eq!(run.status.code(), Some(0), "{runs:?}");
        }
        let worked = runs.iter().filter(|run| text(&run.stdout).contains("applied m2026")).count();
        assert_eq!(worked, 1, "{runs:?}");
    }
}

#[tokio::test]
async fn waits_for_a_database_that_is_late() {
    let database = Database::new(TestDatabase::Postgres).await;
    let server = database
        .url
        .split('@')
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    // A port on which nobody listens, until somebody does.
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let url = database.url.replace(&server, &address.to_string());
    let late = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = tokio::net::TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    };
    let up = tokio::select! {
        up = migrate(&url, &["up", "--wait", "20"]) => up,
        () = late => panic!("the listener ended"),
    };
    assert_eq!(up.status.code(), Some(0), "{up:?}");
    database.remove().await;
}

#[tokio::test]
async fn a_password_may_come_apart_from_the_url() {
    let database = Database::new(TestDatabase::Postgres).await;
    let (login, rest) = database.url.split_once('@').unwrap();
    let (user, password) = login.rsplit_once(':').unwrap();
    let without = format!("{user}@{rest}");
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("password");
    std::fs::write(&secret, format!("{password}\n")).unwrap();
    let run = async |name: &str, value: &std::ffi::OsStr| {
        Command::new(env!("CARGO_BIN_EXE_migrate"))
            .args(["status", "--wait", "0"])
            .env_clear()
            .env("SPIRAL_DATABASE_URL", &without)
            .env(name, value)
            .output()
            .await
            .unwrap()
    };
    let status = run("SPIRAL_DATABASE_PASSWORD_FILE", secret.as_os_str()).await;
    assert_eq!(status.status.code(), Some(4), "{status:?}");
    let status = run("SPIRAL_DATABASE_PASSWORD", password.as_ref()).await;
    assert_eq!(status.status.code(), Some(4), "{status:?}");
    let wrong = run("SPIRAL_DATABASE_PASSWORD", "opensesame".as_ref()).await;
    assert_eq!(wrong.status.code(), Some(1));
    let message = text(&wrong.stderr);
    assert!(
        message.contains("password authentication failed") && !message.contains("opensesame"),
        "{message}"
    );
    let none = run(
        "SPIRAL_DATABASE_PASSWORD_FILE",
        folder.path().join("none").as_os_str(),
    )
    .await;
    assert!(text(&none.stderr).contains("cannot be read"), "{none:?}");
    database.remove().await;
}

#[tokio::test]
async fn says_what_is_wrong() {
    let away = migrate(
        "postgres://spiral:secret@127.0.0.1:1/spiral",
        &["up", "--wait", "1"],
    )
    .await;
    assert_eq!(away.status.code(), Some(3));
    let message = text(&away.stderr);
    assert!(
        message.starts_with(
            "migrate: the database at postgres://spiral@127.0.0.1:1/spiral was not reachable within 1 s"
        ),
        "{message}"
    );
    assert!(!message.contains("secret"), "{message}");

    let foreign = migrate("mysql://root@db/spiral", &["up"]).await;
    assert_eq!(foreign.status.code(), Some(1));
    assert!(
        text(&foreign.stderr).contains("is not the URL of a PostgreSQL or SQLite database"),
        "{foreign:?}"
    );

    let unset = migrate("", &["status"]).await;
    assert_eq!(unset.status.code(), Some(1));
    assert!(
        text(&unset.stderr).contains("SPIRAL_DATABASE_URL is not set"),
        "{unset:?}"
    );

    let usage = migrate("sqlite::memory:", &["sideways"]).await;
    assert_eq!(usage.status.code(), Some(2));

    let database = Database::new(TestDatabase::Postgres).await;
    let missing = migrate(&format!("{}_missing", database.url), &["up"]).await;
    assert_eq!(
        missing.status.code(),
        Some(1),
        "waiting does not create a database: {missing:?}"
    );
    assert!(text(&missing.stderr).contains("does not exist"), "{missing:?}");
    database.remove().await;
}

/// What a deployment's hook goes by after a rollback.
#[tokio::test]
async fn a_newer_schema_has_an_exit_code_of_its_own() {
    for kind in [TestDatabase::Postgres, TestDatabase::Sqlite] {
        let database = Database::new(kind).await;
        let connection = database.connect().await;
        migrations::migrate_up(&connection).await.unwrap();
        connection
            .execute_unprepared(
                "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_newer', 0)",
            )
            .await
            .unwrap();
        connection.close().await.unwrap();
        let up = migrate(&database.url, &["up"]).await;
        assert_eq!(up.status.code(), Some(5), "{up:?}");
        assert!(text(&up.stderr).contains("newer than this build"), "{up:?}");
        database.remove().await;
    }
}
