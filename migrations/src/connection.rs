//! A connection for migrating: waits a bounded time for a database that is still starting.
//!
//! It has no statement timeout, since building an index on a big table may take its time.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr,
    sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions},
};

/// Between two attempts to reach the database.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How long a SQLite writer waits for another one, here another migration.
const SQLITE_BUSY: Duration = Duration::from_mins(1);

/// A URL that names no database that Spiral can use. The text has no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{shown:?} is not the URL of a PostgreSQL or SQLite database, such as \
     postgres://spiral@localhost/spiral or sqlite://spiral.db"
)]
pub struct UrlError {
    shown: String,
}

/// Why there is no connection. The URL in the text has no password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error("the database at {url} was not reachable within {} s", .waited.as_secs())]
    Away {
        url: String,
        waited: Duration,
        #[source]
        source: DbErr,
    },
    #[error("the database at {url} refuses the connection")]
    Refused {
        url: String,
        #[source]
        source: DbErr,
    },
}

/// The URL as the driver wants it: `postgresql://` is a common spelling that `sea-orm` does not know.
pub fn checked_url(url: &str) -> Result<String, UrlError> {
    let normal = match url.strip_prefix("postgresql://") {
        Some(rest) => format!("postgres://{rest}"),
        None => url.to_owned(),
    };
    let usable = normal.starts_with("postgres://") && normal.parse::<PgConnectOptions>().is_ok()
        || normal.starts_with("sqlite:") && normal.parse::<SqliteConnectOptions>().is_ok();
    if usable {
        Ok(normal)
    } else {
        Err(UrlError { shown: redacted(url) })
    }
}

/// The URL with a password that came apart from it.
///
/// # Errors
/// Why it cannot have this one, in words that do not hold it.
pub fn with_password(url: &str, password: &str) -> Result<String, &'static str> {
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| scheme.starts_with("postgres"))
        .ok_or("goes with a postgres:// address alone")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, host) = authority
        .rsplit_once('@')
        .filter(|(user, _)| !user.is_empty())
        .ok_or("belongs to a user, whom the address has to name: postgres://user@host/name")?;
    if user.contains(':') {
        return Err("is set, and the address of the database has a password as well: take one of them");
    }
    let mut encoded = String::with_capacity(password.len());
    for byte in password.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(encoded, "%{byte:02X}").ok();
        }
    }
    Ok(format!("{scheme}://{user}:{encoded}@{host}{tail}"))
}

/// Connects, and keeps trying for `wait` while the database cannot be reached.
///
/// # Errors
/// At once for what waiting does not mend (an unknown scheme, a wrong password, no such database).
pub async fn connect(url: &str, wait: Duration) -> Result<DatabaseConnection, ConnectError> {
    let mut options = ConnectOptions::new(checked_url(url)?);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .set_application_name("spiral-migrate")
        .map_sqlx_sqlite_opts(|sqlite| sqlite.create_if_missing(true).busy_timeout(SQLITE_BUSY));
    let start = Instant::now();
    loop {
        let left = wait.saturating_sub(start.elapsed());
        // The pool tries again by itself within this time, but only when the connection is refused.
        options.acquire_timeout(left.clamp(RETRY_PAUSE, Duration::from_secs(5)));
        let error = match Database::connect(options.clone()).await {
            Ok(database) => match database.ping().await {
                Ok(()) => return Ok(database),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let url = redacted(url);
        if !may_pass(&error) {
            return Err(ConnectError::Refused { url, source: error });
        }
        if start.elapsed() >= wait {
            return Err(ConnectError::Away {
                url,
                waited: wait,
                source: error,
            });
        }
        tracing::info!(%url, %error, "the database is not there yet: waiting");
        tokio::time::sleep(RETRY_PAUSE.min(wait.saturating_sub(start.elapsed()))).await;
    }
}

/// Whether the same attempt may succeed a moment later.
fn may_pass(error: &DbErr) -> bool {
    // PostgreSQL says the first three while it starts or stops, or has no connection left.
    const PASSING: [&str; 7] = [
        "starting up",
        "shutting down",
        "too many clients",
        "error communicating with database",
        "os error",
        "timed out",
        "database is locked",
    ];
    let text = error.to_string();
    matches!(error, DbErr::ConnectionAcquire(_))
        || matches!(error, DbErr::Conn(_) | DbErr::Query(_) | DbErr::Exec(_))
            && PASSING.iter().any(|mark| text.contains(mark))
}

/// The URL without its password, for messages.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // Everything up to the last @ is user and password: a raw @ in a password is a common slip.
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}@{host}{}", without_password_parameter(tail))
        }
        None => format!("{scheme}://{authority}{}", without_password_parameter(tail)),
    }
}

fn without_password_parameter(tail: &str) -> String {
    let Some((path, query)) = tail.split_once('?') else {
        return tail.to_owned();
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.starts_with("password="))
        .collect();
    if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", kept.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_left_out() {
        for (url, shown) in [
            (
                "postgres://spiral:secret@db:5432/spiral",
                "postgres://spiral@db:5432/spiral",
            ),
            ("postgres://spiral:p@ss@db/spiral", "postgres://spiral@db/spiral"),
            (
                "postgres://db/spiral?user=a&password=secret",
                "postgres://db/spiral?user=a",
            ),
            ("postgres://db/spiral?password=secret", "postgres://db/spiral"),
            (
                "sqlite:///var/lib/spiral.db?mode=rwc",
                "sqlite:///var/lib/spiral.db?mode=rwc",
            ),
            ("sqlite::memory:", "sqlite::memory:"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn a_password_of_its_own_is_put_into_the_url() {
        let odd = "p@ss:w/rd%?#ä";
        let url = with_password("postgres://spiral@db:5432/jobs?sslmode=disable", odd).unwrap();
        assert_eq!(
            url,
            "postgres://spiral:p%40ss%3Aw%2Frd%25%3F%23%C3%A4@db:5432/jobs?sslmode=disable"
        );
        assert!(checked_url(&url).is_ok());
        assert_eq!(redacted(&url), "postgres://spiral@db:5432/jobs?sslmode=disable");
        for (url, said) in [
            ("postgres://spiral:old@db/jobs", "as well"),
            ("postgres://db/jobs", "name"),
            ("sqlite://jobs.db", "postgres://"),
        ] {
            let reason = with_password(url, "secret").unwrap_err();
            assert!(reason.contains(said) && !reason.contains("secret"), "{reason}");
        }
    }

    #[tokio::test]
    async fn a_url_that_cannot_work_is_refused_at_once() {
        for url in [
            "mysql://root@db/spiral",
            "spiral.db",
            "postgres://spiral:secret@db:port/spiral",
            "",
        ] {
            let error = connect(url, Duration::from_mins(1)).await.unwrap_err();
            assert!(matches!(error, ConnectError::Url(_)), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert_eq!(
            checked_url("postgresql://db/spiral").unwrap(),
            "postgres://db/spiral"
        );
    }

    #[tokio::test]
    async fn waits_no_longer_than_asked() {
        let start = Instant::now();
        // Port 1 refuses.
        let error = connect(
            "postgres://spiral:secret@127.0.0.1:1/spiral",
            Duration::from_millis(800),
        )
        .await
        .unwrap_err();
        assert!(matches!(error, ConnectError::Away { .. }), "{error:?}");
        assert!(start.elapsed() >= Duration::from_millis(800));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!(!error.to_string().contains("secret"));
    }
}
