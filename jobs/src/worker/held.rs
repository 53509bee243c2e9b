//! The jobs that this process holds: which, with what attempt, how to stop them, and how many more it may take.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::notebook::Notebook;
use crate::job::{JobId, QueueName};
use crate::queue::claims::{BATCH, Claim, now};
use crate::queue::events::Notes;
use crate::queue::events::wire::ReportOnWire;

/// How long the way to Redis and back takes, about. So much work is fetched ahead: less would leave the worker idle,
/// more would keep jobs from other workers.
const ROUND_TRIP: Duration = Duration::from_millis(2);

/// The weight of the newest run in the running mean of run times.
const NEWEST_WEIGHT: f64 = 0.1;

/// Jobs that together take less than this run one after the other in one task: a task of its own for each would cost
/// more than the jobs.
const TOGETHER_WITHIN: Duration = Duration::from_millis(1);
const TOGETHER_MAX: usize = 50;

/// An attempt that ends sooner is not announced: its end says it all.
const ANNOUNCED_AFTER_MS: i64 = 50;

pub(crate) struct Held {
    concurrency: usize,
    table: Mutex<Table>,
    /// Rings when a job leaves.
    left: Notify,
    /// Rings when an attempt begins, or says something. Several may listen.
    news: watch::Sender<()>,
}

#[derive(Default)]
struct Table {
    jobs: HashMap<JobId, Arc<HeldJob>>,
    /// Running mean of run times in seconds.
    mean_run: f64,
}

/// A job in the hands of this process. Shared by those who run it and those who stop it or listen to it.
#[derive(Debug)]
pub(crate) struct HeldJob {
    pub(crate) queue: QueueName,
    pub(crate) attempt: u32,
    pub(crate) stop: CancellationToken,
    pub(crate) notebook: Notebook,
    /// Stopped because somebody called the job off, which is an outcome.
    called_off: AtomicBool,
    /// When it began to run, in ms; 0 before.
    started_ms: AtomicI64,
    announced: AtomicBool,
}

impl HeldJob {
    pub(crate) fn new(queue: QueueName, attempt: u32) -> Self {
        Self {
            queue,
            attempt,
            stop: CancellationToken::new(),
            notebook: Notebook::default(),
            called_off: AtomicBool::new(false),
            started_ms: AtomicI64::new(0),
            announced: AtomicBool::new(false),
        }
    }

    /// The job was called off; without this a stopped attempt has no outcome.
    pub(crate) fn is_called_off(&self) -> bool {
        self.called_off.load(Ordering::SeqCst)
    }

    /// Whether it began so long ago that it should be announced, and was not yet.
    fn is_due_for_announcement(&self, now_ms: i64) -> Option<bool> {
        let started = self.started_ms.load(Ordering::Relaxed);
        let waits = started > 0 && !self.announced.load(Ordering::Relaxed);
        waits.then_some(now_ms - started >= ANNOUNCED_AFTER_MS)
    }
}

/// What a job has to say, and the job, should it have to be said again.
pub(crate) struct News {
    pub(crate) job: Arc<HeldJob>,
    pub(crate) report: ReportOnWire,
}

impl News {
    /// It could not be told: it will be news again.
    pub(crate) fn put_back(self) {
        if self.report.2.is_some() {
            self.job.announced.store(false, Ordering::Relaxed);
        }
        if let Some(notes) = self.report.3 {
            self.job.notebook.put_back(notes);
        }
    }
}

