//! Puts jobs into a queue, in calls that Redis answers quickly.

use redis::cmd;

use super::clock::Deadline;
use super::events::codec::{EncodedFinished, Queued};
use super::events::{AttemptError, ErrorKind, Finished, Notes, Outcome};
use super::keys::Keys;
use super::scripts::BATCH;
use super::{Queues, json, leases, scripts};
use crate::error::{Error, chain};
use crate::job::{Envelope, JobId, QueueName};

/// Events that name more jobs than this are of no use: whoever follows them reads the lists again.
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

impl Queues {
    /// Puts jobs into a queue, any number of them, in bounded calls. Doing it twice changes nothing.
    ///
    /// # Errors
    /// Some of the jobs may have been put in when Redis fails on the way; push them all again.
    pub async fn push(&self, queue: &QueueName, jobs: &[Envelope]) -> Result<Pushed, Error> {
        self.push_all(queue, jobs, None).await
    }

    /// The same, but not after `deadline`: however long this process is held up, jobs that it took from SQL do not
    /// come into Redis when another process may have pushed them, and they may have ended, meanwhile.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub async fn push_before(
        &self,
        deadline: Deadline,
        queue: &QueueName,
        jobs: &[Envelope],
    ) -> Result<Pushed, Error> {
        self.push_all(queue, jobs, Some(deadline)).await
    }

    /// Appends the event that a push of these new jobs would append, which SQL keeps for the time being.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce(&self, queue: &QueueName, jobs: &[Envelope]) -> Result<(), Error> {
        if jobs.len() > NAMED_MAX {
            return self.announce_many(queue, jobs.len()).await;
        }
        let named: Vec<Queued> = jobs.iter().map(Queued::of).collect();
        let mut add = cmd("XADD");
        add.arg(self.keys(queue).events())
            .arg(&["*", "t", "queued", "d", &json(&named)?]);
        // A full Redis refuses the event of new jobs, as it refuses new jobs.
        self.connection.command::<String>(&add).await?;
        Ok(())
    }

    /// Appends the event that these jobs (with their attempts and functions), which SQL kept, are cancelled.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce_cancelled(
        &self,
        queue: &QueueName,
        jobs: &[(JobId, u32, &str)],
    ) -> Result<(), Error> {
        self.append(queue, "cancelled", &attempts_text(jobs)).await
    }

    /// Ends a job that Redis refuses (see [`Pushed::refused`]): appends the event that it is dead, and why.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce_refused(
        &self,
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
        self.append(queue, "finished", &json(&[EncodedFinished::of(&finished)])?)
            .await
    }

    /// Appends the event that these jobs (with their attempts and functions), which had ended, are to be retried; of very
    /// many, only how many they are.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce_again(&self, queue: &QueueName, jobs: &[(JobId, u32, &str)]) -> Result<(), Error> {
        if jobs.len() > NAMED_MAX {
            return self.announce_many(queue, jobs.len()).await;
        }
        self.append(queue, "again", &attempts_text(jobs)).await
    }

    /// Appends the event that so many jobs have changed in SQL, so that whoever follows the events reads them again.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce_many(&self, queue: &QueueName, count: usize) -> Result<(), Error> {
        self.append(queue, "queued_many", &count.to_string()).await
    }

    async fn push_all(
        &self,
        queue: &QueueName,
        jobs: &[Envelope],
        deadline: Option<Deadline>,
    ) -> Result<Pushed, Error> {
        let keys = self.keys(queue);
        let mut done = Pushed::default();
        let mut rest = jobs;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(BATCH).take_while(|job| {
                let first = bytes == 0;
                bytes += job.input.get().len() + 256;
                first || bytes <= self.settings.call_bytes
            });
            let (batch, after) = rest.split_at(fits.count());
            self.push_or_halve(&keys, batch, deadline, &mut done).await?;
            rest = after;
        }
        Ok(done)
    }

    /// Pushes in one call. When Redis refuses that, and not because it is away or full, in halves: one job that it does not
    /// take must not keep the others back.
    async fn push_or_halve(
        &self,
        keys: &Keys,
        batch: &[Envelope],
        deadline: Option<Deadline>,
        done: &mut Pushed,
    ) -> Result<(), Error> {
        let mut batches = vec![batch];
        while let Some(batch) = batches.pop() {
            match self.push_batch(keys, batch, deadline).await {
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

    /// How many were put in, or `None` when it came too late; and how many the queue holds.
    async fn push_batch(
        &self,
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
        let (pushed, held): (i64, u64) = self.connection.script_twice(&call).await?;
        Ok((usize::try_from(pushed).ok(), held))
    }

    async fn append(&self, queue: &QueueName, kind: &str, data: &str) -> Result<(), Error> {
        let mut call = scripts::ANNOUNCE.call(&self.keys(queue).of_queue());
        call.arg("kind", kind).arg("data", data);
        self.connection.script::<u64>(&call).await?;
        Ok(())
    }
}

fn attempts_text(jobs: &[(JobId, u32, &str)]) -> String {
    let texts: Vec<String> = jobs
        .iter()
        .map(|(id, attempt, function)| format!("{id}:{attempt}:{function}"))
        .collect();
    texts.join(" ")
}
