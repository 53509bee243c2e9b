//! Records in Redis how attempts ended, in batches of all that came in while the last batch was on its way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::in_flight::InFlight;
use super::retry_loop::RetryLoop;
use crate::error::{Error, chain};
use crate::job::{JobId, QueueName};
use crate::output::shorten;
use crate::queue::events::{AttemptError, ErrorKind, Finished, Notes, Outcome};
use crate::queue::leases::{BATCH, Claims, Disposition, Ended, Keep};
use crate::queue::memo::MemoEntry;

/// Between two tries of what Redis had no room for, or refused.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What the message of a job begins with that ended because Redis refused its outcome.
const REFUSED: &str = "Redis refuses the outcome of the attempt";

enum Message {
    Ended(Vec<Ended>),
    /// Not for this worker: the job waits for another one, and the attempt does not count.
    NotOurs(JobId, u32, Duration),
    /// Answers when everything before it has been recorded.
    Flush(oneshot::Sender<()>),
}

/// Sends to the completers, one for each queue: on a cluster a queue that is away must not hold up the others.
#[derive(Clone)]
pub(crate) struct CompleterHandle {
    by_queue: Arc<HashMap<QueueName, mpsc::UnboundedSender<Message>>>,
}

impl CompleterHandle {
    /// The handle of a worker, and its completers.
    pub(crate) fn new(
        claims: &Claims,
        in_flight: &Arc<InFlight>,
        queues: &[QueueName],
    ) -> (Self, Vec<Completer>) {
        let (by_queue, completers) = queues
            .iter()
            .map(|queue| {
                let (sender, inbox) = mpsc::unbounded_channel();
                let completer = Completer {
                    claims: claims.clone(),
                    in_flight: Arc::clone(in_flight),
                    queue: queue.clone(),
                    inbox,
                    waiting: Vec::new(),
                    try_again_at: Instant::now(),
                };
                ((queue.clone(), sender), completer)
            })
            .unzip();
        let handle = Self {
            by_queue: Arc::new(by_queue),
        };
        (handle, completers)
    }

    /// Records how attempts ended, as soon as can be. After the worker has ended this does nothing: their jobs are given
    /// back, or their lease lapses.
    pub(crate) fn complete(&self, mut ended: Vec<Ended>) {
        ended.sort_by(|one, other| one.queue.cmp(&other.queue));
        while let Some(queue) = ended.last().map(|ended| ended.queue.clone()) {
            let of_queue = ended.split_off(ended.partition_point(|ended| ended.queue < queue));
            if let Some(sender) = self.by_queue.get(&queue) {
                let _ended = sender.send(Message::Ended(of_queue));
            }
        }
    }

    /// Gives a job back that this worker cannot run, to be fetched again after a wait.
    pub(crate) fn give_back(&self, queue: &QueueName, id: JobId, attempt: u32, wait: Duration) {
        if let Some(sender) = self.by_queue.get(queue) {
            let _ended = sender.send(Message::NotOurs(id, attempt, wait));
        }
    }

    /// Waits until everything of a queue has been recorded.
    pub(crate) async fn flush(&self, queue: &QueueName) {
        let (done, flushed) = oneshot::channel();
        let sender = self.by_queue.get(queue);
        if sender.is_some_and(|sender| sender.send(Message::Flush(done)).is_ok()) {
            let _ended = flushed.await;
        }
    }
}

/// Records the attempts of one queue.
pub(crate) struct Completer {
    claims: Claims,
    in_flight: Arc<InFlight>,
    queue: QueueName,
    inbox: mpsc::UnboundedReceiver<Message>,
    /// What Redis has no room for, or refuses: it is tried again now and then, while the others go on.
    waiting: Vec<Ended>,
    try_again_at: Instant,
}

