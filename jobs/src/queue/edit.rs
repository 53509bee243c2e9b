//! Changes jobs that wait: another input, or their time is now.

use redis::cmd;

use super::{BATCH, Queues, json, scripts};
use crate::error::Error;
use crate::job::{Envelope, JobId, QueueName};

/// What an edit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// Redis does not hold the job.
    NotHere,
    /// It has the new envelope.
    Done,
    /// A worker has it: nothing was changed.
    Runs,
}

/// Workers may come while their list is on its way; more often than this they do not.
const MOST_TRIES: usize = 10;

pub(super) async fn run_now(queues: &Queues, queue: &QueueName, ids: &[JobId]) -> Result<Vec<bool>, Error> {
    let keys = queues.keys(queue);
    let mut due = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH) {
        let mut call = scripts::RUN_NOW.key(keys.waiting());
        call.key(keys.lanes()).key(keys.lane_of()).key(keys.scheduled());
        call.key(keys.events()).key(keys.wake());
        for id in batch {
            call.arg(id.to_string());
        }
        let reply: Vec<u64> = queues.connection.script(&call).await?;
        due.extend(reply.into_iter().map(|code| code == 1));
    }
    Ok(due)
}

pub(super) async fn edit(queues: &Queues, queue: &QueueName, job: &Envelope) -> Result<Edited, Error> {
    let keys = queues.keys(queue);
    for _ in 0..MOST_TRIES {
        let mut range = cmd("ZRANGE");
        range.arg(keys.workers()).arg(0).arg(-1);
        let workers: Vec<String> = queues.connection.command(&range).await?;
        let mut call = scripts::EDIT.key(keys.jobs());
        call.key(keys.workers());
        for worker in &workers {
            call.key(keys.running(worker));
        }
        call.arg(workers.len());
        for worker in &workers {
            call.arg(worker);
        }
        call.arg(job.id.to_string()).arg(json(job)?);
        match queues.connection.script::<i64>(&call).await? {
            0 => return Ok(Edited::NotHere),
            1 => return Ok(Edited::Done),
            2 => return Ok(Edited::Runs),
            _ => {}
        }
    }
    Err(Error::Protocol(
        "workers come faster than their list can be read".to_owned(),
    ))
}
