//! Finds schedules whose next due time lies beyond the one that their rule calls for: a process whose clock was ahead
//! has moved them there, and they would stand still until then.

use chrono::{DateTime, SecondsFormat, Utc};
use jobs::clock;

use super::fire;
use crate::db::schedules::Schedule;
use crate::db::schedules::fire::DueCursor;
use crate::db::{Store, StoreError};
use crate::domain::catch_up::LATE;
use crate::domain::cron::Timing;

/// Schedules read at once.
const PAGE: u64 = 500;

/// Works out anew what lies too far ahead of `now`, and says how many schedules that were.
///
/// # Errors
/// When the database is away.
pub async fn repair(store: &Store, now: DateTime<Utc>) -> Result<usize, StoreError> {
    let mut from: Option<DueCursor> = None;
    let mut repaired = 0;
    loop {
        let page = store.schedule_planned(now + LATE, from, PAGE).await?;
        for schedule in page.schedules {
            let Some((next_at, was)) = right(&schedule, now).zip(schedule.next_at) else {
                continue;
            };
            let notice = format!(
                "It was due next at {}, which a wrong clock had brought about: it is due at {} instead.",
                shown(was),
                shown(next_at)
            );
            if store.schedule_repair(&schedule, now, next_at, &notice).await? {
                tracing::warn!(schedule = %schedule.name, %notice, "a schedule was repaired");
                clock::note(was - now);
                repaired += 1;
            }
        }
        from = page.next;
        if from.is_none() {
            return Ok(repaired);
        }
    }
}

/// When the schedule is due next, if it is not when it says.
fn right(schedule: &Schedule, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let timing = fire::timing(schedule).ok()?;
    let planned = schedule.next_at?;
    is_too_far(&timing, planned, now).then(|| timing.before(planned, schedule.begin(now)))?
}

/// With a minute to spare: the clocks of two processes may be apart, and a due time that another process has fired just
/// now must not come again.
fn is_too_far(timing: &Timing, planned: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    timing.first(now + LATE).is_some_and(|first| planned > first)
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::cron::parse_zone;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn what_the_rule_calls_for_is_left_alone_and_a_year_ahead_is_not() {
        let now = at("2026-11-30T12:00:30Z");
        for (rule, right, wrong) in [
            ("@every 5s", "2026-11-30T12:00:35Z", "2027-11-30T12:00:37Z"),
            ("@every 48h", "2026-12-02T12:00:30Z", "2027-11-30T12:00:30Z"),
            ("* * * * *", "2026-11-30T12:01:00Z", "2027-11-30T12:01:00Z"),
            ("0 8 * * *", "2026-12-01T08:00:00Z", "2027-12-01T08:00:00Z"),
            ("@yearly", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        ] {
            let timing = Timing::parse(rule, parse_zone("UTC").unwrap()).unwrap();
            assert!(!is_too_far(&timing, at(right), now), "{rule}");
            // As another process may have it whose clock is ahead by less than a minute.
            let next = timing.following(at(right)).unwrap();
            let skewed = now + TimeDelta::seconds(50);
            if at(right) < skewed {
                assert!(!is_too_far(&timing, next, now), "{rule}");
            }
            assert!(is_too_far(&timing, at(wrong), now), "{rule}");
            let repaired = timing.before(at(wrong), now).unwrap();
            assert!(
                repaired > now && repaired <= timing.following(now).unwrap(),
                "{rule}: {repaired}"
            );
        }
    }
}
