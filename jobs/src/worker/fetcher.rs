//! Fetches jobs while there is room for them, and sleeps until there is work.

use std::sync::Arc;
use std::time::Duration;

use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_redis::RedisTask;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::held::{Held, HeldJob};
use super::patience::Patience;
use super::rota::Rota;
use crate::error::Error;
use crate::queue::claims::{BATCH, Claim, Claims};
use crate::queue::wake::Wakes;

/// An idle worker asks at least this often: a safety net under the wake list.
const IDLE_POLL: Duration = Duration::from_secs(1);

/// A claim on its way to the function.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) claim: Claim,
    pub(crate) job: Arc<HeldJob>,
}

pub(crate) struct Fetcher {
    pub(crate) claims: Claims,
    pub(crate) queues: Rota,
    pub(crate) held: Arc<Held>,
    pub(crate) tasks: mpsc::UnboundedSender<RedisTask<Vec<Assignment>>>,
    pub(crate) stop: CancellationToken,
}

impl Fetcher {
    /// Runs until it is stopped. What was fetched by then is in `held`.
    pub(crate) async fn run(self) {
        let mut patience = Patience::new("fetch");
        let mut wakes = self.claims.wakes(self.queues.names());
        while !self.stop.is_cancelled() {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.held.wait_for_room() => {}
            }
            // A fetch that has begun is never dropped: its jobs would be held by nobody until the next heartbeats.
            let idle_for = match self.fetch_all().await {
                Ok(Some(idle_for)) => idle_for,
                Ok(None) => {
                    patience.succeeded();
                    continue;
                }
                Err(error) => {
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = patience.failed(&error) => continue,
                    }
                }
            };
            patience.succeeded();
            let woken = tokio::select! {
                () = self.stop.cancelled() => break,
                woken = sleep(&mut wakes, idle_for) => woken,
            };
            if let Err(error) = woken {
                tokio::select! {
                    () = self.stop.cancelled() => break,
                    () = patience.failed(&error) => {}
                }
            }
        }
    }

    /// Fetches from every queue, whose turn it is first. When there was nothing: for how long to sleep.
    async fn fetch_all(&self) -> Result<Option<Duration>, Error> {
        let mut idle_for = IDLE_POLL;
        let mut any = false;
        let mut answered = false;
        let mut failed = None;
        let round = self.queues.next_round(&mut rand::rng());
        for queue in round {
            let room = self.held.room();
            if room == 0 {
                return Ok(None);
            }
            let fetched = match self.claims.fetch(queue, room.min(BATCH)).await {
                Ok(fetched) => fetched,
                // The other queues may be on nodes that are there.
                Err(error) if self.claims.queues_are_apart() => {
                    failed = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            answered = true;
            idle_for = idle_for.min(fetched.next_due.unwrap_or(IDLE_POLL));
            any |= !fetched.claims.is_empty();
            self.hand_on(fetched.claims);
        }
        match failed {
            Some(error) if !answered => Err(error),
            Some(_) | None => Ok((!any).then_some(idle_for)),
        }
    }

    /// Gives jobs to apalis: one task for each, or for a few of those that take no time.
    fn hand_on(&self, claims: Vec<Claim>) {
        let length = self.held.run_together();
        let mut claims = claims.into_iter().peekable();
        while let Some(first) = claims.peek() {
            let id = TaskId::from_string(first.id.to_string());
            let assignments = claims.by_ref().take(length).map(|claim| Assignment {
                job: self.held.add(&claim),
                claim,
            });
            let task = TaskBuilder::new(assignments.collect()).task_id(id).build();
            // The receiver goes away only when the worker has ended; the job is then given back with the rest.
            let _ended = self.tasks.send(task);
        }
    }
}

async fn sleep(wakes: &mut Wakes, longest: Duration) -> Result<(), Error> {
    if longest.is_zero() {
        return Ok(());
    }
    wakes.wait(longest).await
}
