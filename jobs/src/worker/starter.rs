//! Asks Redis whether jobs may begin, in batches of all that came in while the last batch was on its way.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::retry_loop::RetryLoop;
use crate::job::{JobId, QueueName};
use crate::queue::leases::{BATCH, Claims, MayBegin};

struct Question {
    id: JobId,
    attempt: u32,
    answer: oneshot::Sender<MayBegin>,
}

/// Sends questions to the starters, one for each queue: on a cluster a queue that is away must not hold up the others.
#[derive(Clone)]
pub(crate) struct StarterHandle {
    by_queue: Arc<HashMap<QueueName, mpsc::UnboundedSender<Question>>>,
}

impl StarterHandle {
    pub(crate) fn new(claims: &Claims, queues: &[QueueName]) -> (Self, Vec<Starter>) {
        let (by_queue, starters) = queues
            .iter()
            .map(|queue| {
                let (sender, inbox) = mpsc::unbounded_channel();
                let starter = Starter {
                    claims: claims.clone(),
                    queue: queue.clone(),
                    inbox,
                };
                ((queue.clone(), sender), starter)
            })
            .unzip();
        let handle = Self {
            by_queue: Arc::new(by_queue),
        };
        (handle, starters)
    }

    /// Whether an attempt may begin; it is marked then. Waits for Redis as long as it takes. `None` when the worker ends.
    pub(crate) async fn ask(&self, queue: &QueueName, id: JobId, attempt: u32) -> Option<MayBegin> {
        let (sender, answer) = oneshot::channel();
        let question = Question {
            id,
            attempt,
            answer: sender,
        };
        self.by_queue.get(queue)?.send(question).ok()?;
        answer.await.ok()
    }
}

/// Asks for one queue.
pub(crate) struct Starter {
    claims: Claims,
    queue: QueueName,
    inbox: mpsc::UnboundedReceiver<Question>,
}

impl Starter {
    /// Runs until every sender is gone. The inbox needs no bound: who asks has a place, and places are bounded.
    pub(crate) async fn run(mut self) {
        let mut retry = RetryLoop::new("start");
        let mut questions = Vec::new();
        while self.inbox.recv_many(&mut questions, BATCH).await > 0 {
            loop {
                // Nobody waits for the others any more: they were stopped, or the worker is to end.
                questions.retain(|question: &Question| !question.answer.is_closed());
                let jobs: Vec<_> = questions
                    .iter()
                    .map(|question| (question.id, question.attempt))
                    .collect();
                if jobs.is_empty() {
                    break;
                }
                match self.claims.begin(&self.queue, &jobs).await {
                    Ok(answers) => {
                        retry.succeeded();
                        for (question, answer) in questions.drain(..).zip(answers) {
                            let _gone = question.answer.send(answer);
                        }
                        break;
                    }
                    Err(error) => retry.failed(&error).await,
                }
            }
        }
    }
}
