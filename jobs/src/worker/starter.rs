//! Asks Redis whether jobs may begin, in batches: all that came in while the last batch was on its way.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::retry_loop::Patience;
use crate::job::{JobId, QueueName};
use crate::queue::leases::{BATCH, Beginning, Claims};

struct Question {
    id: JobId,
    attempt: u32,
    answer: oneshot::Sender<Beginning>,
}

/// The way to the beginners, one for each queue: on a cluster a queue that is away must not hold up the others.
#[derive(Clone)]
pub(crate) struct Beginnings {
    by_queue: Arc<HashMap<QueueName, mpsc::UnboundedSender<Question>>>,
}

impl Beginnings {
    pub(crate) fn new(claims: &Claims, queues: &[QueueName]) -> (Self, Vec<Beginner>) {
        let (by_queue, beginners) = queues
            .iter()
            .map(|queue| {
                let (sender, inbox) = mpsc::unbounded_channel();
                let beginner = Beginner {
                    claims: claims.clone(),
                    queue: queue.clone(),
                    inbox,
                };
                ((queue.clone(), sender), beginner)
            })
            .unzip();
        let beginnings = Self {
            by_queue: Arc::new(by_queue),
        };
        (beginnings, beginners)
    }

    /// Whether an attempt may begin; it is marked then. Waits for Redis as long as it takes. `None` when the worker ends.
    pub(crate) async fn ask(&self, queue: &QueueName, id: JobId, attempt: u32) -> Option<Beginning> {
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
pub(crate) struct Beginner {
    claims: Claims,
    queue: QueueName,
    inbox: mpsc::UnboundedReceiver<Question>,
}

impl Beginner {
    /// Runs until every sender is gone. The inbox needs no bound: who asks has a place, and places are bounded.
    pub(crate) async fn run(mut self) {
        let mut patience = Patience::new("begin");
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
                        patience.succeeded();
                        for (question, answer) in questions.drain(..).zip(answers) {
                            let _gone = question.answer.send(answer);
                        }
                        break;
                    }
                    Err(error) => patience.failed(&error).await,
                }
            }
        }
    }
}
