//! Does one thing to all jobs that a search finds, behind the back of its caller: chunk by chunk, so that others get
//! their turn, and noting after each chunk how far it has come, so that another process goes on when this one dies.
//!
//! Every process runs this; the database sees to it that each action has one of them at a time. A chunk that was done
//! and not noted is done once more: jobs that do not fit any more are left alone, and not counted again.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{SubsecRound as _, TimeDelta};
use jobs::clock;
use jobs::job::{JobId, JobState, QueueName};
use jobs::queue::Queues;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::db::bulk_actions::{Action, ActionState, BulkAction, Step};
use crate::db::job_history::{Actor, Cause};
use crate::db::jobs::{Counted, Job, UnfinishedJob};
use crate::db::{Store, StoreError};
use crate::domain::job_filter::JobFilter;
use crate::services;
use crate::services::batch_closer::DirtyBatches;
use crate::services::cancel::CancelError;
use crate::services::dispatcher::window::Windows;
use crate::services::retry;
use crate::services::retry_loop::{PartError, RetryLoop, jittered};
use jobs::error::chain;

/// Actions that may be under way.
pub const MOST: u64 = 100;
/// How long an action rests that could not go on.
const REST: Duration = Duration::from_secs(5);
/// How long the count before an action may take.
const COUNT_TIMEOUT: Duration = Duration::from_secs(2);

/// How it goes about its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkSettings {
    /// Jobs in one chunk.
    pub chunk: u64,
    /// How long a process has an action without a word from it. Longer than a chunk can take.
    pub lease: Duration,
    /// Between two looks for work.
    pub tick: Duration,
    /// Between two chunks.
    pub pause: Duration,
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self {
            chunk: 500,
            lease: Duration::from_mins(1),
            tick: Duration::from_secs(2),
            pause: Duration::from_millis(10),
        }
    }
}

