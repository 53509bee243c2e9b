//! What this process knows of each queue's window in Redis: whether new jobs may go straight into it, or line up in the
//! backlog that SQL keeps. The dispatcher keeps it up to date.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use jobs::job::QueueName;
use tokio::sync::Notify;

/// How much of a queue Redis holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSettings {
    /// Jobs of one queue, about: several processes fill it at the same time.
    pub size: u64,
    /// A job whose time is further off than this is kept by SQL until then.
    pub horizon: Duration,
}

impl Default for WindowSettings {
    fn default() -> Self {
        Self {
            size: 50_000,
            horizon: Duration::from_mins(1),
        }
    }
}

/// Cheap to clone: the dispatcher writes it, the enqueuer reads it.
#[derive(Clone)]
pub struct Windows {
    settings: WindowSettings,
    queues: Arc<Mutex<HashMap<QueueName, Window>>>,
    work: Arc<Notify>,
}

#[derive(Default)]
struct Window {
    /// Jobs in Redis when it was last heard of.
    held: u64,
    /// Rows of this queue wait in the backlog, as far as is known: a new job must not overtake them.
    backlog: bool,
    /// The dispatcher has looked since the process began.
    seen: bool,
}

impl Windows {
    pub fn new(settings: WindowSettings) -> Self {
        Self {
            settings,
            queues: Arc::default(),
            work: Arc::default(),
        }
    }

    pub fn settings(&self) -> WindowSettings {
        self.settings
    }

    /// Whether a new job of this queue may go into Redis at once.
    pub fn is_open(&self, queue: &QueueName) -> bool {
        let queues = self.queues();
        queues
            .get(queue)
            .is_some_and(|window| window.seen && !window.backlog && window.held < self.settings.size)
    }

    /// Whether SQL keeps a job of this time until later.
    pub fn is_far_off(&self, run_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        run_at.is_some_and(|at| at > now + self.settings.horizon)
    }

    /// Redis said how many jobs it holds.
    pub fn held(&self, queue: &QueueName, held: u64) {
        self.queues().entry(queue.clone()).or_default().held = held;
    }

    /// Jobs have come into the backlog: calls the dispatcher.
    pub fn lined_up(&self, queue: &QueueName) {
        self.queues().entry(queue.clone()).or_default().backlog = true;
        self.work.notify_one();
    }

    /// The dispatcher is about to look for the backlog of a queue. What lines up from now on is news again.
    pub(crate) fn begin_look(&self, queue: &QueueName) {
        let mut queues = self.queues();
        let window = queues.entry(queue.clone()).or_default();
        window.backlog = false;
        window.seen = true;
    }

    /// It found jobs that it could not take along.
    pub(crate) fn some_left(&self, queue: &QueueName) {
        self.queues().entry(queue.clone()).or_default().backlog = true;
    }

    /// Waits until somebody says that there is work.
    pub(crate) async fn work(&self) {
        self.work.notified().await;
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<QueueName, Window>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_open_while_there_is_room_and_nobody_waits() {
        let windows = Windows::new(WindowSettings {
            size: 10,
            ..WindowSettings::default()
        });
        let queue = QueueName::standard();
        assert!(!windows.is_open(&queue), "nothing is known of it");
        windows.begin_look(&queue);
        assert!(windows.is_open(&queue));
        windows.held(&queue, 10);
        assert!(!windows.is_open(&queue), "it is full");
        windows.held(&queue, 9);
        windows.lined_up(&queue);
        assert!(!windows.is_open(&queue), "somebody waits");
        windows.begin_look(&queue);
        assert!(windows.is_open(&queue));
        windows.some_left(&queue);
        assert!(!windows.is_open(&queue));
    }
}
