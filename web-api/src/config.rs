//! The settings of `web-api`, read from the environment once, checked as a whole before anything starts.
//! Defaults live here and nowhere else; `.env.example` lists every name, and a test compares the two.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jobs::catalog::FunctionSettings;
use jobs::logging::LogSettings;
use jobs::queue::RedisSettings;
use jobs::settings::{Lookup, Problem, Reader};
use jobs::worker::WorkerSettings;

use crate::auth::settings::AccessSettings;
use crate::db::DatabaseSettings;
use crate::domain::base_path::BasePath;
use crate::services::dispatcher::window::WindowSettings;

/// Shorter would delete what its caller is about to look at.
const SHORTEST_RETENTION: Duration = Duration::from_mins(5);
const LONGEST_RETENTION: Duration = Duration::from_hours(24 * 36_500);
/// Shorter than a caller that tries again may take.
const SHORTEST_KEY: Duration = Duration::from_mins(1);
const LONGEST_KEY: Duration = Duration::from_hours(24 * 365);

/// The most that a limit of a backlog can say.
pub const MOST_BACKLOG: u64 = 1_000_000_000;

/// What the HTTP server, and the roles beside it, need to know.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    pub listen: SocketAddr,
    /// Below which path callers reach it.
    pub base_path: BasePath,
    /// Who may do what.
    pub access: AccessSettings,
    /// The largest body, in bytes.
    pub body_limit: u64,
    /// The same for a batch of jobs.
    pub batch_body_limit: u64,
    /// How long an `Idempotency-Key` is held from its first call on.
    pub idempotency_ttl: Duration,
    /// How long finished jobs and batches are kept; for ever when it is `None`.
    pub retention: Option<Duration>,
    /// The same for entries of the audit log.
    pub audit_retention: Option<Duration>,
    /// How many clients may follow the live feed at the same time.
    pub event_clients: usize,
    /// How much of each queue Redis holds; SQL holds the rest.
    pub window: WindowSettings,
    /// How many schedules there may be.
    pub schedules: u64,
    /// How many jobs may wait in a queue for which nothing else was set; any number when it is `None`.
    pub backlog_limit: Option<u64>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            base_path: BasePath::default(),
            access: AccessSettings::default(),
            body_limit: 1 << 20,
            batch_body_limit: 16 << 20,
            idempotency_ttl: Duration::from_hours(24),
            retention: Some(Duration::from_hours(24 * 30)),
            audit_retention: Some(Duration::from_hours(24 * 90)),
            event_clients: 1_000,
            window: WindowSettings::default(),
            schedules: 1_000,
            backlog_limit: None,
        }
    }
}

