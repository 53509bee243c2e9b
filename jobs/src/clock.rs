//! The time by which this process decides: ids, due times, how long keys are held, what is old enough to be deleted.
//!
//! The clock of the machine may be set, by a person or by a bad time server, and back again a moment later. What was
//! decided meanwhile would last: ids of next year, schedules that stand still for a year, jobs deleted as too old. So a
//! jump is not believed at once: time goes on as a monotonic clock says, until the machine has stayed with its new time
//! for a while, or until a clock that others share (the database's, see [`follow`]) says what is right.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// Clocks are corrected by less than this without anybody noticing.
const JUMP: TimeDelta = TimeDelta::seconds(5);
/// How long the machine stays with a new time before it is taken over.
const BELIEVED_AFTER: Duration = Duration::from_secs(30);
/// How long the shared clock counts more than the machine's.
const FOLLOWED_FOR: Duration = Duration::from_mins(2);
/// How long a jump is remembered.
const REMEMBERED_FOR: Duration = Duration::from_mins(10);

/// How long after a jump nothing is done that cannot be undone.
const CERTAIN_AFTER: Duration = Duration::from_hours(1);

static CLOCK: Clock = Clock::new();

/// The time.
pub fn now() -> DateTime<Utc> {
    CLOCK.now(Utc::now(), Instant::now())
}

/// Reports the present time of a clock that others share.
pub fn follow(shared: DateTime<Utc>) {
    CLOCK.follow(shared, Utc::now(), Instant::now());
}

/// How far the machine's clock is from [`now`] or was in the last minutes, ahead when positive; `None` when all is well.
pub fn jump() -> Option<TimeDelta> {
    CLOCK.jump(Utc::now(), Instant::now())
}

/// Says that something was found that a wrong clock has brought about, perhaps that of another process.
pub fn note(by: TimeDelta) {
    CLOCK.with(|state| state.noted(by, Instant::now()));
}

/// Whether the time may be relied on for what cannot be undone: a shared clock confirms it, or no jump was seen for an hour.
pub fn is_certain() -> bool {
    CLOCK.is_certain(Utc::now(), Instant::now())
}

/// What is known of the time. The moments come from the caller.
#[derive(Debug)]
struct Clock {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// A moment by both clocks.
    anchor: Option<(DateTime<Utc>, Instant)>,
    /// How far the machine has jumped, and since when it is there.
    doubted: Option<(TimeDelta, Instant)>,
    /// When the shared clock spoke last.
    followed_at: Option<Instant>,
    jumped: Option<(TimeDelta, Instant)>,
}

