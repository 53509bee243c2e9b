//! Tells Redis how attempts ended, in batches: all that came in while the last batch was on its way.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::held::Held;
use super::patience::Patience;
use crate::job::QueueName;
use crate::queue::claims::{BATCH, Claims, Ended, Keep};
use crate::queue::memo::MemoEntry;

/// Bytes of outputs that go out in one batch.
const BATCH_BYTES: usize = 4 << 20;

pub(crate) enum Message {
    Ended(Vec<Ended>),
    /// Answers when everything before it has been told.
    Flush(oneshot::Sender<()>),
}

pub(crate) struct Finisher {
    pub(crate) claims: Claims,
    pub(crate) held: Arc<Held>,
    pub(crate) inbox: mpsc::UnboundedReceiver<Message>,
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
                    Message::Flush(done) => flushes.push(done),
                }
                let full = batch.len() >= BATCH || bytes >= BATCH_BYTES || !flushes.is_empty();
                next = if full { None } else { self.inbox.try_recv().ok() };
            }
            batch.sort_by(|a, b| a.queue.cmp(&b.queue));
            for of_queue in batch.chunk_by_mut(|a, b| a.queue == b.queue) {
                for ended in of_queue.chunks_mut(BATCH) {
                    self.tell(ended, &mut patience).await;
                }
            }
            for done in flushes {
                // Who asked may have lost patience.
                let _gone = done.send(());
            }
        }
    }

    /// Tells one queue's attempts, for as long as it takes.
    async fn tell(&self, ended: &mut [Ended], patience: &mut Patience) {
        let Some(queue) = ended.first().map(|ended| ended.queue.clone()) else {
            return;
        };
        let mut told_before = false;
        loop {
            let result = match self.keep_values(&queue, ended).await {
                Ok(()) => self.claims.finish(&queue, ended).await,
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