impl ServerSettings {
    /// # Errors
    /// Every setting that cannot be used.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(lookup);
        let default = Self::default();
        let access = reader.group(AccessSettings::from_lookup(lookup));
        let idempotency_ttl = reader.duration("SPIRAL_IDEMPOTENCY_TTL", default.idempotency_ttl);
        if !(SHORTEST_KEY..=LONGEST_KEY).contains(&idempotency_ttl) {
            reader.problem("SPIRAL_IDEMPOTENCY_TTL", "must be from 1m to 365d".to_owned());
        }
        let retention = kept_for(&mut reader, "SPIRAL_RETENTION", default.retention);
        let audit_retention = kept_for(&mut reader, "SPIRAL_AUDIT_RETENTION", default.audit_retention);
        let backlog_limit = match reader.optional("SPIRAL_BACKLOG_LIMIT").as_deref() {
            None | Some("0" | "off") => None,
            Some(_) => Some(reader.number("SPIRAL_BACKLOG_LIMIT", 1, 1..=MOST_BACKLOG)),
        };
        let clients = reader.number("SPIRAL_EVENT_CLIENTS", default.event_clients as u64, 1..=100_000);
        let settings = Self {
            listen: reader.parsed("SPIRAL_LISTEN", default.listen),
            base_path: reader.parsed("SPIRAL_BASE_PATH", default.base_path),
            access,
            body_limit: reader.number("SPIRAL_BODY_LIMIT", default.body_limit, 1_024..=64 << 20),
            batch_body_limit: reader.number(
                "SPIRAL_BATCH_BODY_LIMIT",
                default.batch_body_limit,
                1_024..=64 << 20,
            ),
            idempotency_ttl,
            retention,
            audit_retention,
            event_clients: usize::try_from(clients).unwrap_or(default.event_clients),
            window: WindowSettings {
                size: reader.number("SPIRAL_DISPATCH_WINDOW", default.window.size, 100..=10_000_000),
                bytes: reader.number(
                    "SPIRAL_DISPATCH_WINDOW_BYTES",
                    default.window.bytes,
                    (1 << 20)..=(1 << 40),
                ),
                // Read, and its problems told, with the settings of Redis: the workers use it as well.
                horizon: RedisSettings::from_lookup(lookup)
                    .map_or(default.window.horizon, |redis| redis.horizon),
            },
            schedules: reader.number("SPIRAL_SCHEDULES", default.schedules, 0..=100_000),
            backlog_limit,
        };
        reader.finish(settings)
    }

    /// Refuses an address that other machines can reach, as long as everybody there could do everything.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub fn check_exposure(&self) -> Result<(), Exposed> {
        let exposed = !self.is_private() && self.access.is_open();
        if exposed && !self.access.insecure_open {
            return Err(Exposed(self.listen));
        }
        if exposed {
            tracing::warn!(
                address = %self.listen,
                "everybody who reaches this address may do everything, as SPIRAL_INSECURE_OPEN says"
            );
        }
        Ok(())
    }

    /// Whether only this machine can reach the server.
    pub fn is_private(&self) -> bool {
        self.listen.ip().is_loopback()
    }
}

/// An address that other machines can reach, and no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} can be reached from other machines, and without an access token everybody there could do everything. \
     Set SPIRAL_ADMIN_TOKEN to a secret of at least 16 characters (or SPIRAL_ADMIN_TOKEN_FILE to a file with one), or \
     listen on 127.0.0.1. If something else guards this address, SPIRAL_INSECURE_OPEN=true says so."
)]
pub struct Exposed(SocketAddr);

/// How long rows are kept; for ever when it is `off`.
fn kept_for(reader: &mut Reader<'_>, name: &'static str, default: Option<Duration>) -> Option<Duration> {
    let time = match reader.optional(name).as_deref() {
        Some("0" | "off") => None,
        _ => default.map(|time| reader.duration(name, time)),
    };
    if time.is_some_and(|time| !(SHORTEST_RETENTION..=LONGEST_RETENTION).contains(&time)) {
        let message = "must be from 5m to 36500d, or off to keep everything".to_owned();
        reader.problem(name, message);
    }
    time
}

/// Everything that `web-api` serves with.
#[derive(Debug, Clone)]
pub struct Config {
    pub server: ServerSettings,
    pub database: DatabaseSettings,
    pub redis: RedisSettings,
    pub functions: FunctionSettings,
    pub log: LogSettings,
}

impl Config {
    /// # Errors
    /// Every setting that cannot be used.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let server = gather(&mut problems, ServerSettings::from_lookup(lookup));
        let database = gather(&mut problems, DatabaseSettings::from_lookup(lookup));
        let redis = gather(&mut problems, RedisSettings::from_lookup(lookup));
        let functions = gather(&mut problems, FunctionSettings::from_lookup(lookup));
        let log = gather(&mut problems, LogSettings::from_lookup(lookup));
        match (server, database, redis, functions, log) {
            (Some(server), Some(database), Some(redis), Some(functions), Some(log)) => Ok(Self {
                server,
                database,
                redis,
                functions,
                log,
            }),
            _ => Err(problems),
        }
    }
}

/// Everything that the all-in-one mode runs with: there the database and Redis are its own.
#[derive(Debug, Clone)]
pub struct AllInOneConfig {
    pub config: Config,
    pub worker: WorkerSettings,
}

