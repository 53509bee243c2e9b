//! Fetches jobs while there is room for them, and sleeps until there is work.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::in_flight::InFlight;
use super::queue_selector::QueueSelector;
use super::retry_loop::RetryLoop;
use super::task_queue::{Assignment, TaskQueue};
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::leases::{BATCH, Claim, Claims, Room};
use crate::queue::notify::Wakes;

/// An idle worker asks a queue at least this often: a safety net under the wake lists. With many queues less often, so
/// that a worker of a hundred idle ones costs no more than one of twenty.
const IDLE_POLL: Duration = Duration::from_secs(1);
const IDLE_POLL_FOR_EACH: Duration = Duration::from_millis(50);
/// A busy worker of many queues, which does not listen to the wake lists, does not ask an idle one in every round.
const FEW_QUEUES: usize = 16;
const BUSY_POLL_FOR_EACH: Duration = Duration::from_millis(2);

/// On a cluster: how long a fetch from one queue may keep the others waiting. It goes on beside them after that.
const SLOW_AFTER: Duration = Duration::from_millis(100);

/// What is known of each queue between two rounds.
#[derive(Default)]
struct Rounds {
    /// Fetches that take long, one a queue at most.
    slow: HashMap<QueueName, JoinHandle<Result<Got, Error>>>,
    /// Queues that had nothing the last time. One that is not in it is asked at once.
    idle: HashMap<QueueName, Idle>,
    /// The last round brought jobs.
    busy: bool,
    /// On a cluster: queues that could not be asked the last time.
    failing: HashSet<QueueName>,
    /// Queues that give nothing that would have to wait for a place.
    limited: HashSet<QueueName>,
}

/// When a queue was asked last, and when it is to be asked again if its wake list has no token before.
#[derive(Clone, Copy)]
struct Idle {
    since: Instant,
    until: Instant,
}

impl Rounds {
    fn skips(&self, queue: &QueueName, busy_poll: Duration) -> bool {
        let now = Instant::now();
        self.idle.get(queue).is_some_and(|idle| {
            let until = if self.busy {
                idle.since + busy_poll
            } else {
                idle.until
            };
            until > now
        })
    }

    fn rests(&mut self, queue: &QueueName, length: Duration) {
        let since = Instant::now();
        let until = since + length;
        self.idle.insert(queue.clone(), Idle { since, until });
    }
}

/// What came of one fetch.
struct Got {
    any: bool,
    next_due: Option<Duration>,
    /// The queue gives nothing that would have to wait for a place.
    limited: bool,
}

/// What follows a round of fetches.
enum Next {
    AnotherRound,
    /// There was nothing: sleeps until the wake list has a token, or for so long.
    Sleep(Duration),
    /// Queues that give nothing to wait for a place were not asked: sleeps until a place is free, or for so long.
    Place(Duration),
}

#[derive(Clone)]
pub(crate) struct Fetcher {
    pub(crate) claims: Claims,
    pub(crate) queues: QueueSelector,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) tasks: Arc<TaskQueue>,
    pub(crate) stop: CancellationToken,
}

