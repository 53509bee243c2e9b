//! Tells requests that wait for a job when it has its outcome.
//!
//! A request registers before the job is enqueued, so that no outcome is too fast for it. The recorder of this process
//! fulfils what it records; for outcomes that another process records, the live feed calls [`Outcomes::resolve`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jobs::job::JobId;
use tokio::sync::watch;

use crate::db::jobs::Job;
use crate::db::{Store, StoreError};

/// How long [`Outcomes::resolve`] waits for the row behind an event, looking ever less often.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const LOOKS: u32 = 20;

type Waiting = HashMap<JobId, watch::Sender<Option<Arc<Job>>>>;

/// The jobs that somebody in this process waits for. Cheap to clone.
#[derive(Clone)]
pub struct Outcomes {
    store: Store,
    waiting: Arc<Mutex<Waiting>>,
}

/// Waits for one job. Dropping it ends the wait.
pub struct Waiter {
    id: JobId,
    outcomes: Outcomes,
    outcome: watch::Receiver<Option<Arc<Job>>>,
}

impl Outcomes {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            waiting: Arc::default(),
        }
    }

    /// Begins to wait. Any number may wait for one job.
    pub fn wait_for(&self, id: JobId) -> Waiter {
        let outcome = self
            .lock()
            .entry(id)
            .or_insert_with(|| watch::Sender::new(None))
            .subscribe();
        Waiter {
            id,
            outcomes: self.clone(),
            outcome,
        }
    }

    /// Whether somebody waits for this job.
    pub fn is_waited_for(&self, id: JobId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Tells everyone who waits for this job, which has its final state, what became of it.
    pub fn resolve_job(&self, job: Job) {
        if let Some(sender) = self.lock().get(&job.id) {
            sender.send_replace(Some(Arc::new(job)));
        }
    }

    /// Says that a job has finished, as far as is known from an event: reads its row and tells who waits for it. The row
    /// may be a moment behind, when another process records the event. Does nothing when nobody waits.
    pub async fn resolve(&self, id: JobId) -> Result<(), StoreError> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..LOOKS {
            if !self.is_waited_for(id) {
                return Ok(());
            }
            if let Some(job) = self.store.job_get(id).await?.filter(|job| job.state.is_final()) {
                self.resolve_job(job);
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// The job in its final state. Waits for ever if it never gets there: bound it.
    pub async fn outcome(&mut self) -> Arc<Job> {
        loop {
            if let Some(job) = self.outcome.borrow_and_update().as_ref() {
                return Arc::clone(job);
            }
            if self.outcome.changed().await.is_err() {
                // The sender lives as long as this waiter: see `drop`.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.outcomes.lock();
        // This one is still subscribed: it is the last when there is no other.
        if waiting
            .get(&self.id)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            waiting.remove(&self.id);
        }
    }
}
