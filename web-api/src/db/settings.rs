//! How the database is reached: parses names and texts into checked values.

use std::{fmt, time::Duration};

use jobs::settings::{Lookup, Problem, Reader};

/// Address and limits of the database.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host/name` or `sqlite://file.db`.
    pub url: String,
    pub max_connections: u32,
    /// How many of them searches, lists and statistics may use at the same time.
    pub search_connections: u32,
    /// Kept open when idle, so that the first request after a quiet hour does not wait.
    pub min_connections: u32,
    /// How long a call waits for a connection: after that, clients get a 503.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
}

impl DatabaseSettings {
    /// The standard limits for the database at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 10,
            search_connections: 4,
            min_connections: 1,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
        }
    }

    /// No call takes longer.
    pub fn limit(&self) -> Duration {
        self.acquire_timeout + self.statement_timeout
    }

    /// Reads `SPIRAL_DATABASE_URL` (or `DATABASE_URL`) and `SPIRAL_DATABASE_*`.
    ///
    /// # Errors
    /// Every problem found, not only the first.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(lookup);
        let url = reader
            .optional("SPIRAL_DATABASE_URL")
            .or_else(|| reader.optional("DATABASE_URL"));
        let password = reader.secret("SPIRAL_DATABASE_PASSWORD", "SPIRAL_DATABASE_PASSWORD_FILE");
        let url = match (url, password) {
            (Some(url), Some(password)) => match migrations::with_password(&url, &password) {
                Ok(whole) => Some(whole),
                Err(reason) => {
                    reader.problem("SPIRAL_DATABASE_PASSWORD", reason.to_owned());
                    Some(url)
                }
            },
            (url, _) => url,
        };
        let url = match url.as_deref().map(migrations::checked_url) {
            Some(Ok(url)) => url,
            Some(Err(error)) => {
                reader.problem("SPIRAL_DATABASE_URL", error.to_string());
                String::new()
            }
            None => {
                let example =
                    "is not set; for example postgres://spiral@localhost/spiral or sqlite://spiral.db";
                reader.problem("SPIRAL_DATABASE_URL", example.to_owned());
                String::new()
            }
        };
        let standard = Self::new(url);
        let connections = u64::from(standard.max_connections);
        let connections = reader.number("SPIRAL_DATABASE_CONNECTIONS", connections, 1..=1_000);
        let searches = u64::from(standard.search_connections);
        let searches = reader.number("SPIRAL_DATABASE_SEARCH_CONNECTIONS", searches, 1..=1_000);
        let acquire_timeout = reader.duration("SPIRAL_DATABASE_ACQUIRE_TIMEOUT", standard.acquire_timeout);
        let statement_timeout =
            reader.duration("SPIRAL_DATABASE_STATEMENT_TIMEOUT", standard.statement_timeout);
        for (name, timeout) in [
            ("SPIRAL_DATABASE_ACQUIRE_TIMEOUT", acquire_timeout),
            ("SPIRAL_DATABASE_STATEMENT_TIMEOUT", statement_timeout),
        ] {
            if timeout.is_zero() {
                reader.problem(name, "must be longer than nothing".to_owned());
            }
        }
        let max_connections = u32::try_from(connections).unwrap_or(u32::MAX);
        reader.finish(Self {
            max_connections,
            search_connections: u32::try_from(searches).unwrap_or(u32::MAX),
            acquire_timeout,
            statement_timeout,
            ..standard
        })
    }
}

/// Without the password.
impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSettings")
            .field("url", &migrations::redacted(&self.url))
            .field("max_connections", &self.max_connections)
            .field("search_connections", &self.search_connections)
            .field("min_connections", &self.min_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_general_name_is_the_fallback() {
        let lookup = |name: &str| (name == "DATABASE_URL").then(|| "postgresql://db/spiral".to_owned());
        assert_eq!(
            DatabaseSettings::from_lookup(&lookup).unwrap().url,
            "postgres://db/spiral"
        );
    }

    #[test]
    fn every_problem_is_told() {
        let lookup = |name: &str| match name {
            "SPIRAL_DATABASE_URL" => Some("mysql://db/spiral".to_owned()),
            "SPIRAL_DATABASE_CONNECTIONS" => Some("0".to_owned()),
            "SPIRAL_DATABASE_STATEMENT_TIMEOUT" => Some("0s".to_owned()),
            _ => None,
        };
        let problems = DatabaseSettings::from_lookup(&lookup).unwrap_err();
        let names: Vec<&str> = problems.iter().map(|problem| problem.name).collect();
        assert_eq!(
            names,
            [
                "SPIRAL_DATABASE_URL",
                "SPIRAL_DATABASE_CONNECTIONS",
                "SPIRAL_DATABASE_STATEMENT_TIMEOUT"
            ]
        );
        assert_eq!(DatabaseSettings::from_lookup(&|_| None).unwrap_err().len(), 1);
    }

    #[test]
    fn a_password_of_its_own_belongs_to_the_url() {
        let with = |url: &'static str| {
            DatabaseSettings::from_lookup(&|name: &str| match name {
                "SPIRAL_DATABASE_URL" => Some(url.to_owned()),
                "SPIRAL_DATABASE_PASSWORD" => Some("secret".to_owned()),
                _ => None,
            })
        };
        let settings = with("postgres://spiral@db/spiral").unwrap();
        assert_eq!(settings.url, "postgres://spiral:secret@db/spiral");
        assert!(!format!("{settings:?}").contains("secret"));
        let problems = with("sqlite://spiral.db").unwrap_err();
        assert_eq!(problems[0].name, "SPIRAL_DATABASE_PASSWORD");
    }

    #[test]
    fn debug_hides_the_password() {
        let settings = DatabaseSettings::new("postgres://spiral:secret@db/spiral");
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
