//! What the queue should be like: the rules in plain collections, without Redis.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::steps::{SUSPECT_LANE, lane};

/// What the queue should be like.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Lanes that are not empty: the jobs, and the turns that the lane has had.
    pub(super) waiting: BTreeMap<&'static str, (VecDeque<u8>, u64)>,
    /// Job to whether it is due.
    pub(super) scheduled: BTreeMap<u8, bool>,
    pub(super) running: BTreeMap<u8, (u8, u32)>,
    pub(super) made: BTreeMap<u8, u32>,
    /// Jobs in hand of which the attempt has begun, as far as Redis knows.
    pub(super) begun: BTreeSet<u8>,
    /// Jobs whose worker vanished: how often before they had begun.
    pub(super) suspects: BTreeMap<u8, u32>,
    pub(super) finished: BTreeMap<u8, u32>,
    /// Cancelled while they waited: still in the list, until a fetch comes to them.
    pub(super) hollow: BTreeSet<u8>,
    /// Cancelled while they ran.
    pub(super) marked: BTreeSet<u8>,
    pub(super) stale: u64,
    pub(super) most_running: Option<usize>,
}

impl Model {
    /// The lane that a job waits in.
    pub(super) fn lane(&self, job: u8) -> &'static str {
        if self.suspects.contains_key(&job) {
            SUSPECT_LANE
        } else {
            lane(job)
        }
    }

    /// A job leaves the hands of its worker. Returns whether it had begun.
    pub(super) fn let_go(&mut self, job: u8) -> bool {
        self.running.remove(&job);
        self.begun.remove(&job)
    }

    pub(super) fn waits(&self, job: u8) -> bool {
        let lane = self.waiting.get(self.lane(job));
        lane.is_some_and(|(jobs, _)| jobs.contains(&job))
    }

    /// Lines a job up in its lane; one that was empty begins with the present turn of its priority.
    pub(super) fn enqueue(&mut self, job: u8, at_front: bool) {
        let name = self.lane(job);
        let turn = self.waiting.iter().filter(|(other, _)| other[..1] == name[..1]);
        let turn = turn.map(|(_, (_, turn))| *turn).min().unwrap_or(0);
        let (jobs, _) = self.waiting.entry(name).or_insert((VecDeque::new(), turn));
        if at_front {
            jobs.push_front(job);
        } else {
            jobs.push_back(job);
        }
    }

    /// Takes a job out of its lane.
    pub(super) fn leave(&mut self, job: u8) {
        let name = self.lane(job);
        if let Some((jobs, _)) = self.waiting.get_mut(name) {
            jobs.retain(|other| *other != job);
            if jobs.is_empty() {
                self.waiting.remove(name);
            }
        }
    }

    /// The lane whose turn it is.
    pub(super) fn next_lane(&self) -> Option<&'static str> {
        // A turn of its own, before the others.
        let lanes = self.waiting.iter().filter(|(name, _)| **name != SUSPECT_LANE);
        let key =
            |(name, (_, turn)): &(&&'static str, &(VecDeque<u8>, u64))| (name[..1].to_owned(), *turn, **name);
        lanes.min_by_key(key).map(|(name, _)| *name)
    }

    pub(super) fn knows(&self, job: u8) -> bool {
        self.waits(job) || self.scheduled.contains_key(&job) || self.running.contains_key(&job)
    }

    pub(super) fn set_made(&mut self, job: u8, attempts: u32) {
        if attempts == 0 {
            self.made.remove(&job)
        } else {
            self.made.insert(job, attempts)
        };
    }

    pub(super) fn end(&mut self, job: u8) {
        self.made.remove(&job);
        self.marked.remove(&job);
        // One that was cancelled stays in its lane until a fetch comes to it.
        if !self.hollow.contains(&job) {
            self.suspects.remove(&job);
        }
        *self.finished.entry(job).or_default() += 1;
    }
}
