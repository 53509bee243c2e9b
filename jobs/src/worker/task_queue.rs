//! What waits for a place in this process, in the order in which it begins. One task is one job, or a few that take no
//! time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use super::in_flight::InFlightJob;
use crate::queue::leases::Claim;

/// A claim on its way to the function.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) claim: Claim,
    pub(crate) job: Arc<InFlightJob>,
}

/// Filled by the fetcher and emptied by the backend.
#[derive(Default)]
pub(crate) struct TaskQueue {
    waiting: Mutex<Waiting>,
    /// Of the backend, which is the only one that waits here.
    waker: AtomicWaker,
}

#[derive(Default)]
struct Waiting {
    tasks: VecDeque<Vec<Assignment>>,
    closed: bool,
}

impl TaskQueue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a task. After the end of the worker it is dropped: its jobs are given back with everything that is held.
    pub(crate) fn push(&self, task: Vec<Assignment>) {
        self.add(task, VecDeque::push_back);
    }

    /// Puts back what a task has not begun, before everything else.
    pub(crate) fn put_back(&self, rest: Vec<Assignment>) {
        self.add(rest, VecDeque::push_front);
    }

    fn add(&self, task: Vec<Assignment>, add: fn(&mut VecDeque<Vec<Assignment>>, Vec<Assignment>)) {
        let mut waiting = self.waiting();
        if task.is_empty() || waiting.closed {
            return;
        }
        add(&mut waiting.tasks, task);
        drop(waiting);
        self.waker.wake();
    }

    /// Whether a task waits.
    pub(crate) fn poll_any(&self, context: &Context<'_>) -> Poll<()> {
        // Before the look, so that what comes after it wakes.
        self.waker.register(context.waker());
        if self.waiting().tasks.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    pub(crate) fn pop(&self) -> Option<Vec<Assignment>> {
        self.waiting().tasks.pop_front()
    }

    pub(crate) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.tasks.clear();
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker_ref;
    use tokio::time::Instant;

    use super::*;
    use crate::job::{JobId, QueueName};
    use crate::worker::in_flight::InFlight;

    fn task(in_flight: &InFlight, jobs: usize) -> (Vec<Assignment>, Vec<JobId>) {
        let assignments: Vec<Assignment> = (0..jobs)
            .map(|_| {
                let claim = Claim {
                    queue: QueueName::standard(),
                    id: JobId::new(),
                    attempt: 1,
                    envelope: Err(String::new()),
                    bytes: 0,
                    suspect: false,
                    asked_at: Instant::now(),
                };
                let job = in_flight.add(&claim);
                Assignment { claim, job }
            })
            .collect();
        let ids = assignments.iter().map(|assignment| assignment.claim.id).collect();
        (assignments, ids)
    }

    fn ids(task: Option<Vec<Assignment>>) -> Vec<JobId> {
        let jobs = task.unwrap_or_default().into_iter();
        jobs.map(|assignment| assignment.claim.id).collect()
    }

    #[test]
    fn what_a_task_has_not_begun_comes_before_the_next_task() {
        let (queue, in_flight) = (TaskQueue::default(), InFlight::new(1));
        let (first, first_ids) = task(&in_flight, 3);
        let (second, second_ids) = task(&in_flight, 1);
        queue.push(first);
        queue.push(second);
        let mut begun = queue.pop().unwrap();
        queue.put_back(begun.split_off(1));
        assert_eq!(ids(queue.pop()), first_ids[1..]);
        assert_eq!(ids(queue.pop()), second_ids);
        assert!(queue.pop().is_none());
    }

    #[test]
    fn nothing_waits_after_the_end() {
        let (queue, in_flight) = (Arc::new(TaskQueue::default()), InFlight::new(1));
        let context = Context::from_waker(noop_waker_ref());
        assert!(queue.poll_any(&context).is_pending());
        queue.push(task(&in_flight, 1).0);
        assert!(queue.poll_any(&context).is_ready());
        queue.close();
        queue.put_back(task(&in_flight, 1).0);
        assert!(queue.poll_any(&context).is_pending());
    }
}
