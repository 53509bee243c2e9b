//! Puts jobs into a queue, in calls that Redis answers quickly.

use redis::cmd;

use super::clock::Deadline;
use super::events::codec::{EndedOnWire, Queued};
use super::events::{AttemptError, ErrorKind, Finished, Notes, Outcome};
use super::keys::Keys;
use super::scripts::BATCH;
use super::{Queues, json, leases, scripts};
use crate::error::{Error, chain};
use crate::job::{Envelope, JobId, QueueName};

/// Events that name more jobs than this are of no use to anybody: who follows reads the lists again.
const NAMED_MAX: usize = 50;

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pushed {
    /// Jobs that were put in.
    pub pushed: usize,
    /// Jobs that Redis knew already.
    pub known: usize,
    /// Jobs that were not put in because the deadline had passed.
    pub late: usize,
    /// Jobs that Redis refuses for ever, and why.
    pub refused: Vec<(JobId, String)>,
    /// Jobs that the queue holds in Redis now: waiting, scheduled and running.
    pub held: u64,
}

pub(super) async fn push(
    queues: &Queues,
    queue: &QueueName,
    jobs: &[Envelope],
    deadline: Option<Deadline>,
) -> Result<Pushed, Error> {
    let keys = queues.keys(queue);
    let mut done = Pushed::default();
    let mut rest = jobs;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(BATCH).take_while(|job| {
            let first = bytes == 0;
            bytes += job.input.get().len() + 256;
            first || bytes <= queues.settings.call_bytes
        });
        let (batch, after) = rest.split_at(fits.count());
        push_or_halve(queues, &keys, batch, deadline, &mut done).await?;
        rest = after;
    }
    Ok(done)
}

/// Pushes in one call. When Redis refuses that, and not because it is away or full, in halves: one job that it does not
/// take must not keep the others back.
async fn push_or_halve(
    queues: &Queues,
    keys: &Keys,
    batch: &[Envelope],
    deadline: Option<Deadline>,
    done: &mut Pushed,
) -> Result<(), Error> {
    let mut batches = vec![batch];
    while let Some(batch) = batches.pop() {
        match push_batch(queues, keys, batch, deadline).await {
            Ok((pushed, held)) => {
                match pushed {
                    Some(pushed) => {
                        done.pushed += pushed;
                        done.known += batch.len() - pushed;
                    }
                    None => done.late += batch.len(),
                }
                done.held = held;
            }
            Err(Error::Command(_)) if batch.len() > 1 => {
                let (first, second) = batch.split_at(batch.len() / 2);
                batches.extend([second, first]);
            }
            Err(error @ Error::Command(_)) => {
                let refused = batch.iter().map(|job| (job.id, chain(&error)));
                done.refused.extend(refused);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Tells that a job which Redis refuses has ended.
pub(super) async fn announce_refused(
    queues: &Queues,
    queue: &QueueName,
    job: &Envelope,
    reason: &str,
) -> Result<(), Error> {
    let now = leases::now();
    let finished = Finished {
        id: job.id,
        attempt: job.attempt + 1,
        function: job.function.clone(),
        worker: String::new(),
        started_at: now,
        finished_at: now,
        outcome: Outcome::Dead {
            error: AttemptError {
                kind: ErrorKind::Error,
                message: format!("Redis refuses the job: {reason}"),
            },
        },
        notes: Notes::default(),
    };
    append(queues, queue, "finished", &json(&[EndedOnWire::of(&finished)])?).await
}

/// Appends the event that a push would append, and nothing else.
pub(super) async fn announce(queues: &Queues, queue: &QueueName, jobs: &[Envelope]) -> Result<(), Error> {
    if jobs.len() > NAMED_MAX {
        return announce_many(queues, queue, jobs.len()).await;
    }
    let named: Vec<Queued> = jobs.iter().map(Queued::of).collect();
    let mut add = cmd("XADD");
    add.arg(queues.keys(queue).events())
        .arg(&["*", "t", "queued", "d", &json(&named)?]);
    // What tells of new jobs comes in, as they do: a full Redis refuses it.
    queues.connection.command::<String>(&add).await?;
    Ok(())
}

/// Appends the event that calling these jobs off in Redis would append, and nothing else.
pub(super) async fn announce_cancelled(
    queues: &Queues,
    queue: &QueueName,
    jobs: &[(JobId, u32, &str)],
) -> Result<(), Error> {
    append(queues, queue, "cancelled", &told(jobs)).await
}

/// Appends an event about these jobs, which are to be run again, and nothing else.
pub(super) async fn announce_again(
    queues: &Queues,
    queue: &QueueName,
    jobs: &[(JobId, u32, &str)],
) -> Result<(), Error> {
    if jobs.len() > NAMED_MAX {
        return announce_many(queues, queue, jobs.len()).await;
    }
    append(queues, queue, "again", &told(jobs)).await
}

/// Appends the event of a push of so many jobs, and nothing else: who follows reads the lists again.
pub(super) async fn announce_many(queues: &Queues, queue: &QueueName, count: usize) -> Result<(), Error> {
    append(queues, queue, "queued_many", &count.to_string()).await
}

fn told(jobs: &[(JobId, u32, &str)]) -> String {
    let told: Vec<String> = jobs
        .iter()
        .map(|(id, attempt, function)| format!("{id}:{attempt}:{function}"))
        .collect();
    told.join(" ")
}

async fn append(queues: &Queues, queue: &QueueName, kind: &str, data: &str) -> Result<(), Error> {
    let mut call = scripts::ANNOUNCE.call(&queues.keys(queue).of_queue());
    call.arg("kind", kind).arg("data", data);
    queues.connection.script::<u64>(&call).await?;
    Ok(())
}

/// How many were put in, or `None` when it came too late; and how many the queue holds.
async fn push_batch(
    queues: &Queues,
    keys: &Keys,
    jobs: &[Envelope],
    deadline: Option<Deadline>,
) -> Result<(Option<usize>, u64), Error> {
    let mut call = scripts::PUSH.call(&keys.of_queue());
    call.arg("deadline_ms", deadline.map_or(0, Deadline::ms));
    let named = jobs.len() <= NAMED_MAX;
    for job in jobs {
        let due = job.run_at.map_or(0, |time| time.timestamp_millis().max(0));
        let event = if named {
            json(&Queued::of(job))?
        } else {
            String::new()
        };
        call.arg("id", job.id.to_string())
            .arg("envelope", json(job)?)
            .arg("run_at_ms", due)
            .arg("attempts_made", job.attempt)
            .arg("lane", job.lane().unwrap_or_default())
            .arg("event", event);
    }
    let (pushed, held): (i64, u64) = queues.connection.script_twice(&call).await?;
    Ok((usize::try_from(pushed).ok(), held))
}
