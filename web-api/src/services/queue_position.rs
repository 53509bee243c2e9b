//! How long a queued job still has to wait, as honestly as can be told without counting what may be millions of rows.

use chrono::{DateTime, TimeDelta, Utc};

use crate::db::jobs::Job;
use crate::db::jobs::position::{LOOKED_AT, Neighbours};
use crate::db::queues::Allowed;
use crate::services::admission::{Line, RECENT};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueuePosition {
    /// 1 for the next to run.
    pub position: u64,
    /// False when it is an estimate.
    pub exact: bool,
    /// When its turn likely comes; `None` when nothing tells: the queue is paused, or nothing has ended lately.
    pub start: Option<DateTime<Utc>>,
}

/// Where the job stands among its neighbours. Priorities come first; then each fairness key in turn gives one job.
pub fn standing(
    job: &Job,
    neighbours: &Neighbours,
    line: &Line,
    allowed: &Allowed,
    now: DateTime<Utc>,
) -> QueuePosition {
    let mine = neighbours.lanes.iter().find(|lane| lane.is_of(job));
    let mine = mine.map_or(0, |lane| lane.older);
    let mut ahead = 0;
    for lane in &neighbours.lanes {
        ahead += match u8::from(job.priority).cmp(&lane.priority) {
            std::cmp::Ordering::Greater => lane.older + lane.newer,
            std::cmp::Ordering::Equal if lane.is_of(job) => lane.older,
            std::cmp::Ordering::Equal => Ord::min(lane.older + lane.newer, mine + 1),
            std::cmp::Ordering::Less => 0,
        };
    }
    let exact = neighbours.older < LOOKED_AT && neighbours.newer < LOOKED_AT;
    if neighbours.older >= LOOKED_AT {
        // All that wait, without those behind it, as many as the looked-at part of the older ones is ahead of it.
        let older = line.waiting.saturating_sub(neighbours.newer + 1).max(LOOKED_AT);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate of a count of jobs"
        )]
        let scaled = (ahead as f64 * (older as f64 / LOOKED_AT as f64)) as u64;
        ahead = about(scaled);
    }
    QueuePosition {
        position: ahead + 1,
        exact,
        start: start(ahead, line, allowed, now),
    }
}

/// Jobs that will end in a second, as far as what ended lately and the limits say; `None` when they do not.
fn per_second(line: &Line, allowed: &Allowed, now: DateTime<Utc>) -> Option<f64> {
    let Allowed { limits, since } = allowed;
    // What ended under other limits says nothing.
    let measured = since.is_none_or(|since| (now - since).abs() > RECENT + TimeDelta::minutes(1));
    if limits.paused || !measured || line.ended_per_second <= 0.0 {
        return None;
    }
    let rate = limits
        .rate
        .map(|rate| f64::from(rate.jobs) / rate.period.as_secs_f64());
    Some(rate.map_or(line.ended_per_second, |rate| rate.min(line.ended_per_second)))
}

fn start(ahead: u64, line: &Line, allowed: &Allowed, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let per_second = per_second(line, allowed, now).filter(|jobs| *jobs > 0.0)?;
    // Where as many run as may, the next one waits for one of them to end.
    let full = allowed
        .limits
        .concurrency
        .is_some_and(|most| line.running >= u64::from(most));
    let ahead = ahead + u64::from(full);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "an estimate; past a year it is none"
    )]
    let millis = (ahead as f64 / per_second * 1_000.0) as i64;
    let wait = TimeDelta::try_milliseconds(millis).filter(|wait| *wait < TimeDelta::days(365))?;
    now.checked_add_signed(wait)
}

