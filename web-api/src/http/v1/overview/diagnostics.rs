//! The current problems, with what to do about them. Pure rules on the observed values.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::format::grouped;
use jobs::queue::{ServerWarning, ServerWarningKind};

use crate::db::Reason;
use crate::http::dto::overview::{QueueOverview, Trouble};

/// After this time without a finished pass the recorder is stuck, or the database is.
const RECORDER: Duration = Duration::from_secs(10);
/// A job that waits longer than this, while there are workers, is reported.
const LONG_WAIT: TimeDelta = TimeDelta::minutes(5);
/// Reading the stored counts takes longer than this only when the database is overloaded or failing.
const SLOW: Duration = Duration::from_millis(500);

/// The prefix of the error of a Redis that cannot write to its disk.
const CANNOT_SAVE: &str = "MISCONF";

/// The observed values.
pub(super) struct Seen<'s> {
    pub queues: &'s [QueueOverview],
    /// Why Redis does not answer.
    pub redis: Option<&'s str>,
    pub warnings: Vec<ServerWarning>,
    /// Time since the recorder finished a pass; `None` before the first.
    pub recorder: Option<Duration>,
    /// Jobs that died in the last minutes.
    pub dead_lately: u64,
    pub database_took: Duration,
    /// The largest clock error in the last minutes.
    pub clock: Option<TimeDelta>,
    /// Writes that the database refused in the last minutes.
    pub refusals: Vec<Reason>,
    /// Queues whose backlog is full.
    pub full: Vec<String>,
    /// Queues that were removed from the settings, with the number of unfinished jobs in each.
    pub removed: Vec<(String, u64)>,
}

fn of_clock(by: TimeDelta) -> String {
    let side = if by > TimeDelta::zero() { "ahead" } else { "behind" };
    format!(
        "A clock was {} {side} in the last minutes: this machine's, or that of a process that has moved \
         schedules. Set it right; what was made meanwhile keeps the times of then.",
        time_in_words(by.abs())
    )
}

/// Sorted by severity, worst first.
pub(super) fn troubles(seen: &Seen<'_>, now: DateTime<Utc>) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let mut add = |kind: &str, queue: Option<&str>, message: String| {
        troubles.push(Trouble {
            kind: kind.to_owned(),
            queue: queue.map(str::to_owned),
            message,
        });
    };
    if let Some(error) = seen.redis.filter(|error| error.contains(CANNOT_SAVE)) {
        add(
            "redis_cannot_save",
            None,
            format!(
                "Redis cannot save to its disk and takes nothing until it can, so no job begins; new ones are kept \
                 and run later. ({error})"
            ),
        );
    } else if let Some(error) = seen.redis {
        add(
            "redis_away",
            None,
            format!("Redis does not answer, so no job begins; new ones are kept and run later. ({error})"),
        );
    } else if seen.recorder.is_some_and(|age| age > RECORDER) {
        let seconds = seen.recorder.unwrap_or_default().as_secs();
        add(
            "recorder_behind",
            None,
            format!(
                "Outcomes have not been recorded for {seconds} s: what the pages show is older than that."
            ),
        );
    }
    if let Some(by) = seen.clock {
        add("clock_wrong", None, of_clock(by));
    }
    let (full, settings): (Vec<_>, Vec<_>) = seen
        .warnings
        .iter()
        .partition(|warning| matches!(warning.kind, ServerWarningKind::Full { .. }));
    for warning in full {
        add("redis_full", None, format!("{warning}."));
    }
    for reason in &seen.refusals {
        add("database_refuses", None, reason.sentence().to_owned());
    }
    if seen.database_took > SLOW {
        let millis = seen.database_took.as_millis();
        add(
            "database_slow",
            None,
            format!("The database is slow: a few numbers took {millis} ms."),
        );
    }
    for queue in seen.queues {
        if let Some((kind, message)) = of_queue(queue, now) {
            add(kind, Some(&queue.name), message);
        }
    }
    for name in &seen.full {
        add(
            "backlog_full",
            Some(name),
            format!("Queue {name} takes no new jobs: as many wait as may."),
        );
    }
    for (name, count) in &seen.removed {
        let jobs = jobs_in_words(*count);
        let (wait, them) = if *count == 1 {
            ("waits", "it")
        } else {
            ("wait", "them")
        };
        add(
            "queue_removed",
            Some(name),
            format!(
                "Queue {name} is no longer in SPIRAL_QUEUES; {jobs} {wait} in it. Add it again or cancel {them}."
            ),
        );
    }
    if seen.dead_lately > 0 {
        let jobs = jobs_in_words(seen.dead_lately);
        add(
            "jobs_died",
            None,
            format!("{jobs} failed for good in the last 5 minutes."),
        );
    }
    for warning in settings {
        add("redis_setting", None, format!("{warning}."));
    }
    troubles
}

/// Why the jobs of a queue wait.
fn of_queue(queue: &QueueOverview, now: DateTime<Utc>) -> Option<(&'static str, String)> {
    let (name, waiting) = (queue.name.as_str(), queue.counts.queued);
    if waiting == 0 {
        return None;
    }
    let jobs = jobs_in_words(waiting);
    let wait = if waiting == 1 { "waits" } else { "wait" };
    if queue.paused {
        let message = format!("Queue {name} is paused, and {jobs} {wait} in it.");
        return Some(("queue_paused", message));
    }
    if queue.workers == Some(0) {
        let message = format!("No worker serves queue {name}, and {jobs} {wait} in it.");
        return Some(("no_worker", message));
    }
    let waits_since = queue.oldest_waiting.as_ref().map(|oldest| now - oldest.since.0);
    let time = waits_since.filter(|time| *time > LONG_WAIT)?;
    let message = format!(
        "In queue {name} a job has waited for {}, and {jobs} {wait} in all: more workers would help.",
        minutes_in_words(time)
    );
    Some(("jobs_wait", message))
}