impl AllInOneConfig {
    /// # Errors
    /// Every setting that cannot be used.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        // Whatever the environment says of a database or a Redis is meant for another process.
        let own = |name: &str| match name {
            "SPIRAL_DATABASE_URL" => Some("sqlite://spiral.db".to_owned()),
            "SPIRAL_REDIS_URL" => Some("unix:///redis.sock".to_owned()),
            "SPIRAL_DATABASE_PASSWORD"
            | "SPIRAL_DATABASE_PASSWORD_FILE"
            | "SPIRAL_REDIS_PASSWORD"
            | "SPIRAL_REDIS_PASSWORD_FILE"
            | "SPIRAL_REDIS_TLS_CA_FILE"
            | "SPIRAL_REDIS_TLS_CERTIFICATE_FILE"
            | "SPIRAL_REDIS_TLS_KEY_FILE" => None,
            _ => lookup(name),
        };
        let mut problems = Vec::new();
        let config = gather(&mut problems, Config::from_lookup(&own));
        let worker = gather(&mut problems, WorkerSettings::from_lookup(&own));
        problems.dedup();
        match (config, worker) {
            (Some(config), Some(worker)) => Ok(Self { config, worker }),
            _ => Err(problems),
        }
    }
}

fn gather<T>(problems: &mut Vec<Problem>, group: Result<T, Vec<Problem>>) -> Option<T> {
    match group {
        Ok(settings) => Some(settings),
        Err(found) => {
            for problem in found {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_all_groups_are_told_at_once() {
        let lookup = |name: &str| match name {
            "SPIRAL_LISTEN" => Some("everywhere".to_owned()),
            "SPIRAL_TOKEN" => Some("sesame".to_owned()),
            "SPIRAL_FIBONACCI_MAX_INDEX" => Some("many".to_owned()),
            "SPIRAL_LOG_FORMAT" => Some("xml".to_owned()),
            _ => None,
        };
        let problems = Config::from_lookup(&lookup).unwrap_err();
        let names: Vec<&str> = problems.iter().map(|problem| problem.name).collect();
        let expected = [
            "SPIRAL_TOKEN",
            "SPIRAL_LISTEN",
            "SPIRAL_DATABASE_URL",
            "SPIRAL_FIBONACCI_MAX_INDEX",
            "SPIRAL_LOG_FORMAT",
        ];
        assert_eq!(names, expected);
        assert!(!jobs::settings::explain(&problems).contains("sesame"));
    }

    #[test]
    fn rows_and_keys_are_kept_for_a_sensible_time_or_for_ever() {
        let of = |name: &'static str, text: &str| {
            ServerSettings::from_lookup(&|asked: &str| (asked == name).then(|| text.to_owned()))
        };
        let retention = |text: &str| of("SPIRAL_RETENTION", text).map(|settings| settings.retention);
        assert_eq!(retention(""), Ok(Some(Duration::from_hours(720))));
        assert_eq!(retention("7d"), Ok(Some(Duration::from_hours(168))));
        assert_eq!((retention("off"), retention("0")), (Ok(None), Ok(None)));
        for bad in ["0s", "4m", "99999999d", "never", "30"] {
            assert_eq!(retention(bad).unwrap_err()[0].name, "SPIRAL_RETENTION", "{bad}");
        }
        let held = |text: &str| of("SPIRAL_IDEMPOTENCY_TTL", text).map(|settings| settings.idempotency_ttl);
        assert_eq!(held("1h"), Ok(Duration::from_hours(1)));
        assert!(held("0s").is_err() && held("500d").is_err() && held("off").is_err());
    }

    #[test]
    fn all_in_one_brings_its_own_database_and_redis() {
        let foreign = [
            "SPIRAL_REDIS_URL",
            "SPIRAL_REDIS_PASSWORD",
            "SPIRAL_DATABASE_PASSWORD_FILE",
        ];
        let lookup = |name: &str| foreign.contains(&name).then(|| "nonsense".to_owned());
        let config = AllInOneConfig::from_lookup(&lookup).unwrap();
        assert!(config.config.server.is_private());
        let problems = AllInOneConfig::from_lookup(&|name| (name == "SPIRAL_LEASE").then(|| "x".to_owned()));
        assert_eq!(problems.unwrap_err().len(), 1);
    }
}
