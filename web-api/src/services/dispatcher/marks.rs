//! Up to where the lanes of a queue have been emptied, so that a look for their next jobs begins there.
//!
//! The entries of dispatched rows stay in the index until PostgreSQL may clean up, which it may not while a `pg_dump` or
//! another old snapshot is open: without this every look would go through all of them again.
//!
//! Ids rise with time, and rows are not committed in their order. So a mark is moved back for a row that this process
//! lines up behind it, and a look now and then ignores all marks: it finds what another process has lined up there and not
//! dispatched.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jobs::job::JobId;

use crate::{db::jobs::dispatch::Lane, services::dispatcher::window::EnqueuedSince};

/// A lane from which fewer jobs were taken leaves too little behind to be worth a mark.
const WORTH_A_MARK: u64 = 500;
/// More marks cost more questions than they spare.
const MOST: usize = 16;
/// Between two looks that ignore the marks.
const SWEEP: Duration = Duration::from_secs(30);
/// A lane from which nothing has been taken for so long has been cleaned up, as a rule.
const KEPT: Duration = Duration::from_mins(15);

/// The marks of one queue.
pub(super) struct Marks {
    lanes: BTreeMap<Lane, Mark>,
    swept: Instant,
}

struct Mark {
    /// No row with this id or a lower one waits; `None` when there may be.
    after: Option<JobId>,
    /// The highest id that was taken.
    top: JobId,
    /// How many were taken.
    taken: u64,
    moved: Instant,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self {
            lanes: BTreeMap::new(),
            swept: Instant::now(),
        }
    }

    /// A look begins, before which these have lined up.
    pub(super) fn begin_look(&mut self, enqueued: &EnqueuedSince) {
        self.lanes.retain(|_, mark| mark.moved.elapsed() < KEPT);
        let sweep = self.swept.elapsed() >= SWEEP;
        if sweep {
            self.swept = Instant::now();
        }
        match enqueued {
            _ if sweep => self.move_back(None),
            EnqueuedSince::Nothing => {}
            // Those of the same millisecond as well.
            EnqueuedSince::Since(oldest) => self.move_back(Some(JobId::lower_bound(oldest.created_at()))),
            EnqueuedSince::OfAnyAge => self.move_back(None),
        }
    }

    /// The marks worth using, in the order of their lanes.
    pub(super) fn used(&self) -> Vec<(Lane, JobId)> {
        let used = self.lanes.iter().filter(|(_, mark)| mark.taken >= WORTH_A_MARK);
        used.filter_map(|(lane, mark)| Some((lane.clone(), mark.after?)))
            .collect()
    }

    /// Behind which job the next one of a lane is looked for.
    pub(super) fn of(&self, lane: &Lane) -> Option<JobId> {
        self.lanes.get(lane)?.after
    }

    /// Jobs of a lane were taken, the last of them this one, and those were all when it is `emptied`.
    pub(super) fn taken(&mut self, lane: &Lane, count: u64, last: Option<JobId>, emptied: bool) {
        if let Some(last) = last {
            let mark = self.lanes.entry(lane.clone()).or_insert(Mark {
                after: None,
                top: last,
                taken: 0,
                moved: Instant::now(),
            });
            mark.top = mark.top.max(last);
            mark.after = Some(last);
            mark.taken += count;
            mark.moved = Instant::now();
        }
        if let Some(mark) = self.lanes.get_mut(lane).filter(|_| emptied) {
            mark.after = Some(mark.top);
        }
        if self.lanes.len() > MOST {
            let least = self.lanes.iter().min_by_key(|(_, mark)| (mark.taken, mark.moved));
            if let Some(lane) = least.map(|(lane, _)| lane.clone()) {
                self.lanes.remove(&lane);
            }
        }
    }

    /// The look has seen that no lane between these has rows left.
    pub(super) fn emptied(&mut self, lanes: &[Lane]) {
        for (lane, mark) in &mut self.lanes {
            if !lanes.contains(lane) {
                mark.after = Some(mark.top);
            }
        }
    }

    fn move_back(&mut self, before: Option<JobId>) {
        for mark in self.lanes.values_mut() {
            mark.after = match before {
                Some(before) => mark.after.map(|after| after.min(before)),
                None => None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use jobs::job::{Priority, QueueName};

    use super::*;
    use crate::services::dispatcher::window::{WindowSettings, Windows};

    fn lane(key: &str) -> Lane {
        Lane {
            priority: Priority::STANDARD,
            fairness_key: key.to_owned(),
        }
    }

    fn id(second: i64) -> JobId {
        JobId::lower_bound(Utc::now() + TimeDelta::seconds(second))
    }

    #[test]
    fn a_mark_moves_back_for_what_lines_up_behind_it_and_returns_when_that_is_taken() {
        let (mut marks, a) = (Marks::new(), lane("a"));
        let (old, late, last) = (id(-60), id(-10), id(0));
        marks.taken(&a, WORTH_A_MARK, Some(last), true);
        assert_eq!(marks.used(), [(a.clone(), last)]);
        marks.begin_look(&EnqueuedSince::Nothing);
        assert_eq!(marks.of(&a), Some(last));

        marks.begin_look(&EnqueuedSince::Since(late));
        assert!(marks.of(&a).is_some_and(|after| after <= late && after > old));
        marks.taken(&a, 1, Some(late), true);
        assert_eq!(marks.of(&a), Some(last));

        marks.begin_look(&EnqueuedSince::OfAnyAge);
        assert_eq!((marks.of(&a), marks.used().len()), (None, 0));
        marks.emptied(std::slice::from_ref(&a));
        assert_eq!(marks.of(&a), None, "there are some");
        marks.taken(&a, 500, Some(old), false);
        assert_eq!(marks.of(&a), Some(old), "there may be more behind it");
        marks.emptied(&[]);
        assert_eq!(marks.of(&a), Some(last));
    }

    #[test]
    fn a_look_now_and_then_ignores_all_marks() {
        let (mut marks, a) = (Marks::new(), lane("a"));
        marks.taken(&a, WORTH_A_MARK, Some(id(0)), true);
        marks.swept = Instant::now().checked_sub(SWEEP).unwrap();
        marks.begin_look(&EnqueuedSince::Nothing);
        assert_eq!(marks.of(&a), None);
        marks.emptied(&[]);
        marks.begin_look(&EnqueuedSince::Nothing);
        assert!(marks.of(&a).is_some());
    }

    #[test]
    fn there_are_few_of_them() {
        let mut marks = Marks::new();
        for number in 0..100 {
            marks.taken(&lane(&number.to_string()), 1_000 + number, Some(id(0)), true);
        }
        assert_eq!(marks.used().len(), MOST);
        marks.taken(&lane("small"), 1, Some(id(0)), true);
        assert!(marks.used().iter().all(|(lane, _)| lane.fairness_key != "small"));
    }

    #[test]
    fn what_lines_up_is_told_to_the_next_look() {
        let windows = Windows::new(WindowSettings::default());
        let queue = QueueName::standard();
        assert_eq!(windows.begin_look(&queue), EnqueuedSince::Nothing);
        let (older, newer) = (id(-5), id(0));
        windows.enqueued_new(&queue, newer);
        windows.enqueued_new(&queue, older);
        assert_eq!(windows.begin_look(&queue), EnqueuedSince::Since(older));
        assert_eq!(windows.begin_look(&queue), EnqueuedSince::Nothing);
        windows.enqueued(&queue);
        windows.enqueued_new(&queue, newer);
        assert_eq!(windows.begin_look(&queue), EnqueuedSince::OfAnyAge);
    }
}
