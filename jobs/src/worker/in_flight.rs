//! The jobs that this process holds: which, with what attempt, how to stop them, and how many more it may take.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use crate::job::{JobId, QueueName};
use crate::queue::events::Notes;
use crate::queue::events::codec::EncodedReport;
use crate::queue::leases::{BATCH, Claim, now};

mod job;
#[cfg(test)]
mod tests;

pub(crate) use job::InFlightJob;

/// How long the way to Redis and back takes, about. So much work is fetched ahead: less would leave the worker idle,
/// more would keep jobs from other workers.
const ROUND_TRIP: Duration = Duration::from_millis(2);

/// What will not begin within this time goes back, for workers that are idle.
const BEGINS_WITHIN: Duration = Duration::from_millis(100);

/// A job whose worker vanished is not the only one any more when it has been running for so long: what ends its process
/// does so at once, as a rule, and long jobs are not to wait for each other.
const PROBATION: Duration = Duration::from_millis(500);

/// The weight of the newest run in the running mean of run times.
const NEWEST_WEIGHT: f64 = 0.1;

/// Jobs that together take less than this run one after the other in one task: a task of its own for each would cost
/// more than the jobs.
const TOGETHER_WITHIN: Duration = Duration::from_millis(1);
const TOGETHER_MAX: usize = 50;

pub(crate) struct InFlight {
    concurrency: usize,
    /// One for each job that may run at the same time.
    places: Arc<Semaphore>,
    table: Mutex<Table>,
    /// Notified when a job leaves.
    left: Notify,
    /// Notified when an attempt begins, or has progress or a log line to report. Several may listen.
    news: watch::Sender<()>,
    /// Notified when a job is to be given back.
    returning: Notify,
}

#[derive(Default)]
struct Table {
    jobs: HashMap<JobId, Arc<InFlightJob>>,
    /// Running mean of run times in seconds.
    mean_run: f64,
    /// Jobs that were ever added.
    added: u64,
    /// The last one whose worker had vanished, as long as it is here.
    suspect: Option<Arc<InFlightJob>>,
}

/// What a job has to report, and the job, should it have to be reported again.
pub(crate) struct News {
    pub(crate) job: Arc<InFlightJob>,
    pub(crate) report: EncodedReport,
}

impl News {
    /// It could not be reported: it will be news again.
    pub(crate) fn put_back(self) {
        if self.report.2.is_some() {
            self.job.announced.store(false, Ordering::Relaxed);
        }
        if let Some(notes) = self.report.3 {
            self.job.progress_log.put_back(notes);
        }
    }
}

impl InFlight {
    pub(crate) fn new(concurrency: usize) -> Self {
        // Until it knows better it takes jobs for long ones.
        let table = Table {
            jobs: HashMap::new(),
            mean_run: 1.0,
            added: 0,
            suspect: None,
        };
        Self {
            concurrency,
            places: Arc::new(Semaphore::new(concurrency)),
            table: Mutex::new(table),
            left: Notify::new(),
            news: watch::Sender::new(()),
            returning: Notify::new(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The places in which jobs run. The backend takes them, for one task each.
    pub(crate) fn places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.places)
    }

    /// How many more jobs this process may take now. None while it is not worth the way.
    pub(crate) fn room(&self) -> usize {
        let table = self.table();
        if table.jobs.len() >= self.concurrency + BATCH {
            return 0;
        }
        let ahead = table.begin_within(ROUND_TRIP, self.concurrency).min(BATCH);
        let room = (self.concurrency + ahead).saturating_sub(table.jobs.len());
        // While there is work for that time, a few free places are not worth a call.
        if room > ahead / 2 { room } else { 0 }
    }

    /// How many jobs could begin at once.
    pub(crate) fn free_places(&self) -> usize {
        self.concurrency.saturating_sub(self.len())
    }

    /// Waits until a job could begin at once.
    pub(crate) async fn wait_for_place(&self) {
        loop {
            let left = self.left.notified();
            if self.free_places() > 0 {
                return;
            }
            left.await;
        }
    }

    /// Whether a job whose worker vanished may be taken: there is no other one that has just begun.
    pub(crate) fn may_take_suspect(&self) -> bool {
        let proven = |job: &Arc<InFlightJob>| {
            job.has_ended() || job.runs_for(Instant::now()).is_some_and(|time| time > PROBATION)
        };
        self.table().suspect.as_ref().is_none_or(proven)
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
    pub(crate) fn add(&self, claim: &Claim) -> Arc<InFlightJob> {
        let job = Arc::new(InFlightJob::new(
            claim.queue.clone(),
            claim.attempt,
            self.news.clone(),
        ));
        let mut table = self.table();
        table.added += 1;
        job.number.store(table.added, Ordering::Relaxed);
        if claim.suspect {
            table.suspect = Some(Arc::clone(&job));
        }
        if let Some(before) = table.jobs.insert(claim.id, Arc::clone(&job)) {
            before.stop.cancel();
        }
        drop(table);
        job
    }

    /// Notes that an attempt begins to run.
    pub(crate) fn begins(&self, job: &InFlightJob, started_ms: i64) {
        job.started_ms.store(started_ms, Ordering::Relaxed);
        self.notify_news();
    }

    /// There is something to report.
    pub(crate) fn notify_news(&self) {
        self.news.send_replace(());
    }

    /// Changes when there may be something to report.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// What there is to report of the running attempts of a queue. Notifies again for those that began just now.
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
            let notes = job.progress_log.take();
            if due.is_none() && notes.is_empty() {
                continue;
            }
            let started = due.map(|_| job.started_ms.load(Ordering::Relaxed));
            job.announced.store(true, Ordering::Relaxed);
            let notes = Some(notes).filter(|notes: &Notes| !notes.is_empty());
            news.push(News {
                job: Arc::clone(job),
                report: EncodedReport(*id, job.attempt, started, notes),
            });
        }
        if more {
            self.notify_news();
        }
        news
    }