impl Completer {
    /// Runs until every sender is gone. The inbox needs no bound: the jobs that a worker holds are bounded.
    pub(crate) async fn run(mut self) {
        let mut retry = RetryLoop::new("finish");
        loop {
            let mut next = tokio::select! {
                first = self.inbox.recv() => match first {
                    Some(first) => Some(first),
                    None => return,
                },
                () = tokio::time::sleep_until(self.try_again_at), if !self.waiting.is_empty() => None,
            };
            let mut batch = Vec::new();
            if next.is_none() {
                batch.append(&mut self.waiting);
                self.try_again_at = Instant::now() + TRY_AGAIN;
            }
            let mut flushes = Vec::new();
            let mut bytes = 0;
            while let Some(message) = next {
                match message {
                    Message::Ended(ended) => {
                        bytes += ended.iter().map(Ended::size).sum::<usize>();
                        batch.extend(ended);
                    }
                    Message::NotOurs(id, attempt, wait) => {
                        self.give_back(id, attempt, wait, &mut retry).await;
                    }
                    Message::Flush(done) => flushes.push(done),
                }
                let full = batch.len() >= BATCH || bytes >= self.claims.call_bytes() || !flushes.is_empty();
                next = if full { None } else { self.inbox.try_recv().ok() };
            }
            self.complete_all(batch, &mut retry).await;
            for done in flushes {
                // Whoever asked may not wait any more.
                let _gone = done.send(());
            }
        }
    }

    /// Gives a job back, for as long as it takes: it would be held for ever.
    async fn give_back(&self, id: JobId, attempt: u32, wait: Duration, retry: &mut RetryLoop) {
        while let Err(error) = self.claims.give_back(&self.queue, &[(id, attempt)], wait).await {
            if !error.is_unavailable() {
                // The heartbeat finds it in Redis, and gives it back by and by.
                tracing::error!(job = %id, attempt, error = chain(&error), "Redis refuses to take this job back");
                break;
            }
            retry.failed(&error).await;
        }
        retry.succeeded();
        self.in_flight.remove(id, attempt);
    }

    /// Records attempts in calls of bounded size. One that Redis refuses does not hold up the others: the batch is halved
    /// until it stands alone.
    async fn complete_all(&mut self, batch: Vec<Ended>, retry: &mut RetryLoop) {
        let mut batches = in_calls(batch, self.claims.call_bytes());
        while let Some(mut some) = batches.pop_front() {
            match self.complete(&mut some, retry).await {
                Ok(()) => {}
                Err(Error::Full(_)) => batches.extend(self.without_room(some)),
                Err(_) if some.len() > 1 => {
                    let second = some.split_off(some.len() / 2);
                    batches.push_front(second);
                    batches.push_front(some);
                }
                Err(error) => {
                    if let Some(ended) = some.pop().and_then(|ended| self.refused(ended, &error)) {
                        batches.push_front(vec![ended]);
                    }
                }
            }
        }
    }

    /// What can be recorded in a Redis that is full: each attempt whose output is in the event as a whole. The others wait.
    fn without_room(&mut self, ended: Vec<Ended>) -> Option<Vec<Ended>> {
        let (waiting, mut go_on): (Vec<_>, Vec<_>) = ended
            .into_iter()
            .partition(|ended| ended.is_more_than_its_event() && (ended.needs_room() || ended.is_for_memo()));
        if !waiting.is_empty() && self.waiting.is_empty() {
            let queue = &self.queue;
            tracing::warn!(%queue, jobs = waiting.len(), "Redis is full: large outputs wait until it has room for them");
        }
        self.waiting.extend(waiting);
        for ended in &mut go_on {
            if ended.needs_room() || ended.is_for_memo() {
                ended.keep = Keep::Nothing;
            }
        }
        (!go_on.is_empty()).then_some(go_on)
    }

