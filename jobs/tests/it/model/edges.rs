//! Which events of a job may follow which: the legal edges of its states, read off the event stream alone.
//!
//! ```text
//! away ──queued──▶ waiting or scheduled        scheduled ──promoted──▶ waiting
//! waiting ──reported──▶ running                waiting, running ──finished──▶ over, scheduled or away
//! waiting, running ──returned──▶ waiting or scheduled
//! waiting, running ──crashed──▶ over
//! waiting, scheduled ──cancelled──▶ over       over: nothing follows
//! ```
//!
//! A fetch has no event, so an attempt may end that never said that it began.

use std::collections::BTreeMap;

use redis::streams::{StreamId, StreamRangeReply};
use serde_json::Value;

use super::expected::Model;
use super::real::Real;
use super::steps::{JOBS, MAX_ATTEMPTS};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Redis does not hold it: not yet, or SQL does until its next attempt.
    #[default]
    Away,
    Scheduled,
    Waiting,
    /// Has reported that it runs this attempt.
    Running(u32),
    /// SQL was to keep it, but it had been cancelled meanwhile: it stays, and can only end.
    CancelRequested,
    Over,
}

#[derive(Debug, Clone, Copy, Default)]
struct Story {
    place: Place,
    /// Attempts that count.
    made: u32,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Queued {
        later: bool,
    },
    Promoted,
    Reported(u32),
    Ended(u32),
    Again(u32),
    Parked(u32),
    /// Given back: the attempts that count are left.
    Stopped(u32),
    /// The same, to be fetched again later.
    Delayed(u32),
    Orphaned(u32),
    Crashed(u32),
    Cancelled(u32),
}

impl Story {
    /// The attempt is the one that runs, or the next one of a job that waits.
    fn runs(self, attempt: u32) -> bool {
        match self.place {
            Place::Waiting => attempt == self.made + 1,
            Place::Running(running) => attempt == running,
            Place::Away | Place::Scheduled | Place::CancelRequested | Place::Over => false,
        }
    }

    /// What follows, if the event may come now.
    fn after(self, event: Event) -> Option<Self> {
        let to = |place, made| Some(Self { place, made });
        match event {
            Event::Queued { later } if self.place == Place::Away => {
                to(if later { Place::Scheduled } else { Place::Waiting }, 0)
            }
            Event::Promoted if self.place == Place::Scheduled => to(Place::Waiting, self.made),
            // What SQL was to keep is due at once when it was cancelled.
            Event::Promoted if self.place == Place::Away && self.made > 0 => {
                to(Place::CancelRequested, self.made)
            }
            Event::Reported(attempt) if self.runs(attempt) => to(Place::Running(attempt), self.made),
            Event::Ended(attempt) if self.runs(attempt) => to(Place::Over, attempt),
            Event::Again(attempt) if self.runs(attempt) => to(Place::Scheduled, attempt),
            Event::Parked(attempt) if self.runs(attempt) => to(Place::Away, attempt),
            Event::Stopped(left) if self.runs(left + 1) => to(Place::Waiting, left),
            Event::Delayed(left) if self.runs(left + 1) => to(Place::Scheduled, left),
            Event::Orphaned(attempt) if self.runs(attempt) && attempt < MAX_ATTEMPTS => {
                to(Place::Waiting, attempt)
            }
            Event::Crashed(attempt) if self.runs(attempt) && attempt >= MAX_ATTEMPTS => {
                to(Place::Over, attempt)
            }
            Event::Cancelled(made)
                if made == self.made
                    && (matches!(self.place, Place::Scheduled | Place::Waiting | Place::CancelRequested)
                        // A parked one that was cancelled is due already, and may be cancelled before a fetch.
                        || self.place == Place::Away && self.made > 0) =>
            {
                to(Place::Over, made)
            }
            Event::Queued { .. }
            | Event::Promoted
            | Event::Reported(_)
            | Event::Ended(_)
            | Event::Again(_)
            | Event::Parked(_)
            | Event::Stopped(_)
            | Event::Delayed(_)
            | Event::Orphaned(_)
            | Event::Crashed(_)
            | Event::Cancelled(_) => None,
        }
    }
}

/// Every event in the stream was legal where it came, and the stories end where the model does.
pub(super) fn check(model: &Model, real: &mut Real) -> Result<(), String> {
    let stream: StreamRangeReply = real.ask(&["XRANGE", "events", "-", "+"]);
    let mut stories = BTreeMap::<u8, Story>::new();
    let mut seen = Vec::new();
    for (job, event) in stream.ids.iter().flat_map(events) {
        seen.push((job, event));
        let story = stories.entry(job).or_default();
        *story = story
            .after(event)
            .ok_or_else(|| format!("job {job}: {event:?} after {story:?}; all events: {seen:?}"))?;
    }
    for job in 0..JOBS {
        let Story { place, .. } = stories.get(&job).copied().unwrap_or_default();
        let fits = match place {
            // A parked job that was cancelled has no event of that yet.
            Place::Away => !model.knows(job) || model.marked.contains(&job),
            Place::Scheduled => model.scheduled.contains_key(&job),
            // A fetch has no event.
            Place::Waiting => model.waits(job) || model.running.contains_key(&job),
            Place::Running(attempt) => model.running.get(&job).is_some_and(|(_, runs)| *runs == attempt),
            Place::CancelRequested => model.marked.contains(&job),
            Place::Over => model.finished.contains_key(&job),
        };
        if !fits || model.finished.contains_key(&job) != (place == Place::Over) {
            return Err(format!(
                "job {job} is {place:?} by its events {seen:?}, but not in {model:?}"
            ));
        }
    }
    Ok(())
}