fn jobs_in_words(count: u64) -> String {
    if count == 1 {
        "1 job".to_owned()
    } else {
        format!("{} jobs", grouped(count))
    }
}

fn time_in_words(time: TimeDelta) -> String {
    match time.num_seconds() {
        seconds @ ..120 => format!("{seconds} seconds"),
        _ if time < TimeDelta::days(2) => minutes_in_words(time),
        _ => format!("{} days", time.num_days()),
    }
}

fn minutes_in_words(time: TimeDelta) -> String {
    let minutes = time.num_minutes();
    if minutes < 120 {
        format!("{minutes} minutes")
    } else {
        format!("{} hours", time.num_hours())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::dto::overview::{JobCounts, OldestWaiting};

    fn queue(name: &str, queued: u64, minutes: i64) -> QueueOverview {
        QueueOverview {
            name: name.to_owned(),
            paused: false,
            counts: JobCounts {
                queued,
                ..JobCounts::default()
            },
            workers: Some(1),
            ended_per_minute: 0.0,
            oldest_waiting: Some(OldestWaiting {
                id: "x".to_owned(),
                function: "echo".to_owned(),
                since: (Utc::now() - TimeDelta::minutes(minutes)).into(),
            }),
        }
    }

    fn messages(queues: &[QueueOverview], change: impl FnOnce(&mut Seen<'_>)) -> Vec<String> {
        let mut seen = Seen {
            queues,
            redis: None,
            warnings: Vec::new(),
            recorder: Some(Duration::from_secs(1)),
            dead_lately: 0,
            database_took: Duration::from_millis(3),
            clock: None,
            refusals: Vec::new(),
            full: Vec::new(),
            removed: Vec::new(),
        };
        change(&mut seen);
        let troubles = troubles(&seen, Utc::now());
        troubles.into_iter().map(|trouble| trouble.message).collect()
    }

    #[test]
    fn what_is_in_order_is_not_told() {
        let idle = QueueOverview {
            paused: true,
            workers: Some(0),
            ..queue("mail", 0, 90)
        };
        assert!(messages(&[idle, queue("default", 7, 1)], |_| ()).is_empty());
    }

    #[test]
    fn a_full_redis_is_told_before_what_comes_of_it() {
        let alone = QueueOverview {
            workers: Some(0),
            ..queue("reports", 1, 1)
        };
        let troubles = messages(&[alone], |seen| {
            let server = "cache:6379".to_owned();
            let kind = ServerWarningKind::Full {
                used: 1_100_000,
                most: 1_000_000,
            };
            seen.warnings.push(ServerWarning { server, kind });
        });
        assert_eq!(troubles.len(), 2);
        assert!(
            troubles[0].starts_with("Redis at cache:6379 is full: it uses 1.1 of 1.0 MB"),
            "{troubles:?}"
        );
    }

    #[test]
    fn what_is_wrong_is_told_in_words() {
        let paused = QueueOverview {
            paused: true,
            ..queue("mail", 1_204, 1)
        };
        let alone = QueueOverview {
            workers: Some(0),
            ..queue("reports", 1, 1)
        };
        let unknown = QueueOverview {
            workers: None,
            ..queue("other", 1, 1)
        };
        let troubles = messages(
            &[paused, alone, unknown, queue("default", 2_000_000, 7)],
            |seen| {
                seen.dead_lately = 1;
                seen.full.push("default".to_owned());
                seen.removed = vec![("old".to_owned(), 1_200), ("older".to_owned(), 1)];
            },
        );
        assert_eq!(
            troubles,
            [
                "Queue mail is paused, and 1,204 jobs wait in it.",
                "No worker serves queue reports, and 1 job waits in it.",
                "In queue default a job has waited for 7 minutes, and 2,000,000 jobs wait in all: more workers would help.",
                "Queue default takes no new jobs: as many wait as may.",
                "Queue old is no longer in SPIRAL_QUEUES; 1,200 jobs wait in it. Add it again or cancel them.",
                "Queue older is no longer in SPIRAL_QUEUES; 1 job waits in it. Add it again or cancel it.",
                "1 job failed for good in the last 5 minutes.",
            ]
        );
        let away = messages(&[], |seen| {
            seen.redis = Some("refused");
            seen.recorder = Some(Duration::from_mins(1));
            seen.database_took = Duration::from_secs(2);
        });
        assert_eq!(
            away.len(),
            2,
            "a recorder without Redis has nothing to record: {away:?}"
        );
        let wrong = messages(&[], |seen| seen.clock = Some(TimeDelta::days(365)));
        assert!(wrong[0].starts_with("A clock was 365 days ahead"), "{wrong:?}");
        let wrong = messages(&[], |seen| seen.clock = Some(TimeDelta::seconds(-90)));
        assert!(wrong[0].starts_with("A clock was 90 seconds behind"), "{wrong:?}");
        let full = messages(&[], |seen| {
            seen.redis = Some("the queue cannot do it now: MISCONF: Errors writing to the AOF file");
            seen.refusals = vec![Reason::Full];
        });
        assert!(full[0].starts_with("Redis cannot save to its disk"), "{full:?}");
        assert!(
            full[1].starts_with("The disk of the database is full"),
            "{full:?}"
        );
        let behind = messages(&[], |seen| seen.recorder = Some(Duration::from_mins(1)));
        assert!(
            behind[0].starts_with("Outcomes have not been recorded for 60 s"),
            "{behind:?}"
        );
    }
}