    /// Redis refuses this attempt, and not because it is away: the job ends dead with the reason, which comes back to be
    /// recorded. If that is refused as well, it waits.
    fn refused(&mut self, mut ended: Ended, error: &Error) -> Option<Ended> {
        let finished = &mut ended.finished;
        let (job, attempt) = (finished.id, finished.attempt);
        let error = chain(error);
        if is_refusal(finished) {
            tracing::error!(%job, attempt, error, "Redis refuses to end this job; it is tried again");
            self.waiting.push(ended);
            return None;
        }
        tracing::error!(%job, attempt, error, "Redis refuses how this attempt ended; the job is dead");
        finished.outcome = Outcome::Dead {
            error: AttemptError {
                kind: ErrorKind::Error,
                message: shorten(&format!("{REFUSED}: {error}"), 2_000, 999),
            },
        };
        finished.notes = Notes::default();
        ended.disposition = Disposition::Forget;
        ended.keep = Keep::Nothing;
        Some(ended)
    }

    /// Records attempts, and tries again for as long as Redis is away.
    async fn complete(&self, ended: &mut [Ended], retry: &mut RetryLoop) -> Result<(), Error> {
        let queue = &self.queue;
        let mut tried_before = false;
        loop {
            let result = match self.keep_values(queue, ended).await {
                Ok(()) => self.claims.finish(queue, ended).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(counted) => {
                    retry.succeeded();
                    let gone = ended
                        .iter()
                        .map(|ended| (ended.finished.id, ended.finished.attempt));
                    self.in_flight.remove_all(gone);
                    for (ended, counted) in ended.iter().zip(counted) {
                        let finished = &ended.finished;
                        // After a lost answer "too late" may mean that it was recorded the first time.
                        if !counted && !tried_before {
                            tracing::warn!(
                                job = %finished.id,
                                attempt = finished.attempt,
                                function = finished.function,
                                "a result came too late and was dropped: another worker has taken the job over"
                            );
                        }
                    }
                    return Ok(());
                }
                Err(error) if error.is_full() || !error.is_unavailable() => return Err(error),
                Err(error) => {
                    tried_before = true;
                    retry.failed(&error).await;
                }
            }
        }
    }

    /// Puts values into the memo. One that Redis refuses there is kept as the output of its job alone.
    async fn keep_values(&self, queue: &QueueName, ended: &mut [Ended]) -> Result<(), Error> {
        let mut by_function: Vec<(String, Vec<MemoEntry>)> = Vec::new();
        for ended in &*ended {
            if let Keep::Memo(entry) = &ended.keep {
                let function = ended.finished.function.as_str();
                match by_function.iter_mut().find(|(name, _)| *name == function) {
                    Some((_, entries)) => entries.push(entry.clone()),
                    None => by_function.push((function.to_owned(), vec![entry.clone()])),
                }
            }
        }
        for (function, entries) in by_function {
            match self.claims.memo_put(queue, &function, &entries).await {
                Err(error) if !error.is_unavailable() => {
                    tracing::error!(%queue, function, error = chain(&error), "Redis refuses values for the memo");
                    for ended in ended
                        .iter_mut()
                        .filter(|ended| ended.finished.function == function)
                    {
                        if let Keep::Memo(entry) = &ended.keep {
                            ended.keep = Keep::Output(entry.clone().into());
                        }
                    }
                }
                result => result?,
            }
        }
        Ok(())
    }
}

/// In calls of at most so many attempts, and bytes; one attempt is always allowed.
fn in_calls(batch: Vec<Ended>, most_bytes: usize) -> VecDeque<Vec<Ended>> {
    let mut calls = VecDeque::new();
    let mut call: Vec<Ended> = Vec::new();
    let mut bytes = 0;
    for ended in batch {
        let size = ended.size();
        if call.len() >= BATCH || (bytes + size > most_bytes && !call.is_empty()) {
            calls.push_back(std::mem::take(&mut call));
            bytes = 0;
        }
        bytes += size;
        call.push(ended);
    }
    if !call.is_empty() {
        calls.push_back(call);
    }
    calls
}

fn is_refusal(finished: &Finished) -> bool {
    matches!(&finished.outcome, Outcome::Dead { error } if error.message.starts_with(REFUSED))
}