/// Two digits say all that is known.
fn about(count: u64) -> u64 {
    let unit = 10_u64.pow(count.checked_ilog10().unwrap_or_default().saturating_sub(1));
    count / unit * unit
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jobs::job::{Priority, QueueName};
    use jobs::queue::{Limits, RateLimit};
    use serde_json::json;

    use super::*;
    use crate::db::jobs::NewJob;
    use crate::db::jobs::position::LaneCount;

    fn job(priority: u8, key: &str) -> Job {
        let new = NewJob::new(
            "echo".to_owned(),
            QueueName::standard(),
            json!(1),
            1,
            Duration::from_secs(1),
        );
        NewJob {
            priority: Priority::try_from(priority).unwrap(),
            fairness_key: Some(key.to_owned()).filter(|key| !key.is_empty()),
            ..new
        }
        .into_job(Utc::now())
    }

    fn lane(priority: u8, key: &str, older: u64, newer: u64) -> LaneCount {
        LaneCount {
            priority,
            fairness_key: key.to_owned(),
            older,
            newer,
        }
    }

    fn of(job: &Job, lanes: Vec<LaneCount>, line: Line) -> QueuePosition {
        let neighbours = Neighbours {
            older: lanes.iter().map(|lane| lane.older).sum(),
            newer: lanes.iter().map(|lane| lane.newer).sum(),
            lanes,
        };
        standing(job, &neighbours, &line, &Allowed::default(), Utc::now())
    }

    fn wait(line: &Line, allowed: &Allowed) -> Option<i64> {
        let neighbours = Neighbours {
            lanes: vec![lane(5, "", 600, 0)],
            older: 600,
            newer: 0,
        };
        let now = Utc::now();
        let standing = standing(&job(5, ""), &neighbours, line, allowed, now);
        standing.start.map(|start| (start - now).num_seconds())
    }

    #[test]
    fn the_start_takes_the_limits_into_account_or_says_nothing() {
        let line = Line {
            running: 10,
            ..line(601, 10.0)
        };
        let with = |limits: Limits| Allowed {
            limits,
            since: Some(Utc::now() - TimeDelta::hours(1)),
        };
        let rate = Some(RateLimit {
            jobs: 60,
            period: Duration::from_mins(1),
            burst: 60,
        });
        let limited = with(Limits {
            rate,
            ..Limits::default()
        });
        assert_eq!(wait(&line, &limited), Some(600), "one a second, whatever was");
        let full = with(Limits {
            concurrency: Some(10),
            ..Limits::default()
        });
        let first = Line {
            ended_per_second: 0.1,
            ..line
        };
        assert_eq!(
            wait(&first, &full),
            Some(6_010),
            "one of those that run has to end first"
        );
        let paused = with(Limits {
            paused: true,
            ..Limits::default()
        });
        assert_eq!(wait(&line, &paused), None);
        let changed = Allowed {
            since: Some(Utc::now() - TimeDelta::minutes(2)),
            ..limited
        };
        assert_eq!(wait(&line, &changed), None, "what ended was under other limits");
    }

    fn line(waiting: u64, ended_per_second: f64) -> Line {
        Line {
            waiting,
            ended_per_second,
            running: 0,
            limit: None,
        }
    }

    #[test]
    fn the_position_follows_priorities_and_turns() {
        let plain = || vec![lane(5, "", 7, 100)];
        assert_eq!(of(&job(5, ""), plain(), line(108, 0.0)).position, 8);
        let mixed = || vec![lane(5, "", 7, 100), lane(1, "", 2, 3), lane(9, "", 50, 0)];
        assert_eq!(of(&job(5, ""), mixed(), line(163, 0.0)).position, 13);
        assert_eq!(of(&job(1, ""), mixed(), line(163, 0.0)).position, 3);
        // A caller with thousands does not delay the first job of another by more than one turn.
        let keys = vec![lane(5, "big", 5_000, 0), lane(5, "other", 3, 0)];
        assert_eq!(of(&job(5, "small"), keys, line(5_004, 0.0)).position, 3);
    }

    #[test]
    fn the_start_is_what_the_throughput_says() {
        let standing = of(&job(5, ""), vec![lane(5, "", 600, 0)], line(601, 10.0));
        let wait = standing.start.unwrap() - Utc::now();
        assert!((59..=60).contains(&wait.num_seconds()), "{wait}");
        assert!(standing.exact);
        let never = of(&job(5, ""), vec![lane(5, "", 600, 0)], line(601, 0.0));
        assert_eq!(never.start, None);
        let far = of(&job(5, ""), vec![lane(5, "", 9_000, 0)], line(601, 1e-9));
        assert_eq!(far.start, None);
    }

    #[test]
    fn what_is_too_long_to_count_is_estimated() {
        let standing = of(
            &job(5, ""),
            vec![lane(5, "", LOOKED_AT, 500)],
            line(1_000_501, 100.0),
        );
        assert_eq!((standing.position, standing.exact), (1_000_001, false));
        assert_eq!([0, 7, 99, 123, 98_765].map(about), [0, 7, 99, 120, 98_000]);
    }
}
