//! What holds for any text, good or bad. Tests alone.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use proptest::prelude::*;

use super::{Timing, parse_zone};
use crate::domain::catch_up::CatchUp;
use crate::domain::catch_up::MADE_UP;
use crate::services::scheduler::plan::plan;

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Kathmandu",
];
/// A generous time limit: the expressions that the checks refuse would take the library minutes.
const PATIENCE: Duration = Duration::from_secs(5);

/// From 2020 to 2050.
fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    (1_577_836_800_000..2_524_608_000_000_i64)
        .prop_map(|millis| DateTime::from_timestamp_millis(millis).unwrap_or_default())
}

fn zone() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&ZONES[..])
}

/// Made of what cron texts are made of, rarely in order.
fn scrap() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[0-9*,/?LW# @-]{0,40}|(@every )?[0-9]{0,12}[dhms]?[0-9]{0,3}[dhms]?")
        .unwrap()
}

/// A field that is often good.
fn field(high: u32) -> impl Strategy<Value = String> {
    let number = move || 0..=high;
    prop_oneof![
        4 => Just("*".to_owned()),
        3 => number().prop_map(|number| number.to_string()),
        2 => (number(), number()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (1..=high).prop_map(|step| format!("*/{step}")),
        1 => (number(), number(), number()).prop_map(|(a, b, c)| format!("{a},{b},{c}")),
        1 => "[0-9*,/LW#-]{1,6}",
        // An empty list: it never matches.
        1 => Just(",".to_owned()),
    ]
}

fn cron() -> impl Strategy<Value = String> {
    let fields = (field(59), field(59), field(23), field(31), field(12), field(7));
    (fields, any::<bool>()).prop_map(|((second, minute, hour, day, month, weekday), with_seconds)| {
        let fields = format!("{minute} {hour} {day} {month} {weekday}");
        if with_seconds {
            format!("{second} {fields}")
        } else {
            fields
        }
    })
}

/// Parses the expression and, when it is valid, checks its due times.
fn look(text: &str, zone: &str, now: DateTime<Utc>) -> Option<Timing> {
    let start = Instant::now();
    let timing = Timing::parse(text, parse_zone(zone).unwrap()).ok();
    if let Some(timing) = &timing {
        let mut before = now;
        for due in timing.times_from(timing.first(now), 5) {
            assert!(
                due > before - TimeDelta::seconds(1) && (before == now || due > before),
                "{due} after {before}"
            );
            assert_eq!(due.nanosecond(), 0);
            before = due;
        }
        assert!(before > now, "it is due at some time");
        assert!(!timing.describe().is_empty());
        // The stored text means the same.
        let again = Timing::parse(timing.text(), parse_zone(zone).unwrap()).unwrap();
        assert_eq!(again.first(now), timing.first(now));
    }
    assert!(start.elapsed() < PATIENCE, "{text:?} takes {:?}", start.elapsed());
    timing
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_or_takes_long(text in prop_oneof!["\\PC{0,80}", scrap(), cron()], zone in zone(), now in moment()) {
        look(&text, zone, now);
        parse_zone(&text).ok();
    }

    #[test]
    fn a_plan_is_about_every_due_time_until_now_and_no_other(
        text in prop_oneof![cron(), (1..5_000_u32).prop_map(|seconds| format!("@every {seconds}s"))],
        zone in zone(),
        begin in moment(),
        steps in proptest::collection::vec(-2_000..600_000_i64, 1..5),
    ) {
        let Some(timing) = look(&text, zone, begin) else { return Ok(()) };
        let mut next = timing.first(begin);
        let mut now = begin;
        for step in steps {
            // Sometimes the clock of another process, which is slightly behind.
            now += TimeDelta::milliseconds(step);
            let Some(due) = next.filter(|due| *due <= now) else { continue };
            let times: Vec<_> = timing.times_from(Some(due), MADE_UP + 1).into_iter().take_while(|time| *time <= now).collect();
            let all = plan(&timing, CatchUp::All, due, now);
            prop_assert_eq!(all.runs, times.len().min(MADE_UP));
            prop_assert_eq!(all.notice.is_some(), times.len() > MADE_UP);
            for policy in CatchUp::ALL {
                let plan = plan(&timing, policy, due, now);
                prop_assert_eq!(plan.next, all.next, "they go on alike");
                prop_assert!(plan.next.is_none_or(|next| next > now));
                prop_assert_eq!(plan.runs > 0, plan.last.is_some());
                prop_assert!(plan.last.is_none_or(|last| due <= last && last <= now));
            }
            next = all.next;
        }
    }
}
