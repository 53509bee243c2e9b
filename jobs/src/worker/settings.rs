//! How a worker process is set up.

use std::time::Duration;

use crate::job::{JobId, ParseError, QueueName};
use crate::queue::RedisSettings;
use crate::settings::{Lookup, Problem, Reader};

/// How a worker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    pub redis: RedisSettings,
    /// Jobs that run at the same time in this process.
    pub concurrency: usize,
    /// How long Redis keeps this worker's jobs for it after its last heartbeat.
    pub lease: Duration,
    /// How long running jobs may go on after the order to stop; after that they are given back.
    pub grace: Duration,
    /// What the worker is called; a part that is new with every start is added.
    pub name: String,
    /// The queues that it serves; none named means all.
    pub queues: Vec<QueueName>,
    /// Asks its queues in their order, a later one only when the earlier ones are empty. Otherwise by weight.
    pub strict_order: bool,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            redis: RedisSettings::default(),
            concurrency: 100,
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(25),
            name: "worker".to_owned(),
            queues: Vec::new(),
            strict_order: false,
        }
    }
}

impl WorkerSettings {
    /// # Errors
    /// Every setting that cannot be used.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(lookup);
        let default = Self::default();
        let concurrency = reader.number("SPIRAL_CONCURRENCY", default.concurrency as u64, 1..=5_000);
        let host = reader.optional("HOSTNAME").unwrap_or(default.name);
        let settings = Self {
            redis: reader.group(RedisSettings::from_lookup(lookup)),
            concurrency: usize::try_from(concurrency).unwrap_or(default.concurrency),
            lease: reader.duration("SPIRAL_LEASE", default.lease),
            grace: reader.duration("SPIRAL_GRACE", default.grace),
            name: reader.text("SPIRAL_WORKER_NAME", &host),
            queues: served(&mut reader),
            strict_order: strict_order(&mut reader),
        };
        if settings.lease < settings.redis.timeout {
            let message = format!(
                "must not be shorter than SPIRAL_REDIS_TIMEOUT ({:?}), or a slow answer costs the lease",
                settings.redis.timeout
            );
            reader.problem("SPIRAL_LEASE", message);
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if settings.name.len() > 100 || !settings.name.chars().all(legal) {
            let message = format!("{:?} is not up to 100 letters, digits, -, _ and .", settings.name);
            reader.problem("SPIRAL_WORKER_NAME", message);
        }
        reader.finish(settings)
    }

    /// Those of `known` that it serves, in their order.
    ///
    /// # Errors
    /// The first one that is to be served and is not known: jobs would never come to it.
    pub(crate) fn serves(&self, known: Vec<(QueueName, u32)>) -> Result<Vec<(QueueName, u32)>, ParseError> {
        if self.queues.is_empty() {
            return Ok(known);
        }
        for queue in &self.queues {
            if !known.iter().any(|(name, _)| name == queue) {
                let expected = "a queue that a function or SPIRAL_QUEUES names (SPIRAL_WORKER_QUEUES)";
                return Err(ParseError::new(queue.as_str(), expected));
            }
        }
        let served = known.into_iter().filter(|(name, _)| self.queues.contains(name));
        Ok(served.collect())
    }

    /// A name that no other process ever had: Redis distinguishes workers by it.
    pub(crate) fn unique_name(&self) -> String {
        let id = JobId::new().to_string();
        format!("{}-{}-{}", self.name, std::process::id(), &id[id.len() - 6..])
    }

    /// Whether a process of these settings may have given itself this name.
    pub(crate) fn is_name_of(&self, worker: &str) -> bool {
        let own = worker
            .strip_prefix(&self.name)
            .and_then(|rest| rest.strip_prefix('-'));
        own.and_then(|rest| rest.split_once('-'))
            .is_some_and(|(process, start)| {
                process.bytes().all(|byte| byte.is_ascii_digit()) && !start.contains('-')
            })
    }
}

fn served(reader: &mut Reader<'_>) -> Vec<QueueName> {
    const NAME: &str = "SPIRAL_WORKER_QUEUES";
    let text = reader.text(NAME, "");
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    match names.map(str::parse).collect() {
        Ok(queues) => queues,
        Err(error) => {
            let error: ParseError = error;
            reader.problem(NAME, error.to_string());
            Vec::new()
        }
    }
}

fn strict_order(reader: &mut Reader<'_>) -> bool {
    const NAME: &str = "SPIRAL_QUEUE_ORDER";
    match reader.text(NAME, "weighted").as_str() {
        "weighted" => false,
        "strict" => true,
        text => {
            reader.problem(NAME, format!("{text:?} is neither weighted nor strict"));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_may_serve_some_queues_and_not_unknown_ones() {
        let known = || {
            ["critical", "default", "low"]
                .map(|name| (name.parse().unwrap(), 1))
                .to_vec()
        };
        let settings = |queues: &'static str| {
            let lookup = move |name: &str| (name == "SPIRAL_WORKER_QUEUES").then(|| queues.to_owned());
            WorkerSettings::from_lookup(&lookup)
        };
        assert_eq!(settings("").unwrap().serves(known()).unwrap(), known());
        let some = settings("low, critical").unwrap().serves(known()).unwrap();
        let some: Vec<&str> = some.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(some, ["critical", "low"]);
        assert!(settings("mail").unwrap().serves(known()).is_err());
        assert!(settings("No!").is_err());
    }

    #[test]
    fn settings_that_contradict_each_other_are_reported() {
        let lookup = |name: &str| match name {
            "SPIRAL_LEASE" => Some("1s".to_owned()),
            "SPIRAL_CONCURRENCY" => Some("0".to_owned()),
            "SPIRAL_REDIS_URL" => Some("http://secret@example.org".to_owned()),
            _ => None,
        };
        let problems = WorkerSettings::from_lookup(&lookup).unwrap_err();
        let mut names: Vec<&str> = problems.iter().map(|problem| problem.name).collect();
        names.sort_unstable();
        assert_eq!(names, ["SPIRAL_CONCURRENCY", "SPIRAL_LEASE", "SPIRAL_REDIS_URL"]);
        assert!(!format!("{problems:?}").contains("secret"));
    }

    #[test]
    fn two_starts_never_share_a_name() {
        let settings = WorkerSettings::default();
        assert_ne!(settings.unique_name(), settings.unique_name());
    }

    #[test]
    fn a_worker_is_distinguished_from_others_with_similar_names() {
        let named = |name: &str| WorkerSettings {
            name: name.to_owned(),
            ..WorkerSettings::default()
        };
        assert!(named("mail").is_name_of(&named("mail").unique_name()));
        assert!(named("mail-2").is_name_of(&named("mail-2").unique_name()));
        assert!(!named("mail").is_name_of(&named("mail-2").unique_name()));
        assert!(!named("mail").is_name_of(&named("mailer").unique_name()));
    }
}
