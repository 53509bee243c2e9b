//! What a schedule that is due does now: how many runs, and when it is due next. Pure rules, no SQL.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::catch_up::CatchUp;
use crate::domain::catch_up::{LATE, MADE_UP};
use crate::domain::cron::Timing;

/// What to do about the due times that have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub runs: usize,
    /// The due time of the last of these runs.
    pub last: Option<DateTime<Utc>>,
    /// Later than every due time that this plan is about; `None` when there is no other.
    pub next: Option<DateTime<Utc>>,
    /// What was left out, in words.
    pub notice: Option<String>,
}

/// The plan of a schedule that is due at `due` and looked at `now`, which is not earlier.
pub fn plan(timing: &Timing, catch_up: CatchUp, due: DateTime<Utc>, now: DateTime<Utc>) -> Plan {
    if catch_up == CatchUp::All {
        return all(timing, due, now);
    }
    let latest = timing.latest(due, now);
    let runs = usize::from(catch_up == CatchUp::Once || now - latest <= LATE);
    let left_out = catch_up == CatchUp::Skip && now - due > LATE;
    Plan {
        runs,
        last: (runs > 0).then_some(latest),
        next: timing.after(latest, now),
        notice: left_out.then(|| format!("What was due from {} on was missed and left out.", shown(due))),
    }
}

fn all(timing: &Timing, due: DateTime<Utc>, now: DateTime<Utc>) -> Plan {
    let mut plan = Plan {
        runs: 1,
        last: Some(due),
        next: timing.following(due),
        notice: None,
    };
    while let Some(next) = plan.next.filter(|next| *next <= now) {
        if plan.runs == MADE_UP {
            plan.next = timing.after(next, now);
            plan.notice = Some(format!(
                "{MADE_UP} missed runs were made up for, from {} on; what was due from {} to {} was left out.",
                shown(due),
                shown(next),
                shown(now)
            ));
            break;
        }
        plan.runs += 1;
        plan.last = Some(next);
        plan.next = timing.following(next);
    }
    plan
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cron::parse_zone;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn planned(text: &str, catch_up: CatchUp, due: &str, now: &str) -> Plan {
        let timing = Timing::parse(text, parse_zone("UTC").unwrap()).unwrap();
        plan(&timing, catch_up, at(due), at(now))
    }

    #[test]
    fn on_time_all_policies_do_the_same() {
        for catch_up in CatchUp::ALL {
            for now in ["2026-01-01T08:00:00Z", "2026-01-01T08:00:59Z"] {
                let plan = planned("0 8 * * *", catch_up, "2026-01-01T08:00:00Z", now);
                let expected = Plan {
                    runs: 1,
                    last: Some(at("2026-01-01T08:00:00Z")),
                    next: Some(at("2026-01-02T08:00:00Z")),
                    notice: None,
                };
                assert_eq!(plan, expected);
            }
        }
    }

    #[test]
    fn after_three_days_each_policy_does_what_it_says() {
        let (due, now) = ("2026-01-01T08:00:00Z", "2026-01-03T12:00:00Z");
        let next = Some(at("2026-01-04T08:00:00Z"));
        let last = Some(at("2026-01-03T08:00:00Z"));

        let skip = planned("0 8 * * *", CatchUp::Skip, due, now);
        assert_eq!((skip.runs, skip.last, skip.next), (0, None, next));
        assert!(skip.notice.unwrap().contains("2026-01-01T08:00:00Z"));
        let once = planned("0 8 * * *", CatchUp::Once, due, now);
        assert_eq!(
            (once.runs, once.last, once.next, once.notice),
            (1, last, next, None)
        );
        let all = planned("0 8 * * *", CatchUp::All, due, now);
        assert_eq!((all.runs, all.last, all.next, all.notice), (3, last, next, None));
    }

    #[test]
    fn skip_does_not_leave_out_what_is_due_just_now() {
        let skip = planned(
            "* * * * *",
            CatchUp::Skip,
            "2026-01-01T08:00:00Z",
            "2026-01-01T12:00:30Z",
        );
        assert_eq!((skip.runs, skip.last), (1, Some(at("2026-01-01T12:00:00Z"))));
        assert!(skip.notice.is_some());
        // A hiccup is no reason to say anything.
        let skip = planned(
            "@every 1s",
            CatchUp::Skip,
            "2026-01-01T08:00:00Z",
            "2026-01-01T08:00:03Z",
        );
        assert_eq!((skip.runs, skip.notice), (1, None));
    }

    #[test]
    fn a_thousand_missed_runs_are_made_up_for_and_the_rest_is_told() {
        let all = planned(
            "@every 1s",
            CatchUp::All,
            "2026-01-01T08:00:00Z",
            "2026-06-01T00:00:00.5Z",
        );
        assert_eq!((all.runs, all.last), (MADE_UP, Some(at("2026-01-01T08:16:39Z"))));
        assert_eq!(all.next, Some(at("2026-06-01T00:00:01Z")));
        assert_eq!(
            all.notice.unwrap(),
            "1000 missed runs were made up for, from 2026-01-01T08:00:00Z on; what was due from 2026-01-01T08:16:40Z to \
             2026-06-01T00:00:00Z was left out."
        );
        let exactly = planned(
            "@every 1s",
            CatchUp::All,
            "2026-01-01T08:00:00Z",
            "2026-01-01T08:16:39Z",
        );
        assert_eq!((exactly.runs, exactly.notice), (MADE_UP, None));
    }
}
