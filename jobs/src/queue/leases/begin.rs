//! What a worker may take, and whether a job that it holds may begin: it may have been cancelled while it waited, or be
//! another worker's by now.

use std::time::Duration;

use super::{Claim, Claims};
use crate::error::Error;
use crate::job::{Envelope, JobId, QueueName};
use crate::queue::{millis, scripts};

/// The way from a fetch to the function takes less, unless something holds this process up.
const FRESH_FOR: Duration = Duration::from_millis(100);

/// What a worker has room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Jobs in all, those that would have to wait for a place included.
    pub(crate) most: usize,
    /// Jobs that could begin at once.
    pub(crate) places: usize,
    /// A job whose worker vanished is taken only when the worker holds no other such job that has just begun.
    pub(crate) suspect: bool,
}

/// Whether a job that this worker was given may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MayBegin {
    /// Redis has marked it as begun.
    Yes,
    /// This worker does not hold the attempt any more.
    NotHeld,
    Cancelled,
}

impl Claim {
    /// Redis has to know that the attempt begins before it does: it is the last one, and must not be made twice; or the
    /// job may end this process before it is reported.
    pub(crate) fn is_marked_first(&self) -> bool {
        let is_last = |envelope: &Envelope| envelope.max_attempts <= self.attempt;
        self.envelope
            .as_ref()
            .is_ok_and(|envelope| self.suspect || is_last(envelope))
    }
}

impl Claims {
    /// Asks whether jobs of one queue, at most `BATCH` of them, may begin, and has Redis mark those as begun. Renews
    /// the lease. May be called again when it failed.
    pub(crate) async fn begin(
        &self,
        queue: &QueueName,
        jobs: &[(JobId, u32)],
    ) -> Result<Vec<MayBegin>, Error> {
        let keys = self.queues.keys(queue);
        let mut call = scripts::BEGIN.call(&keys.of_worker(&self.worker));
        call.arg("worker", &*self.worker)
            .arg("lease_ms", millis(self.lease));
        for (id, attempt) in jobs {
            call.arg("id", id.to_string()).arg("attempt", attempt);
        }
        let reply: Vec<u64> = self.queues.connection.script(&call).await?;
        let beginnings = reply.into_iter().map(|code| match code {
            1 => MayBegin::Yes,
            2 => MayBegin::Cancelled,
            _ => MayBegin::NotHeld,
        });
        Ok(beginnings.collect())
    }

    /// How long after it was asked for a job may begin without another question: later than that it may have been
    /// cancelled, or another worker may have it.
    pub(crate) fn fresh_for(&self) -> Duration {
        FRESH_FOR.min(self.lease / 2)
    }
}