/// Why an action stands still.
#[derive(Debug, thiserror::Error)]
enum BulkError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the queue failed")]
    Queue(#[from] jobs::error::Error),
    #[error(transparent)]
    Again(#[from] PartError),
    #[error(transparent)]
    CallOff(#[from] CancelError),
}

/// What the role works with.
pub struct Bulk {
    pub store: Store,
    pub queues: Queues,
    /// The queues that are served: jobs of others are not run again.
    pub names: Vec<QueueName>,
    pub windows: Windows,
    pub dirty: DirtyBatches,
    pub settings: BulkSettings,
}

/// The way in for requests. Cheap to clone.
#[derive(Clone)]
pub struct Actions {
    store: Store,
    notify: Arc<Notify>,
}

impl Actions {
    /// The way in, and the role behind it that has to run for anything to happen.
    pub fn new(bulk: Bulk, shutdown: CancellationToken) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let notify = Arc::new(Notify::new());
        let actions = Self {
            store: bulk.store.clone(),
            notify: Arc::clone(&notify),
        };
        let role = Bulk {
            store: bulk.store.for_roles(),
            ..bulk
        };
        (actions, run(role, notify, shutdown))
    }

    /// How many jobs it would be done to.
    pub async fn count(&self, action: Action, filter: &JobFilter) -> Result<Counted, StoreError> {
        let nothing = Counted { jobs: 0, exact: true };
        match narrowed(action, filter) {
            Some(filter) => self.store.job_count(&filter, begin(), COUNT_TIMEOUT).await,
            None => Ok(nothing),
        }
    }

    /// Records an action, which begins at once. `None` when too many are under way.
    pub async fn start(&self, action: Action, filter: &JobFilter) -> Result<Option<BulkAction>, StoreError> {
        let total = self.count(action, filter).await?;
        self.start_by(action, filter, total, None).await
    }

    /// The same, with how many jobs were counted before, and who wants it.
    pub async fn start_by(
        &self,
        action: Action,
        filter: &JobFilter,
        total: Counted,
        actor: Option<Actor>,
    ) -> Result<Option<BulkAction>, StoreError> {
        if self.store.job_action_running().await? >= MOST {
            return Ok(None);
        }
        // Where nothing fits there is nothing to walk through.
        let none = narrowed(action, filter).is_none();
        let now = clock::now().trunc_subsecs(3);
        let action = BulkAction {
            id: JobId::new(),
            action,
            filter: narrowed(action, filter).unwrap_or_else(|| filter.clone()),
            state: if none {
                ActionState::Finished
            } else {
                ActionState::Running
            },
            total,
            seen: 0,
            changed: 0,
            cursor: begin(),
            created_at: now,
            finished_at: none.then_some(now),
            actor,
        };
        self.store.job_action_insert(&action).await?;
        self.notify.notify_one();
        Ok(Some(action))
    }
}

/// Above all jobs that have been made so far: what is called from now on is none of its business.
fn begin() -> JobId {
    JobId::lower_bound(clock::now() + TimeDelta::milliseconds(1))
}

/// The filter within the states in which something can be done; `None` when there are none. What has completed is run
/// again only when it is asked for by name: its state's or its own.
fn narrowed(action: Action, filter: &JobFilter) -> Option<JobFilter> {
    use JobState::{Cancelled, Completed, Dead, Queued, Retrying, Running, Scheduled};
    let (usual, possible): (&[JobState], &[JobState]) = match action {
        Action::Retry => (&[Dead, Cancelled], &[Completed, Dead, Cancelled]),
        Action::Cancel => {
            let unfinished = &[Scheduled, Queued, Running, Retrying];
            (unfinished, unfinished)
        }
        Action::Delete => (&[Completed, Dead, Cancelled], &[Completed, Dead, Cancelled]),
    };
    let states: Vec<JobState> = if filter.states.is_empty() {
        let picked = !filter.ids.is_empty();
        if picked { possible } else { usual }.to_vec()
    } else {
        filter
            .states
            .iter()
            .copied()
            .filter(|state| possible.contains(state))
            .collect()
    };
    (!states.is_empty()).then(|| JobFilter {
        states,
        ..filter.clone()
    })
}

async fn run(bulk: Bulk, notify: Arc<Notify>, shutdown: CancellationToken) {
    let owner = JobId::new().to_string();
    let mut retries = RetryLoop::new("actions on many jobs");
    loop {
        let pause = match bulk.work(&owner, &shutdown).await {
            Ok(()) => {
                retries.over();
                jittered(bulk.settings.tick)
            }
            Err(error) => retries.failed(&error),
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = notify.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl Bulk {
    /// Works on all actions that nobody works on.
    async fn work(&self, owner: &str, shutdown: &CancellationToken) -> Result<(), BulkError> {
        while !shutdown.is_cancelled() {
            let Some(action) = self.store.job_action_claim(owner, self.settings.lease).await? else {
                return Ok(());
            };
            tracing::info!(action = %action.id, what = %action.action, search = %action.filter, "works on an action");
            let result = self.go(&action, owner, shutdown).await;
            let rest = if result.is_err() { REST } else { Duration::ZERO };
            if (result.is_err() || shutdown.is_cancelled())
                && let Err(error) = self.store.job_action_give_back(action.id, owner, rest).await
            {
                tracing::warn!(action = %action.id, error = %chain(&error), "an action rests until its lease is over");
            }
            result?;
        }
        Ok(())
    }

    /// Until its end, or until it is somebody else's.
    async fn go(
        &self,
        action: &BulkAction,
        owner: &str,
        shutdown: &CancellationToken,
    ) -> Result<(), BulkError> {
        let mut cursor = action.cursor;
        loop {
            let page = self
                .store
                .job_list(&action.filter, Some(cursor), self.settings.chunk)
                .await?;
            let changed = self.act(action, &page.jobs).await?;
            let step = Step {
                seen: page.jobs.len() as u64,
                changed,
                next: page.next,
            };
            let mine = self
                .store
                .job_action_step(action.id, owner, step, self.settings.lease)
                .await?;
            match page.next {
                Some(next) if mine && !shutdown.is_cancelled() => cursor = next,
                Some(_) | None => return Ok(()),
            }
            tokio::time::sleep(self.settings.pause).await;
        }
    }

    /// Returns how many of them it has changed.
    async fn act(&self, action: &BulkAction, jobs: &[Job]) -> Result<u64, BulkError> {
        let mut by_queue = BTreeMap::<&QueueName, Vec<&Job>>::new();
        for job in jobs {
            by_queue.entry(&job.queue).or_default().push(job);
        }
        // One cause for all chunks: what is done once more is not told twice.
        let cause = Cause {
            id: action.id,
            actor: action.actor.clone(),
            job_action: Some(action.id),
        };
        let mut changed = 0;
        for (queue, jobs) in by_queue {
            let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
            changed += match action.action {
                Action::Retry if !self.names.contains(queue) => 0,
                Action::Retry => retry::run(&self.store, &self.queues, &self.windows, queue, &ids, &cause)
                    .await?
                    .len() as u64,
                Action::Cancel => self.cancel(&jobs, &cause).await?,
                Action::Delete => {
                    let deleted = self.store.job_delete_many(&ids).await?;
                    if deleted > 0 {
                        self.queues.announce_many(queue, ids.len()).await?;
                    }
                    deleted
                }
            };
        }
        Ok(changed)
    }

    async fn cancel(&self, jobs: &[&Job], cause: &Cause) -> Result<u64, BulkError> {
        let unfinished: Vec<UnfinishedJob> = jobs.iter().map(|job| (*job).into()).collect();
        let all = unfinished.len() as u64;
        self.store.job_history_cancel(&unfinished, cause).await?;
        let elsewhere = services::cancel::in_queue(&self.queues, unfinished).await?;
        let in_queue = all - elsewhere.len() as u64;
        let in_sql = services::cancel::elsewhere(&self.store, &self.queues, elsewhere).await?;
        self.dirty.add(jobs.iter().filter_map(|job| job.batch));
        Ok(in_queue + in_sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_takes_only_jobs_that_it_can_do_something_to() {
        let states = |action, search: &str| {
            let filter: JobFilter = search.parse().unwrap();
            narrowed(action, &filter).map(|filter| filter.to_string())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(states(Action::Retry, ""), some("state:dead,cancelled"));
        assert_eq!(
            states(Action::Retry, "state:completed,running"),
            some("state:completed")
        );
        assert_eq!(states(Action::Retry, "state:running"), None);
        let picked = "01JD3Y8M5Q2W7E9R4T6Y1P0A2S";
        assert_eq!(
            states(Action::Retry, picked),
            some(&format!("id:{picked} state:completed,dead,cancelled"))
        );
        assert_eq!(
            states(Action::Cancel, "queue:mail"),
            some("state:scheduled,queued,running,retrying queue:mail")
        );
        assert_eq!(
            states(Action::Delete, "state:dead index>1"),
            some("state:dead index>1")
        );
        assert_eq!(states(Action::Delete, "state:queued"), None);
    }
}
