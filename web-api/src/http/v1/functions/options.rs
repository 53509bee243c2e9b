//! The options of a call: the fields beside its input, with their limits.

use std::time::Duration;

use ::jobs::clock;
use chrono::{DateTime, Utc};
use jobs::backoff::Backoff;
use jobs::job::{Priority, QueueName};
use serde_json::{Map, Value};

use crate::db::jobs::{NewJob, Unique};
use crate::domain::tag::{self, Tag};
use crate::http::extract::json::Fields;
use crate::services::enqueuer::KEY_MAX;

/// How far ahead a job may be scheduled, and the longest wait between attempts, in seconds.
const A_YEAR: u64 = 31_536_000;
const A_DAY: u64 = 86_400;
/// The largest number of fixed waits.
const MOST_WAITS: usize = 100;
/// The longest fairness key, in characters.
const FAIRNESS_KEY_MAX: usize = 128;

/// The options of a call. An absent option takes the function's policy.
#[derive(Debug, Default)]
pub(crate) struct CallOptions {
    pub(crate) max_attempts: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) run_at: Option<DateTime<Utc>>,
    pub(crate) delay_seconds: Option<u64>,
    pub(crate) queue: Option<QueueName>,
    pub(crate) priority: Option<Priority>,
    pub(crate) fairness_key: Option<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) unique: Option<Unique>,
}

impl CallOptions {
    /// Takes the options out of a body, and notes errors there. `queues` are the known queues.
    pub(crate) fn take(fields: &mut Fields, queues: &[QueueName]) -> Self {
        let options = Self {
            max_attempts: fields.number("max_attempts", 1, 100).and_then(narrowed),
            timeout: fields
                .decimal("timeout_seconds", 0.1, 86_400.0)
                .map(Duration::from_secs_f64),
            backoff: backoff(fields),
            run_at: fields.time("run_at"),
            delay_seconds: fields.number("delay_seconds", 0, A_YEAR),
            queue: queue(fields, queues),
            priority: fields
                .number("priority", 1, 9)
                .and_then(narrowed::<u8>)
                .and_then(|number| Priority::try_from(number).ok()),
            fairness_key: fields.short_text("fairness_key", FAIRNESS_KEY_MAX),
            tags: tags(fields),
            unique: unique(fields),
        };
        if options.run_at.is_some() && options.delay_seconds.is_some() {
            fields.wrong("/delay_seconds", "must not be sent together with run_at");
        }
        let ahead = options
            .run_at
            .map(|at| at.signed_duration_since(clock::now()).num_seconds());
        if ahead.is_some_and(|seconds| seconds > A_YEAR.cast_signed()) {
            fields.wrong("/run_at", "must be within a year from now");
        }
        options
    }

    /// The job with these options.
    pub(crate) fn apply(self, job: NewJob) -> NewJob {
        let after_delay = self.delay_seconds.and_then(|seconds| {
            clock::now().checked_add_signed(chrono::Duration::try_seconds(i64::try_from(seconds).ok()?)?)
        });
        NewJob {
            max_attempts: self.max_attempts.unwrap_or(job.max_attempts),
            timeout: self.timeout.unwrap_or(job.timeout),
            backoff: self.backoff.or(job.backoff),
            run_at: self.run_at.or(after_delay),
            queue: self.queue.unwrap_or(job.queue),
            priority: self.priority.unwrap_or(job.priority),
            fairness_key: self.fairness_key.or(job.fairness_key),
            tags: self.tags,
            unique: self.unique.or(job.unique),
            ..job
        }
    }
}

fn narrowed<T: TryFrom<u64>>(number: u64) -> Option<T> {
    T::try_from(number).ok()
}

fn unique(fields: &mut Fields) -> Option<Unique> {
    let key = fields.short_text("unique_key", KEY_MAX);
    let held_for = fields.number("unique_for_seconds", 1, A_YEAR);
    if held_for.is_some() && key.is_none() {
        fields.wrong("/unique_for_seconds", "must not be sent without unique_key");
    }
    key.map(|key| Unique {
        key,
        held_for: held_for.map(Duration::from_secs),
    })
}

/// Without repetitions.
fn tags(fields: &mut Fields) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    let given = fields.array("tags").unwrap_or_default();
    if given.len() > tag::MOST {
        fields.wrong("/tags", format!("must have at most {} tags", tag::MOST));
        return tags;
    }
    for (place, value) in given.iter().enumerate() {
        match value.as_str().as_deref().map(str::parse::<Tag>) {
            Some(Ok(tag)) if tags.contains(&tag) => {}
            Some(Ok(tag)) => tags.push(tag),
            Some(Err(error)) => fields.wrong(format!("/tags/{place}"), error.to_string()),
            None => fields.wrong(format!("/tags/{place}"), "must be a text"),
        }
    }
    tags
}