impl Held {
    pub(crate) fn new(concurrency: usize) -> Self {
        // Until it knows better it takes jobs for long ones.
        let table = Table {
            jobs: HashMap::new(),
            mean_run: 1.0,
        };
        Self {
            concurrency,
            table: Mutex::new(table),
            left: Notify::new(),
            news: watch::Sender::new(()),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more jobs this process may take now. None while it is not worth the way.
    pub(crate) fn room(&self) -> usize {
        let table = self.table();
        let ahead = table.fetched_ahead(self.concurrency);
        let room = (self.concurrency + ahead).saturating_sub(table.jobs.len());
        // With work in hand for the time, few places are not worth a call.
        if room > ahead / 2 { room } else { 0 }
    }

    /// How many of the next jobs should share a task.
    pub(crate) fn run_together(&self) -> usize {
        let mean_run = self.table().mean_run;
        saturating(TOGETHER_WITHIN.as_secs_f64() / mean_run.max(f64::MIN_POSITIVE)).clamp(1, TOGETHER_MAX)
    }

    /// Waits until there is room.
    pub(crate) async fn wait_for_room(&self) {
        loop {
            let left = self.left.notified();
            if self.room() > 0 {
                return;
            }
            left.await;
        }
    }

    /// Notes a claim. When the job is here already, with an attempt that was taken over in the meantime, that one is
    /// stopped and the new one takes its place.
    pub(crate) fn add(&self, claim: &Claim) -> Arc<HeldJob> {
        let job = Arc::new(HeldJob::new(claim.queue.clone(), claim.attempt));
        if let Some(before) = self.table().jobs.insert(claim.id, Arc::clone(&job)) {
            before.stop.cancel();
        }
        job
    }

    /// Notes that an attempt begins to run.
    pub(crate) fn begins(&self, job: &HeldJob, started_ms: i64) {
        job.started_ms.store(started_ms, Ordering::Relaxed);
        self.noted();
    }

    /// An attempt has written into its notebook.
    pub(crate) fn noted(&self) {
        self.news.send_replace(());
    }

    /// Changes when there may be something to tell.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// What there is to tell of the running attempts of a queue. Rings again for those that began just now.
    pub(crate) fn news(&self, queue: &QueueName) -> Vec<News> {
        let now_ms = now().timestamp_millis();
        let mut news = Vec::new();
        let mut more = false;
        for (id, job) in self.table().jobs.iter().filter(|(_, job)| job.queue == *queue) {
            let due = job.is_due_for_announcement(now_ms);
            if due == Some(false) {
                more = true;
                continue;
            }
            let notes = job.notebook.take();
            if due.is_none() && notes.is_empty() {
                continue;
            }
            let started = due.map(|_| job.started_ms.load(Ordering::Relaxed));
            job.announced.store(true, Ordering::Relaxed);
            let notes = Some(notes).filter(|notes: &Notes| !notes.is_empty());
            news.push(News {
                job: Arc::clone(job),
                report: ReportOnWire(*id, job.attempt, started, notes),
            });
        }
        if more {
            self.noted();
        }
        news
    }

    /// Calls a job off, if it is here.
    pub(crate) fn call_off(&self, id: JobId) {
        if let Some(job) = self.table().jobs.get(&id) {
            job.called_off.store(true, Ordering::SeqCst);
            job.stop.cancel();
        }
    }

    /// Forgets a job, if it is still here with this attempt.
    pub(crate) fn remove(&self, id: JobId, attempt: u32) {
        self.remove_all([(id, attempt)]);
    }

    /// Forgets jobs, those that are still here with these attempts.
    pub(crate) fn remove_all(&self, jobs: impl IntoIterator<Item = (JobId, u32)>) {
        let mut any = false;
        let mut table = self.table();
        for (id, attempt) in jobs {
            if let Entry::Occupied(entry) = table.jobs.entry(id)
                && entry.get().attempt == attempt
            {
                entry.remove();
                any = true;
            }
        }
        drop(table);
        if any {
            self.left.notify_waiters();
            self.left.notify_one();
        }
    }

    pub(crate) fn snapshot(&self) -> HashMap<JobId, Arc<HeldJob>> {
        self.table().jobs.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.table().jobs.len()
    }

    /// Learns how long a job ran.
    pub(crate) fn ran(&self, time: Duration) {
        let mut table = self.table();
        table.mean_run += (time.as_secs_f64() - table.mean_run) * NEWEST_WEIGHT;
    }

    /// Calls off everything.
    pub(crate) fn stop_all(&self) {
        for job in self.table().jobs.values() {
            job.stop.cancel();
        }
    }
}

impl Table {
    /// How many jobs, beside those that run, are worth having in hand: as many as run while the next ones come.
    fn fetched_ahead(&self, concurrency: usize) -> usize {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand are exact")]
        let places = concurrency as f64;
        let ahead = places * ROUND_TRIP.as_secs_f64() / self.mean_run.max(f64::MIN_POSITIVE);
        saturating(ahead).min(BATCH)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate"
)]
fn saturating(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(id: JobId, attempt: u32) -> Claim {
        Claim {
            queue: QueueName::standard(),
            id,
            attempt,
            envelope: Err(String::new()),
            bytes: 0,
        }
    }

    #[test]
    fn short_jobs_are_fetched_ahead_and_long_ones_are_not() {
        let held = Held::new(10);
        assert_eq!(held.room(), 10);
        for _ in 0..200 {
            held.ran(Duration::from_micros(100));
        }
        let room = held.room();
        assert!((190..=210).contains(&room), "{room}");
        for _ in 0..10 {
            held.ran(Duration::from_secs(5));
        }
        assert_eq!(held.room(), 10);
    }

    #[test]
    fn a_few_places_are_not_worth_a_call_while_there_is_work_in_hand() {
        let held = Held::new(10);
        for _ in 0..200 {
            held.ran(Duration::from_micros(100));
        }
        let ids: Vec<JobId> = (0..held.room()).map(|_| JobId::new()).collect();
        for id in &ids {
            held.add(&claim(*id, 1));
        }
        held.remove_all(ids[..50].iter().map(|id| (*id, 1)));
        assert_eq!(held.room(), 0);
        held.remove_all(ids[50..150].iter().map(|id| (*id, 1)));
        assert_eq!(held.room(), 150);
    }

    #[test]
    fn a_newer_attempt_stops_the_older_one_and_keeps_its_place() {
        let held = Held::new(10);
        let id = JobId::new();
        let first = held.add(&claim(id, 1));
        let second = held.add(&claim(id, 2));
        assert!(first.stop.is_cancelled() && !second.stop.is_cancelled());
        held.remove(id, 1);
        assert_eq!(held.len(), 1);
        held.remove(id, 2);
        assert_eq!(held.room(), 10);
    }

    #[tokio::test]
    async fn who_waits_for_room_is_woken_when_a_job_leaves() {
        let held = Arc::new(Held::new(1));
        let id = JobId::new();
        held.add(&claim(id, 1));
        let waiting = tokio::spawn({
            let held = Arc::clone(&held);
            async move { held.wait_for_room().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        held.remove(id, 1);
        tokio::time::timeout(Duration::from_secs(5), waiting)
            .await
            .unwrap()
            .unwrap();
    }

    #[test]
    fn an_attempt_is_announced_once_and_only_when_it_goes_on() {
        let held = Held::new(10);
        let job = held.add(&claim(JobId::new(), 1));
        assert!(held.news(&QueueName::standard()).is_empty(), "it has not begun");
        let now_ms = now().timestamp_millis();
        held.begins(&job, now_ms + 1_000);
        assert!(held.news(&QueueName::standard()).is_empty(), "it has just begun");
        held.begins(&job, now_ms - 1_000);
        let mut news = held.news(&QueueName::standard());
        assert_eq!(news.len(), 1);
        assert_eq!(news[0].report.2, Some(now_ms - 1_000));
        assert!(held.news(&QueueName::standard()).is_empty());

        news.remove(0).put_back();
        assert_eq!(
            held.news(&QueueName::standard()).len(),
            1,
            "it could not be told, and is news again"
        );
        job.notebook.line("half-way");
        let news = held.news(&QueueName::standard());
        assert!(news[0].report.2.is_none() && news[0].report.3.is_some());
    }
}
