//! The jobs that a queue holds, page by page.

use std::collections::HashMap;

use redis::{cmd, pipe};

use super::{BATCH, Queues};
use crate::error::Error;
use crate::job::{Envelope, JobId, JobState, QueueName};

/// Workers whose jobs are looked up.
const MOST_WORKERS: isize = 1_000;

/// A job that Redis holds.
#[derive(Debug, Clone)]
pub(crate) struct HeldJob {
    pub(crate) envelope: Envelope,
    /// Attempts made, the running one included.
    pub(crate) attempt: u32,
    pub(crate) state: JobState,
}

impl Queues {
    /// Jobs of a queue for which `wanted` is true, without the first `skip` of them and at most `most`, in no particular
    /// order. Looks through all of the queue when few are wanted.
    pub(crate) async fn list(
        &self,
        queue: &QueueName,
        wanted: impl Fn(&Envelope, JobState) -> bool,
        skip: usize,
        most: usize,
    ) -> Result<Vec<HeldJob>, Error> {
        let keys = self.keys(queue);
        let running = self.running(queue).await?;
        let mut found = Vec::new();
        let mut cursor = 0_u64;
        while found.len() < skip + most {
            let mut scan = cmd("HSCAN");
            scan.arg(keys.jobs()).arg(cursor).arg("COUNT").arg(BATCH);
            let (next, page): (u64, Vec<(String, Vec<u8>)>) = self.connection.command(&scan).await?;
            // A job that was cancelled in its lane has no envelope, and one that cannot be read is no job to list.
            let jobs: Vec<Envelope> = page
                .iter()
                .filter_map(|(id, envelope)| Envelope::read(id.parse().ok()?, envelope).ok())
                .collect();
            let mut look = pipe();
            for job in &jobs {
                look.zscore(keys.scheduled(), job.id.to_string())
                    .hget(keys.attempts(), job.id.to_string());
            }
            let facts: Vec<Option<f64>> = if jobs.is_empty() {
                Vec::new()
            } else {
                self.connection.pipeline(&look).await?
            };
            for (envelope, facts) in jobs.into_iter().zip(facts.chunks(2)) {
                let made = facts.get(1).copied().flatten().unwrap_or_default();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "casts of floats saturate"
                )]
                let made = made as u32;
                let is_scheduled = facts.first().copied().flatten().is_some();
                let (state, attempt) = match running.get(&envelope.id) {
                    Some(attempt) => (JobState::Running, *attempt),
                    None if is_scheduled && made > 0 => (JobState::Retrying, made),
                    None if is_scheduled => (JobState::Scheduled, made),
                    None => (JobState::Queued, made),
                };
                if wanted(&envelope, state) {
                    found.push(HeldJob {
                        envelope,
                        attempt,
                        state,
                    });
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        Ok(found.into_iter().skip(skip).take(most).collect())
    }

    /// The jobs that workers hold, and their attempts.
    async fn running(&self, queue: &QueueName) -> Result<HashMap<JobId, u32>, Error> {
        let keys = self.keys(queue);
        let mut range = cmd("ZRANGE");
        range.arg(keys.workers()).arg(0).arg(MOST_WORKERS - 1);
        let workers: Vec<String> = self.connection.command(&range).await?;
        if workers.is_empty() {
            return Ok(HashMap::new());
        }
        let mut look = pipe();
        for worker in &workers {
            look.hgetall(keys.running(worker));
        }
        let running: Vec<HashMap<String, u32>> = self.connection.pipeline(&look).await?;
        let jobs = running.into_iter().flatten();
        Ok(jobs
            .filter_map(|(id, attempt)| Some((id.parse().ok()?, attempt)))
            .collect())
    }
}