    /// Cancels a job, if it is here: one that runs is stopped, one that waits goes back.
    pub(crate) fn cancel(&self, id: JobId) {
        if let Some(job) = self.table().jobs.get(&id) {
            if job.returns(false) {
                self.returning.notify_waiters();
            }
            job.cancel();
        }
    }

    /// A job that has not begun is not to begin: it goes back.
    pub(crate) fn return_job(&self, job: &InFlightJob) {
        if job.returns(true) {
            self.returning.notify_waiters();
        }
    }

    /// Waits until jobs are to go back at once. Who does not wait just then has to look by itself.
    pub(crate) async fn wait_for_returning(&self) {
        self.returning.notified().await;
    }

    /// Decides which of the waiting jobs go back: those that will not begin soon, or all of them.
    pub(crate) fn return_surplus(&self, all: bool) {
        let table = self.table();
        if !all && table.jobs.len() <= self.concurrency {
            return;
        }
        let mut waiting: Vec<&Arc<InFlightJob>> = table
            .jobs
            .values()
            .filter(|job| job.waits() || (all && !job.has_begun()))
            .collect();
        // Those that came last begin last.
        waiting.sort_unstable_by_key(|job| job.number.load(Ordering::Relaxed));
        let begin_soon = if all {
            0
        } else {
            // While a place is free its job is on the way to it, however slow this machine is.
            let taken = table.jobs.values().filter(|job| !job.waits() && !job.has_ended());
            let free = self.concurrency.saturating_sub(taken.count());
            free + table.begin_within(BEGINS_WITHIN, self.concurrency)
        };
        for job in waiting.into_iter().skip(begin_soon) {
            job.returns(all);
        }
    }

    /// The queues of which jobs go back.
    pub(crate) fn queues_of_returning(&self) -> Vec<QueueName> {
        let table = self.table();
        let mut queues: Vec<QueueName> = table
            .jobs
            .values()
            .filter(|job| job.is_returning())
            .map(|job| job.queue.clone())
            .collect();
        queues.sort();
        queues.dedup();
        queues
    }

    /// The jobs of a queue that go back, the first one first.
    pub(crate) fn returning(&self, queue: &QueueName) -> Vec<(JobId, u32)> {
        self.in_order(|job| job.queue == *queue && job.is_returning())
    }

    /// Jobs that are held, in the order in which they were fetched.
    pub(crate) fn in_order(&self, filter: impl Fn(&InFlightJob) -> bool) -> Vec<(JobId, u32)> {
        let table = self.table();
        let found = table.jobs.iter().filter(|(_, job)| filter(job));
        let mut found: Vec<_> = found
            .map(|(id, job)| (job.number.load(Ordering::Relaxed), *id, job.attempt))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id, attempt)| (id, attempt)).collect()
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
                let gone = entry.remove();
                any = true;
                if table
                    .suspect
                    .as_ref()
                    .is_some_and(|suspect| Arc::ptr_eq(suspect, &gone))
                {
                    table.suspect = None;
                }
            }
        }
        drop(table);
        if any {
            self.left.notify_waiters();
            self.left.notify_one();
        }
    }

    pub(crate) fn snapshot(&self) -> HashMap<JobId, Arc<InFlightJob>> {
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

    /// Stops everything.
    pub(crate) fn stop_all(&self) {
        for job in self.table().jobs.values() {
            job.stop.cancel();
        }
    }
}

impl Table {
    /// How many jobs will begin within a time: as many as places become free. A place whose job runs for longer than
    /// jobs usually do becomes free so much more seldom.
    fn begin_within(&self, time: Duration, concurrency: usize) -> usize {
        let now = Instant::now();
        let mean_run = self.mean_run.max(f64::MIN_POSITIVE);
        let mut unused = concurrency;
        let mut places_a_second = 0.0;
        for elapsed in self.jobs.values().filter_map(|job| job.runs_for(now)) {
            unused = unused.saturating_sub(1);
            places_a_second += elapsed.as_secs_f64().max(mean_run).recip();
        }
        #[expect(clippy::cast_precision_loss, reason = "a few thousand are exact")]
        let unused = unused as f64;
        saturating(time.as_secs_f64() * (places_a_second + unused / mean_run))
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
