//! An attempt that ended: its outcome, what happens to the job, and what Redis keeps of the output.

use std::time::Duration;

use crate::error::Error;
use crate::job::QueueName;
use crate::output::OutputSummary;
use crate::queue::events::codec::EncodedFinished;
use crate::queue::events::{Finished, Outcome};
use crate::queue::memo::MemoEntry;

/// Bytes that an attempt may cost a full Redis beside what it gives back.
const SPARE: usize = 256;

/// An attempt that ended, as it is reported to Redis.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) queue: QueueName,
    pub(crate) finished: Finished,
    pub(crate) disposition: Disposition,
    pub(crate) keep: Keep,
    /// Bytes that Redis has back when it forgets the job, about.
    pub(crate) frees: usize,
}

/// What Redis does with a job of which an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Forgets it: it has its outcome.
    Forget,
    /// Keeps it for the next attempt after this wait.
    Retry(Duration),
    /// Forgets it: the next attempt is so far off that SQL keeps the job, and brings it back in time.
    Park,
}

/// What Redis keeps of an output, beside the summary in the event.
#[derive(Debug)]
pub(crate) enum Keep {
    Nothing,
    /// Packed, under the job's id.
    Output(Vec<u8>),
    /// Under the memo key of its function.
    Memo(MemoEntry),
}

impl Ended {
    /// Bytes that it sends to Redis, about.
    pub(crate) fn size(&self) -> usize {
        let lines: usize = self.finished.notes.lines.iter().map(|line| line.text.len()).sum();
        512 + self.keep.size() + lines
    }

    /// Redis has more afterwards than before, so it must not be full.
    pub(crate) fn needs_room(&self) -> bool {
        matches!(self.keep, Keep::Output(_)) && self.keep.size() > self.frees + SPARE
    }

    /// Its output goes into the memo, which takes nothing when Redis is full.
    pub(crate) fn is_for_memo(&self) -> bool {
        matches!(self.keep, Keep::Memo(_))
    }

    /// The event has the output but for its middle: the whole is in what Redis keeps.
    pub(crate) fn is_more_than_its_event(&self) -> bool {
        let large = matches!(
            self.finished.outcome,
            Outcome::Completed {
                output: OutputSummary::Measured(_)
            }
        );
        large && !matches!(self.keep, Keep::Nothing)
    }
}

impl Keep {
    fn size(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Output(bytes) => bytes.len(),
            Self::Memo(entry) => entry.size(),
        }
    }
}

/// The events of attempts as one JSON array, and the place at which each of them ends in it.
pub(super) fn events_of(ended: &[Ended]) -> Result<(Vec<u8>, Vec<usize>), Error> {
    let mut events = Vec::with_capacity(ended.len() * 128);
    let mut ends = Vec::with_capacity(ended.len());
    for ended in ended {
        events.push(if events.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut events, &EncodedFinished::of(&ended.finished))
            .map_err(|error| Error::Protocol(format!("what should go to Redis: {error}")))?;
        ends.push(events.len());
    }
    events.push(b']');
    Ok((events, ends))
}