impl Clock {
    const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                anchor: None,
                doubted: None,
                followed_at: None,
                jumped: None,
            }),
        }
    }

    fn now(&self, wall: DateTime<Utc>, moment: Instant) -> DateTime<Utc> {
        self.with(|state| state.now(wall, moment))
    }

    fn follow(&self, shared: DateTime<Utc>, wall: DateTime<Utc>, moment: Instant) {
        self.with(|state| {
            let mine = state.now(wall, moment);
            state.followed_at = Some(moment);
            if (shared - mine).abs() >= JUMP {
                state.noted(mine - shared, moment);
                tracing::warn!(
                    ahead_seconds = (wall - shared).num_seconds(),
                    "the clock of this machine is wrong by the database's clock, which is followed from now on"
                );
                state.anchor = Some((shared, moment));
            }
        });
    }

    fn jump(&self, wall: DateTime<Utc>, moment: Instant) -> Option<TimeDelta> {
        self.with(|state| {
            let apart = wall - state.now(wall, moment);
            if apart.abs() >= JUMP {
                return Some(apart);
            }
            let recent =
                |(_, at): &(TimeDelta, Instant)| moment.saturating_duration_since(*at) < REMEMBERED_FOR;
            state.jumped.filter(recent).map(|(by, _)| by)
        })
    }

    fn is_certain(&self, wall: DateTime<Utc>, moment: Instant) -> bool {
        self.with(|state| {
            state.now(wall, moment);
            let within = |at: Instant, time: Duration| moment.saturating_duration_since(at) < time;
            state.followed_at.is_some_and(|at| within(at, FOLLOWED_FOR))
                || !state.jumped.is_some_and(|(_, at)| within(at, CERTAIN_AFTER))
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn now(&mut self, wall: DateTime<Utc>, moment: Instant) -> DateTime<Utc> {
        let Some((then, at)) = self.anchor else {
            self.anchor = Some((wall, moment));
            return wall;
        };
        let passed = TimeDelta::from_std(moment.saturating_duration_since(at)).unwrap_or_default();
        let expected = then + passed;
        let apart = wall - expected;
        if apart.abs() < JUMP {
            // The machine's clock, which is kept right by small steps.
            self.anchor = Some((wall, moment));
            self.doubted = None;
            return wall;
        }
        let since = match self.doubted {
            Some((by, since)) if (by - apart).abs() < JUMP => since,
            Some(_) | None => {
                tracing::warn!(
                    ahead_seconds = apart.num_seconds(),
                    "the clock of this machine has jumped; it is not followed for now"
                );
                self.doubted = Some((apart, moment));
                moment
            }
        };
        self.noted(apart, moment);
        let followed = self
            .followed_at
            .is_some_and(|at| moment.saturating_duration_since(at) < FOLLOWED_FOR);
        if followed || moment.saturating_duration_since(since) < BELIEVED_AFTER {
            return expected;
        }
        tracing::warn!(
            ahead_seconds = apart.num_seconds(),
            "the clock of this machine stays where it has jumped to; it is followed again"
        );
        self.anchor = Some((wall, moment));
        self.doubted = None;
        wall
    }

    fn noted(&mut self, by: TimeDelta, moment: Instant) {
        self.jumped = Some((by, moment));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: TimeDelta = TimeDelta::days(365);

    /// A clock, and what the machine's clock and the monotonic one say so many seconds after the beginning.
    fn clock() -> (Clock, impl Fn(i64) -> DateTime<Utc>, impl Fn(u64) -> Instant) {
        let (wall, moment) = (
            DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            Instant::now(),
        );
        (
            Clock::new(),
            move |seconds| wall + TimeDelta::seconds(seconds),
            move |seconds| moment + Duration::from_secs(seconds),
        )
    }

    #[test]
    fn a_clock_that_is_a_year_ahead_for_three_seconds_changes_nothing() {
        for year in [YEAR, -YEAR] {
            let (clock, wall, moment) = clock();
            assert_eq!(clock.now(wall(0), moment(0)), wall(0));
            assert_eq!(clock.jump(wall(0), moment(0)), None);
            for second in 1..4_u32 {
                let (at, then) = (wall(i64::from(second)), moment(u64::from(second)));
                assert_eq!(clock.now(at + year, then), at);
                assert_eq!(clock.jump(at + year, then), Some(year));
            }
            assert_eq!(clock.now(wall(4), moment(4)), wall(4));
            assert_eq!(
                clock.jump(wall(5), moment(5)),
                Some(year),
                "it is told for a while"
            );
            assert_eq!(clock.jump(wall(700), moment(700)), None);
        }
    }

    #[test]
    fn small_steps_are_followed_at_once_and_a_jump_that_stays_after_a_while() {
        let (clock, wall, moment) = clock();
        clock.now(wall(0), moment(0));
        assert_eq!(clock.now(wall(13), moment(10)), wall(13));
        assert_eq!(clock.now(wall(9), moment(10)), wall(9));
        let hour = 3_600;
        assert_eq!(clock.now(wall(hour + 10), moment(11)), wall(10));
        assert_eq!(clock.now(wall(hour + 39), moment(40)), wall(39));
        assert_eq!(clock.now(wall(hour + 40), moment(41)), wall(hour + 40));
        assert_eq!(clock.now(wall(hour + 41), moment(42)), wall(hour + 41));
        assert!(!clock.is_certain(wall(hour + 42), moment(43)));
        assert!(clock.is_certain(wall(2 * hour + 41), moment(3_642)));
    }

    #[test]
    fn the_shared_clock_is_right_as_long_as_it_speaks() {
        let (clock, wall, moment) = clock();
        // Wrong from the beginning.
        assert_eq!(clock.now(wall(0) + YEAR, moment(0)), wall(0) + YEAR);
        clock.follow(wall(1), wall(1) + YEAR, moment(1));
        for second in 2..100_u32 {
            let (at, then) = (wall(i64::from(second)), moment(u64::from(second)));
            assert_eq!(clock.now(at + YEAR, then), at);
            clock.follow(at, at + YEAR, then);
        }
        assert_eq!(clock.jump(wall(100) + YEAR, moment(100)), Some(YEAR));
        assert!(clock.is_certain(wall(100) + YEAR, moment(100)));
        // Silent: the machine is all that is left.
        assert_eq!(clock.now(wall(300) + YEAR, moment(300)), wall(300) + YEAR);
    }
}
