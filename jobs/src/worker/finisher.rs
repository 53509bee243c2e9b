//! Tells Redis how attempts ended, in batches: all that came in while the last batch was on its way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::held::Held;
use super::patience::Patience;
use crate::job::{JobId, QueueName};
use crate::queue::claims::{BATCH, Claims, Ended, Keep};
use crate::queue::memo::MemoEntry;

/// Bytes of outputs that go out in one batch.
const BATCH_BYTES: usize = 4 << 20;

enum Message {
    Ended(Vec<Ended>),
    /// Not for this worker: the job waits for another one, and the attempt does not count.
    NotOurs(JobId, u32, Duration),
    /// Answers when everything before it has been told.
    Flush(oneshot::Sender<()>),
}

/// The way to the finishers, one for each queue: on a cluster a queue that is away must not hold up the others.
#[derive(Clone)]
pub(crate) struct Outbox {
    by_queue: Arc<HashMap<QueueName, mpsc::UnboundedSender<Message>>>,
}

impl Outbox {
    /// The outbox of a worker, and the finishers that empty it.
    pub(crate) fn new(claims: &Claims, held: &Arc<Held>, queues: &[QueueName]) -> (Self, Vec<Finisher>) {
        let (by_queue, finishers) = queues
            .iter()
            .map(|queue| {
                let (sender, inbox) = mpsc::unbounded_channel();
                let finisher = Finisher {
                    claims: claims.clone(),
                    held: Arc::clone(held),
                    queue: queue.clone(),
                    inbox,
                };
                ((queue.clone(), sender), finisher)
            })
            .unzip();
        let outbox = Self {
            by_queue: Arc::new(by_queue),
        };
        (outbox, finishers)
    }

    /// Tells how attempts ended, as soon as can be. After the worker has ended nobody hears it: their jobs are given
    /// back, or their lease lapses.
    pub(crate) fn tell(&self, mut ended: Vec<Ended>) {
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

    /// Waits until everything of a queue has been told.
    pub(crate) async fn flush(&self, queue: &QueueName) {
        let (done, told) = oneshot::channel();
        let sender = self.by_queue.get(queue);
        if sender.is_some_and(|sender| sender.send(Message::Flush(done)).is_ok()) {
            let _ended = told.await;
        }
    }
}

/// Tells the attempts of one queue.
pub(crate) struct Finisher {
    claims: Claims,
    held: Arc<Held>,
    queue: QueueName,
    inbox: mpsc::UnboundedReceiver<Message>,
}

impl Finisher {
    /// Runs until every sender is gone. The inbox needs no bound: the jobs that a worker holds are bounded.
    pub(crate) async fn run(mut self) {
        let mut patience = Patience::new("finish");
        while let Some(first) = self.inbox.recv().await {
            let mut batch = Vec::new();
            let mut flushes = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Ended(ended) => {
                        bytes += ended.iter().map(Ended::size).sum::<usize>();
                        batch.extend(ended);
                    }
                    Message::NotOurs(id, attempt, wait) => {
                        self.give_back(id, attempt, wait, &mut patience).await;
                    }
                    Message::Flush(done) => flushes.push(done),
                }
                let full = batch.len() >= BATCH || bytes >= BATCH_BYTES || !flushes.is_empty();
                next = if full { None } else { self.inbox.try_recv().ok() };
            }
            for ended in batch.chunks_mut(BATCH) {
                self.tell(ended, &mut patience).await;
            }
            for done in flushes {
                // Who asked may have lost patience.
                let _gone = done.send(());
            }
        }
    }

    /// Gives a job back, for as long as it takes: it would be held for ever.
    async fn give_back(&self, id: JobId, attempt: u32, wait: Duration, patience: &mut Patience) {
        while let Err(error) = self.claims.give_back(&self.queue, &[(id, attempt)], wait).await {
            patience.failed(&error).await;
        }
        patience.succeeded();
        self.held.remove(id, attempt);
    }

    /// Tells attempts, for as long as it takes.
    async fn tell(&self, ended: &mut [Ended], patience: &mut Patience) {
        let queue = &self.queue;
        let mut told_before = false;
        loop {
            let result = match self.keep_values(queue, ended).await {
                Ok(()) => self.claims.finish(queue, ended).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(counted) => {
                    patience.succeeded();
                    let gone = ended
                        .iter()
                        .map(|ended| (ended.finished.id, ended.finished.attempt));
                    self.held.remove_all(gone);
                    for (ended, counted) in ended.iter().zip(counted) {
                        let finished = &ended.finished;
                        // After a lost answer "too late" may mean that it was told the first time.
                        if !counted && !told_before {
                            tracing::warn!(
                                job = %finished.id,
                                attempt = finished.attempt,
                                function = finished.function,
                                "a result came too late and was dropped: another worker has taken the job over"
                            );
                        }
                    }
                    return;
                }
                Err(error) => {
                    told_before = true;
                    patience.failed(&error).await;
                }
            }
        }
    }

    async fn keep_values(&self, queue: &QueueName, ended: &mut [Ended]) -> Result<(), crate::error::Error> {
        let mut by_function: Vec<(&str, Vec<MemoEntry>)> = Vec::new();
        for ended in &*ended {
            if let Keep::Memo(entry) = &ended.keep {
                let function = ended.finished.function.as_str();
                match by_function.iter_mut().find(|(name, _)| *name == function) {
                    Some((_, entries)) => entries.push(entry.clone()),
                    None => by_function.push((function, vec![entry.clone()])),
                }
            }
        }
        for (function, entries) in by_function {
            self.claims.memo_put(queue, function, &entries).await?;
        }
        Ok(())
    }
}
