//! When the clocks of a zone change. Tests alone.

use chrono::{DateTime, Utc};

use super::{Timing, parse_zone};

fn timing(text: &str, zone: &str) -> Timing {
    Timing::parse(text, parse_zone(zone).unwrap()).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// The next due times on the clocks of the zone.
fn on_the_wall(text: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let timing = timing(text, zone);
    let times = timing.times_from(timing.first(at(from)), count);
    let wall = |time: DateTime<Utc>| {
        time.with_timezone(&timing.zone)
            .format("%m-%d %H:%M %Z")
            .to_string()
    };
    times.into_iter().map(wall).collect()
}

#[test]
fn a_fixed_time_that_does_not_exist_is_due_at_the_first_moment_after_it() {
    // In Berlin, 02:00 to 02:59 are missing on 29 March 2026.
    assert_eq!(
        on_the_wall("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        ["03-28 02:30 CET", "03-29 03:00 CEST", "03-30 02:30 CEST"]
    );
    // Two times of day, neither of which repeats; the other is where it was.
    assert_eq!(
        on_the_wall("30 2,14 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", 3),
        ["03-29 03:00 CEST", "03-29 14:30 CEST", "03-30 02:30 CEST"]
    );
    // Both in the gap: one run, not two at once.
    assert_eq!(
        on_the_wall("0,30 2 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", 2),
        ["03-29 03:00 CEST", "03-30 02:00 CEST"]
    );
    // On Lord Howe Island the clocks go forward by half an hour, from 02:00 on 4 October 2026.
    assert_eq!(
        on_the_wall("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
        ["10-04 02:30 +11", "10-05 02:15 +11"]
    );
    // In Cairo a day begins at 01:00.
    assert_eq!(
        on_the_wall("@daily", "Africa/Cairo", "2026-04-23T12:00:00Z", 2),
        ["04-24 01:00 EEST", "04-25 00:00 EEST"]
    );
}

#[test]
fn a_fixed_time_that_exists_twice_is_due_the_first_time() {
    // In Berlin, 02:00 to 02:59 come twice on 25 October 2026.
    assert_eq!(
        on_the_wall("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["10-25 02:30 CEST", "10-26 02:30 CET"]
    );
    assert_eq!(
        on_the_wall("30 2,14 * * *", "Europe/Berlin", "2026-10-24T20:00:00Z", 3),
        ["10-25 02:30 CEST", "10-25 14:30 CET", "10-26 02:30 CET"]
    );
    // Asked between the two, it is over for today.
    assert_eq!(
        on_the_wall("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1),
        ["10-26 02:30 CET"]
    );
    assert_eq!(
        on_the_wall("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2),
        ["04-05 01:45 +11", "04-06 01:45 +1030"]
    );
}

#[test]
fn what_repeats_follows_the_clock_on_the_wall() {
    assert_eq!(
        on_the_wall("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:10:00Z", 3),
        ["03-29 01:30 CET", "03-29 03:00 CEST", "03-29 03:30 CEST"]
    );
    assert_eq!(
        on_the_wall("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4),
        [
            "10-25 02:00 CEST",
            "10-25 02:00 CET",
            "10-25 03:00 CET",
            "10-25 04:00 CET"
        ]
    );
    assert_eq!(
        on_the_wall("*/30 * * * *", "Australia/Lord_Howe", "2026-04-04T14:10:00Z", 3),
        ["04-05 01:30 +11", "04-05 01:30 +1030", "04-05 02:00 +1030"]
    );
    // Real time, whatever the clocks say.
    let every = timing("@every 1h", "Europe/Berlin");
    let times = every.times_from(every.first(at("2026-10-25T00:00:00Z")), 3);
    assert_eq!(
        times,
        [
            at("2026-10-25T01:00:00Z"),
            at("2026-10-25T02:00:00Z"),
            at("2026-10-25T03:00:00Z")
        ]
    );
}
