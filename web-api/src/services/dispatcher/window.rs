//! What this process knows of each queue's window in Redis: whether new jobs may go straight into it, or line up in the
//! backlog that SQL keeps. The dispatcher keeps it up to date.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use jobs::job::{JobId, QueueName};
use tokio::sync::watch;

/// How much of a queue Redis holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSettings {
    /// Jobs of one queue, about: several processes fill it at the same time.
    pub size: u64,
    /// And bytes of their inputs, about.
    pub bytes: u64,
    /// A job whose time is further off than this is kept by SQL until then.
    pub horizon: Duration,
}

impl Default for WindowSettings {
    fn default() -> Self {
        Self {
            size: 50_000,
            bytes: 256 << 20,
            horizon: Duration::from_mins(1),
        }
    }
}

/// Cheap to clone: the dispatcher writes it, the enqueuer reads it.
#[derive(Clone)]
pub struct Windows {
    settings: WindowSettings,
    queues: Arc<Mutex<HashMap<QueueName, Window>>>,
    work: watch::Sender<()>,
}

#[derive(Default)]
struct Window {
    /// Jobs in Redis when it was last heard of.
    held: u64,
    /// Jobs that have been promised a place and are not counted there yet.
    on_their_way: u64,
    /// Bytes of the jobs in Redis when it was last heard of, and of those that have come since.
    bytes: u64,
    bytes_on_their_way: u64,
    /// The memory of Redis is full.
    full: bool,
    /// Rows of this queue wait in the backlog, as far as is known: a new job must not overtake them.
    backlog: bool,
    /// What has lined up since the dispatcher began to look.
    news: EnqueuedSince,
    /// The dispatcher has looked since the process began.
    seen: bool,
}

/// What has come into the backlog of a queue since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum EnqueuedSince {
    #[default]
    Nothing,
    /// New jobs, this one the oldest of them.
    Since(JobId),
    /// Jobs that may be as old as any.
    OfAnyAge,
}

/// Places in windows that were promised to jobs on their way to Redis. Given up when it is dropped: by then Redis has said
/// how many jobs it holds, or the push has failed.
pub struct Places {
    windows: Windows,
    taken: HashMap<QueueName, Taken>,
}

#[derive(Default)]
struct Taken {
    jobs: u64,
    bytes: u64,
}

impl Places {
    /// Takes one more place, if the queue has one for a new job of so many bytes.
    pub fn take(&mut self, queue: &QueueName, bytes: u64) -> bool {
        let settings = self.windows.settings;
        let mut queues = self.windows.queues();
        let Some(window) = queues.get_mut(queue).filter(|window| window.is_open(settings)) else {
            return false;
        };
        window.on_their_way += 1;
        window.bytes_on_their_way += bytes;
        let taken = self.taken.entry(queue.clone()).or_default();
        taken.jobs += 1;
        taken.bytes += bytes;
        true
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        let mut queues = self.windows.queues();
        for (queue, taken) in self.taken.drain() {
            if let Some(window) = queues.get_mut(&queue) {
                window.on_their_way = window.on_their_way.saturating_sub(taken.jobs);
                window.bytes_on_their_way = window.bytes_on_their_way.saturating_sub(taken.bytes);
            }
        }
    }
}

impl Window {
    fn is_open(&self, settings: WindowSettings) -> bool {
        let has_room = self.held + self.on_their_way < settings.size
            && self.bytes + self.bytes_on_their_way < settings.bytes;
        self.seen && !self.backlog && !self.full && has_room
    }
}

impl Windows {
    pub fn new(settings: WindowSettings) -> Self {
        Self {
            settings,
            queues: Arc::default(),
            work: watch::Sender::new(()),
        }
    }

    pub fn settings(&self) -> WindowSettings {
        self.settings
    }

    /// For jobs that may go into Redis at once.
    pub fn places(&self) -> Places {
        Places {
            windows: self.clone(),
            taken: HashMap::new(),
        }
    }

    /// Whether SQL keeps a job of this time until later.
    pub fn is_far_off(&self, run_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        run_at.is_some_and(|at| at > now + self.settings.horizon)
    }

    /// New jobs that were promised a place, and that Redis may not count yet.
    pub(crate) fn on_their_way(&self, queue: &QueueName) -> u64 {
        self.queues().get(queue).map_or(0, |window| window.on_their_way)
    }

    /// Redis said how many jobs it holds.
    pub fn held(&self, queue: &QueueName, held: u64) {
        self.queues().entry(queue.clone()).or_default().held = held;
    }

    /// Redis said how many bytes they have.
    pub fn weighs(&self, queue: &QueueName, bytes: u64) {
        self.queues().entry(queue.clone()).or_default().bytes = bytes;
    }

    /// So many bytes have come into Redis since.
    pub fn came_in(&self, queue: &QueueName, bytes: u64) {
        let mut queues = self.queues();
        let window = queues.entry(queue.clone()).or_default();
        window.bytes = window.bytes.saturating_add(bytes);
    }

    /// Bytes of jobs that Redis holds, about, or is about to.
    pub(crate) fn bytes(&self, queue: &QueueName) -> u64 {
        self.queues()
            .get(queue)
            .map_or(0, |window| window.bytes + window.bytes_on_their_way)
    }

    /// Redis takes no more jobs because its memory is full, or does again.
    pub fn set_full(&self, queue: &QueueName, full: bool) {
        self.queues().entry(queue.clone()).or_default().full = full;
    }

    pub(crate) fn is_full(&self, queue: &QueueName) -> bool {
        self.queues().get(queue).is_some_and(|window| window.full)
    }