fn queue(fields: &mut Fields, queues: &[QueueName]) -> Option<QueueName> {
    let text = fields.short_text("queue", 64)?;
    let known = queues.iter().find(|queue| queue.as_str() == text).cloned();
    if known.is_none() {
        let names: Vec<&str> = queues.iter().map(QueueName::as_str).collect();
        let message = format!(
            "must be one of {}: SPIRAL_QUEUES declares others",
            names.join(", ")
        );
        fields.wrong("/queue", message);
    }
    known
}

/// `{"exponential": {"base_seconds": 2, "cap_seconds": 600}}` or `{"fixed_seconds": [1, 5, 30]}`.
fn backoff(fields: &mut Fields) -> Option<Backoff> {
    let value = fields.any("backoff").filter(|value| !value.is_null())?;
    let read = value.as_object().and_then(read_backoff);
    if read.is_none() {
        fields.wrong(
            "/backoff",
            "must be {\"fixed_seconds\": [1, 5, 30]} or {\"exponential\": {\"base_seconds\": 2, \"cap_seconds\": 600}}, \
             with waits from 0 to 86,400 seconds and at most 100 of them",
        );
    }
    read
}

fn read_backoff(value: &Map<String, Value>) -> Option<Backoff> {
    let mut entries = value.iter();
    let (name, value) = entries.next().filter(|_| entries.len() == 0)?;
    match name.as_str() {
        "fixed_seconds" => {
            let waits = value
                .as_array()
                .filter(|waits| (1..=MOST_WAITS).contains(&waits.len()))?;
            waits
                .iter()
                .map(seconds)
                .collect::<Option<_>>()
                .map(Backoff::Fixed)
        }
        "exponential" => {
            let value = value.as_object().filter(|value| value.len() == 2)?;
            Some(Backoff::Exponential {
                base: seconds(value.get("base_seconds")?)?,
                cap: seconds(value.get("cap_seconds")?)?,
            })
        }
        _ => None,
    }
}

fn seconds(value: &Value) -> Option<Duration> {
    #[expect(clippy::cast_precision_loss, reason = "a day in seconds is exact")]
    let longest = A_DAY as f64;
    let seconds = value
        .as_f64()
        .filter(|seconds| (0.0..=longest).contains(seconds))?;
    Some(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<CallOptions, String> {
        let mut fields = Fields::of(jobs::json::Json::from(body.clone()).as_object().unwrap());
        let queues = ["default".parse().unwrap(), "mail".parse().unwrap()];
        let options = CallOptions::take(&mut fields, &queues);
        fields
            .finish()
            .map(|()| options)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn all_of_them_are_read() {
        let options = read(&json!({
            "max_attempts": 7, "timeout_seconds": 1.5, "delay_seconds": 60, "queue": "mail", "priority": 1,
            "fairness_key": "tenant-7", "tags": ["a", "customer:17", "a"], "backoff": {"fixed_seconds": [0.5, 10]},
        }))
        .unwrap();
        assert_eq!(options.timeout, Some(Duration::from_millis(1_500)));
        assert_eq!(options.priority, Some(Priority::FIRST));
        assert_eq!(
            options.tags,
            ["a", "customer:17"].map(|text| text.parse().unwrap())
        );
        let waits = vec![Duration::from_millis(500), Duration::from_secs(10)];
        assert_eq!(options.backoff, Some(Backoff::Fixed(waits)));
        let exponential = json!({"backoff": {"exponential": {"base_seconds": 1, "cap_seconds": 60}}});
        let expected = Backoff::Exponential {
            base: Duration::from_secs(1),
            cap: Duration::from_mins(1),
        };
        assert_eq!(read(&exponential).unwrap().backoff, Some(expected));
    }

    #[test]
    fn what_is_out_of_bounds_is_told_with_its_place() {
        for (body, place) in [
            (json!({"max_attempts": 0}), "max_attempts"),
            (json!({"timeout_seconds": 0}), "timeout_seconds"),
            (json!({"timeout_seconds": 86_401}), "timeout_seconds"),
            (json!({"priority": 10}), "priority"),
            (json!({"queue": "unheard-of"}), "queue"),
            (json!({"fairness_key": "x".repeat(129)}), "fairness_key"),
            (json!({"tags": "a"}), "tags"),
            (json!({"tags": ["a", 1]}), "tags/1"),
            (json!({"tags": ["a b"]}), "tags/0"),
            (json!({"tags": vec!["a"; 11]}), "tags"),
            (json!({"backoff": {"fixed_seconds": []}}), "backoff"),
            (json!({"backoff": {"fixed_seconds": [-1]}}), "backoff"),
            (json!({"backoff": {"fixed_seconds": [1], "x": 1}}), "backoff"),
            (
                json!({"backoff": {"exponential": {"base_seconds": 1}}}),
                "backoff",
            ),
            (json!({"backoff": "often"}), "backoff"),
            (
                json!({"delay_seconds": 1, "run_at": "2026-01-02T03:04:05Z"}),
                "delay_seconds",
            ),
        ] {
            let error = read(&body).unwrap_err();
            assert!(error.contains(place), "{body}: {error}");
        }
    }
}