impl Fetcher {
    /// Runs until it is stopped. What was fetched by then is in `held`.
    pub(crate) async fn run(self) {
        let mut retry = RetryLoop::new("fetch");
        let mut wakes = self.claims.wakes(self.queues.names());
        // Those that are under way at the end are not waited for: a slow node must not keep the worker from giving jobs back
        // to the others. What they bring is rescued when the lease lapses.
        let mut rounds = Rounds::default();
        while !self.stop.is_cancelled() {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.in_flight.wait_for_room() => {}
            }
            // A fetch that has begun is never dropped: its jobs would be held by no process until the next heartbeats.
            let idle_for = match self.fetch_all(&mut rounds).await {
                Ok(Next::Sleep(idle_for)) => idle_for,
                Ok(Next::AnotherRound) => {
                    retry.succeeded();
                    continue;
                }
                Ok(Next::Place(idle_for)) => {
                    retry.succeeded();
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = self.in_flight.wait_for_place() => {}
                        () = tokio::time::sleep(idle_for) => {}
                    }
                    continue;
                }
                Err(error) => {
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = retry.failed(&error) => continue,
                    }
                }
            };
            retry.succeeded();
            let woken = tokio::select! {
                () = self.stop.cancelled() => break,
                woken = sleep(&mut wakes, idle_for) => woken,
            };
            match woken {
                Ok(None) => {}
                Ok(Some(queue)) => drop(rounds.idle.remove(&queue)),
                Err(error) => {
                    // Tokens that were taken meanwhile are lost.
                    rounds.idle.clear();
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = retry.failed(&error) => {}
                    }
                }
            }
        }
    }

    /// Fetches from every queue that is to be asked, whose turn it is first.
    async fn fetch_all(&self, rounds: &mut Rounds) -> Result<Next, Error> {
        let many = u32::try_from(self.queues.names().len()).unwrap_or(u32::MAX);
        let idle_poll = IDLE_POLL.max(IDLE_POLL_FOR_EACH.saturating_mul(many));
        let busy_poll = match self.queues.names().len() {
            ..=FEW_QUEUES => Duration::ZERO,
            _ => BUSY_POLL_FOR_EACH.saturating_mul(many),
        };
        let mut any = false;
        let mut passed_over = false;
        let mut failed = None;
        let round = self.queues.next_round(&mut rand::rng());
        for queue in round {
            if rounds.skips(queue, busy_poll) {
                continue;
            }
            let room = self.in_flight.room();
            if room == 0 {
                rounds.busy = true;
                return Ok(Next::AnotherRound);
            }
            let room = Room {
                most: room.min(BATCH),
                places: self.in_flight.free_places(),
                suspect: self.in_flight.may_take_suspect(),
            };
            if room.places == 0 && rounds.limited.contains(queue) {
                passed_over = true;
                continue;
            }
            let got = if self.claims.queues_are_apart() {
                match self.fetch_beside(rounds, queue, room).await {
                    Some(Ok(got)) => got,
                    // The other queues may be on nodes that are there.
                    Some(Err(error)) => {
                        failed = Some(error);
                        rounds.failing.insert(queue.clone());
                        rounds.rests(queue, IDLE_POLL);
                        continue;
                    }
                    None => continue,
                }
            } else {
                self.fetch(queue, room).await?
            };
            any |= got.any;
            rounds.failing.remove(queue);
            if got.limited {
                rounds.limited.insert(queue.clone());
            } else {
                rounds.limited.remove(queue);
            }
            if got.any {
                rounds.idle.remove(queue);
            } else {
                rounds.rests(queue, got.next_due.unwrap_or(idle_poll).min(idle_poll));
            }
        }
        rounds.busy = any;
        match failed {
            Some(error) if rounds.failing.len() == self.queues.names().len() => {
                rounds.idle.clear();
                Err(error)
            }
            Some(_) | None if any => Ok(Next::AnotherRound),
            Some(_) | None => {
                let next = rounds.idle.values().map(|idle| idle.until).min();
                let next = next.map(|at| at.saturating_duration_since(Instant::now()));
                let idle_for = next.unwrap_or(IDLE_POLL).min(idle_poll);
                Ok(if passed_over {
                    Next::Place(idle_for)
                } else {
                    Next::Sleep(idle_for)
                })
            }
        }
    }

    /// Fetches from one queue and hands on what it gave.
    async fn fetch(&self, queue: &QueueName, room: Room) -> Result<Got, Error> {
        let fetched = self.claims.fetch(queue, room).await?;
        let got = Got {
            any: !fetched.claims.is_empty(),
            next_due: fetched.next_due,
            limited: fetched.limited,
        };
        self.hand_on(fetched.claims);
        Ok(got)
    }

    /// The same in a task of its own, which is waited for a moment. `None` while it is under way. A slow one may bring
    /// jobs when the room is taken already: one queue's, once.
    async fn fetch_beside(
        &self,
        rounds: &mut Rounds,
        queue: &QueueName,
        room: Room,
    ) -> Option<Result<Got, Error>> {
        let mut fetching = match rounds.slow.remove(queue) {
            Some(fetching) if !fetching.is_finished() => {
                rounds.slow.insert(queue.clone(), fetching);
                return None;
            }
            Some(finished) => finished,
            None => {
                let (fetcher, queue) = (self.clone(), queue.clone());
                tokio::spawn(async move { fetcher.fetch(&queue, room).await })
            }
        };
        match tokio::time::timeout(SLOW_AFTER, &mut fetching).await {
            Ok(Ok(result)) => Some(result),
            Ok(Err(ended)) => {
                tracing::error!(%queue, error = %ended, "a fetch ended without a result");
                None
            }
            Err(_elapsed) => {
                rounds.slow.insert(queue.clone(), fetching);
                None
            }
        }
    }

    /// Gives jobs to apalis: one task for each, or for a few of those that take no time. One that Redis has to be asked
    /// about would hold the others of its task up.
    fn hand_on(&self, claims: Vec<Claim>) {
        let length = self.in_flight.run_together();
        let mut together = Vec::new();
        for claim in claims {
            let alone = claim.is_marked_first();
            if alone {
                self.tasks.push(std::mem::take(&mut together));
            }
            together.push(Assignment {
                job: self.in_flight.add(&claim),
                claim,
            });
            if alone || together.len() >= length {
                self.tasks.push(std::mem::take(&mut together));
            }
        }
        self.tasks.push(together);
    }
}

async fn sleep(wakes: &mut Wakes, longest: Duration) -> Result<Option<QueueName>, Error> {
    if longest.is_zero() {
        return Ok(None);
    }
    wakes.wait(longest).await
}