    /// Jobs of any age have come into the backlog: calls the dispatcher.
    pub fn enqueued(&self, queue: &QueueName) {
        self.note(queue, EnqueuedSince::OfAnyAge);
    }

    /// A new job has come into the backlog: calls the dispatcher.
    pub(crate) fn enqueued_new(&self, queue: &QueueName, id: JobId) {
        self.note(queue, EnqueuedSince::Since(id));
    }

    fn note(&self, queue: &QueueName, enqueued: EnqueuedSince) {
        let mut queues = self.queues();
        let window = queues.entry(queue.clone()).or_default();
        window.backlog = true;
        window.news = match (window.news, enqueued) {
            (EnqueuedSince::OfAnyAge, _) | (_, EnqueuedSince::OfAnyAge) => EnqueuedSince::OfAnyAge,
            (EnqueuedSince::Since(one), EnqueuedSince::Since(other)) => EnqueuedSince::Since(one.min(other)),
            (EnqueuedSince::Nothing, new) | (new, EnqueuedSince::Nothing) => new,
        };
        drop(queues);
        self.work.send_replace(());
    }

    /// The dispatcher is about to look for the backlog of a queue. Until it has seen the end of it, new jobs line up as
    /// before. Tells what has lined up since the last look.
    pub(crate) fn begin_look(&self, queue: &QueueName) -> EnqueuedSince {
        std::mem::take(&mut self.queues().entry(queue.clone()).or_default().news)
    }

    /// It has looked, and seen the backlog `emptied` or not. What has lined up meanwhile it may have missed.
    pub(crate) fn end_look(&self, queue: &QueueName, emptied: bool) {
        let mut queues = self.queues();
        let window = queues.entry(queue.clone()).or_default();
        window.backlog = !emptied || window.news != EnqueuedSince::Nothing;
        window.seen = true;
    }

    /// Changes when somebody says that there is work.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.work.subscribe()
    }

    /// Whether jobs have lined up since the dispatcher began to look for those of this queue.
    pub(crate) fn has_news(&self, queue: &QueueName) -> bool {
        self.queues()
            .get(queue)
            .is_some_and(|window| window.news != EnqueuedSince::Nothing)
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<QueueName, Window>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 10;

    fn windows() -> (Windows, QueueName) {
        let windows = Windows::new(WindowSettings {
            size: SIZE,
            ..WindowSettings::default()
        });
        (windows, QueueName::standard())
    }

    fn is_open(windows: &Windows, queue: &QueueName) -> bool {
        windows.places().take(queue, 1)
    }

    #[test]
    fn a_window_is_open_while_there_is_room_and_nobody_waits() {
        let (windows, queue) = windows();
        assert!(!is_open(&windows, &queue), "nothing is known of it");
        windows.begin_look(&queue);
        assert!(!is_open(&windows, &queue), "there may be a backlog");
        windows.end_look(&queue, true);
        assert!(is_open(&windows, &queue));
        windows.held(&queue, SIZE);
        assert!(!is_open(&windows, &queue), "it is full");
        windows.held(&queue, SIZE - 1);
        windows.enqueued(&queue);
        assert!(!is_open(&windows, &queue), "somebody waits");
        windows.begin_look(&queue);
        assert!(!is_open(&windows, &queue), "and still does");
        windows.end_look(&queue, true);
        assert!(is_open(&windows, &queue));
        windows.begin_look(&queue);
        assert!(is_open(&windows, &queue), "a look alone closes nothing");
        windows.end_look(&queue, false);
        assert!(!is_open(&windows, &queue));
    }

    #[test]
    fn a_window_is_closed_when_its_bytes_are_used_up_or_redis_is_full() {
        let (windows, queue) = windows();
        windows.begin_look(&queue);
        windows.end_look(&queue, true);
        let most = windows.settings().bytes;
        let mut places = windows.places();
        assert!(places.take(&queue, most));
        assert!(!is_open(&windows, &queue), "all bytes are promised");
        drop(places);
        assert!(is_open(&windows, &queue));
        windows.came_in(&queue, most);
        assert!(!is_open(&windows, &queue));
        windows.weighs(&queue, most - 1);
        assert!(is_open(&windows, &queue));
        windows.set_full(&queue, true);
        assert!(!is_open(&windows, &queue));
        windows.set_full(&queue, false);
        assert!(is_open(&windows, &queue));
    }

    #[test]
    fn what_lines_up_during_a_look_is_not_forgotten() {
        let (windows, queue) = windows();
        windows.begin_look(&queue);
        windows.enqueued(&queue);
        windows.end_look(&queue, true);
        assert!(!is_open(&windows, &queue));
        windows.begin_look(&queue);
        windows.end_look(&queue, true);
        assert!(is_open(&windows, &queue));
    }

    #[test]
    fn no_more_places_are_promised_than_there_are() {
        let (windows, queue) = windows();
        windows.begin_look(&queue);
        windows.end_look(&queue, true);
        windows.held(&queue, 4);
        let (mut some, mut others) = (windows.places(), windows.places());
        assert!((0..4).all(|_| some.take(&queue, 1)));
        assert!(others.take(&queue, 1) && others.take(&queue, 1));
        assert!(!some.take(&queue, 1) && !others.take(&queue, 1));
        // The first ones have arrived, and one job has left.
        windows.held(&queue, 7);
        drop(some);
        assert!(others.take(&queue, 1) && !others.take(&queue, 1));
        drop(others);
        assert_eq!(
            (0..20).filter(|_| is_open(&windows, &queue)).count(),
            20,
            "none was kept"
        );
    }
}