/// What one entry of the stream tells.
fn events(entry: &StreamId) -> Vec<(u8, Event)> {
    let field = |name: &str| entry.get::<String>(name).unwrap_or_default();
    let data = field("d");
    let items = || serde_json::from_str::<Vec<Value>>(&data).unwrap();
    match field("t").as_str() {
        "queued" => {
            let queued = items().into_iter();
            let event = |job: Value| {
                (
                    number(&job["id"]),
                    Event::Queued {
                        later: job["later"] == true,
                    },
                )
            };
            queued.map(event).collect()
        }
        "promoted" => {
            let jobs = data.split(' ');
            jobs.map(|job| (job.parse().unwrap(), Event::Promoted)).collect()
        }
        "reported" => {
            let reported = items().into_iter();
            reported
                .map(|attempt| (number(&attempt[0]), Event::Reported(number(&attempt[1]))))
                .collect()
        }
        "finished" => {
            let finished = items().into_iter();
            let event = |ended: Value| {
                let attempt = number(&ended[1]);
                let event = match ended[2].as_str().unwrap() {
                    "end" => Event::Ended(attempt),
                    "again" => Event::Again(attempt),
                    _ => Event::Parked(attempt),
                };
                (number(&ended[0]), event)
            };
            finished.map(event).collect()
        }
        "returned" if !field("wait").is_empty() => attempts(&data, Event::Delayed),
        "returned" if field("r") == "stopped" => attempts(&data, Event::Stopped),
        "returned" => attempts(&data, Event::Orphaned),
        "crashed" => attempts(&data, Event::Crashed),
        "cancelled" => attempts(&data, Event::Cancelled),
        other => panic!("an event {other:?}"),
    }
}

fn number<T: TryFrom<u64>>(value: &Value) -> T {
    let number = value.as_u64().and_then(|number| T::try_from(number).ok());
    number.unwrap_or_else(|| panic!("{value} is no such number"))
}

/// Of `id:attempt` or `id:attempt:function`, separated by blanks.
fn attempts(data: &str, event: impl Fn(u32) -> Event) -> Vec<(u8, Event)> {
    let items = data.split(' ');
    items
        .map(|item| {
            let mut parts = item.split(':');
            let mut next = || parts.next().unwrap().parse::<u32>().unwrap();
            (u8::try_from(next()).unwrap(), event(next()))
        })
        .collect()
}

/// Whether these events of one job are legal.
fn are_legal(events: &[Event]) -> bool {
    let begin = Some(Story::default());
    events
        .iter()
        .fold(begin, |story, event| story.and_then(|story| story.after(*event)))
        .is_some()
}

#[test]
fn a_legal_life_is_distinguished_from_an_illegal_one() {
    let queued = Event::Queued { later: false };
    let scheduled = Event::Queued { later: true };
    for life in [
        &[
            queued,
            Event::Reported(1),
            Event::Again(1),
            Event::Promoted,
            Event::Ended(2),
        ][..],
        &[
            scheduled,
            Event::Promoted,
            Event::Stopped(0),
            Event::Orphaned(1),
            Event::Cancelled(1),
        ],
        &[queued, Event::Delayed(0), Event::Promoted, Event::Ended(1)],
        &[queued, Event::Parked(1), queued, Event::Ended(1)],
        &[queued, Event::Parked(1), Event::Promoted, Event::Cancelled(1)],
        &[queued, Event::Orphaned(1), Event::Orphaned(2), Event::Crashed(3)],
    ] {
        assert!(are_legal(life), "{life:?}");
    }
    for life in [
        &[Event::Ended(1)][..],
        &[queued, queued],
        &[queued, Event::Promoted],
        &[queued, Event::Ended(2)],
        &[queued, Event::Ended(1), Event::Ended(1)],
        &[queued, Event::Ended(1), queued],
        &[queued, Event::Cancelled(0), Event::Ended(1)],
        &[queued, Event::Reported(1), Event::Cancelled(0)],
        &[queued, Event::Again(1), Event::Ended(2)],
        &[queued, Event::Stopped(1)],
        &[queued, Event::Delayed(0), Event::Ended(1)],
        &[queued, Event::Crashed(1)],
        &[queued, Event::Parked(1), Event::Promoted, Event::Ended(2)],
    ] {
        assert!(!are_legal(life), "{life:?}");
    }
}
