//! The roles of the API process and a worker, started and ended by a test, and a function that counts how often it runs.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use jobs::{
    backoff::Backoff,
    catalog::Catalog,
    context::JobContext,
    function::{Function, JobError, Policy},
    job::JobId,
    worker::{self, WorkerSettings},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use web_api::db::Store;
use web_api::db::jobs::NewJob;
use web_api::services::batch_closer::{Batches, DirtyBatches};
use web_api::services::enqueuer::Enqueuer;
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::{self, ReconcileRequest, ReconcileSettings, Reconciler};
use web_api::services::{dispatcher, recorder, scheduler};

use super::{TestEnv, new_job};

/// A role that runs. Dropping it ends it in the middle of what it does, as a crash would.
pub(crate) struct Role {
    stop: CancellationToken,
    run: JoinHandle<()>,
}

impl Role {
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        role: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let stop = CancellationToken::new();
        Self {
            run: tokio::spawn(role(stop.clone())),
            stop,
        }
    }

    pub(crate) fn order_to_stop(&self) {
        self.stop.cancel();
    }

    /// Ends it in order.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_mins(2), &mut self.run)
            .await
            .unwrap()
            .unwrap();
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.run.abort();
    }
}

impl TestEnv {
    pub(crate) fn enqueuer(&self, store: &Store, wake: &ReconcileRequest) -> (Enqueuer, Role) {
        let stop = CancellationToken::new();
        let (enqueuer, role) = Enqueuer::new(
            store.clone(),
            self.queues.clone(),
            self.windows.clone(),
            wake.clone(),
            stop.clone(),
        );
        (
            enqueuer,
            Role {
                stop,
                run: tokio::spawn(role),
            },
        )
    }

    /// Dispatches what lines up.
    pub(crate) fn dispatch(&self) -> Role {
        Role::start(|stop| {
            dispatcher::run(
                self.store.clone(),
                self.queues.clone(),
                vec![self.queue.clone()],
                self.windows.clone(),
                stop,
            )
        })
    }

    /// Records as the process of that name.
    pub(crate) fn record(&self, store: &Store, name: &str, outcomes: &Outcomes) -> Role {
        let recorder = self.queues.recorder(std::slice::from_ref(&self.queue), name);
        let (dirty, pulse) = (DirtyBatches::default(), self.pulse.clone());
        Role::start(|stop| recorder::run(store.clone(), recorder, outcomes.clone(), dirty, pulse, stop))
    }

    /// Rounds only when there is a reason, and rows of some age.
    pub(crate) fn reconcile(&self, wake: &ReconcileRequest, min_age: Duration) -> Role {
        let settings = ReconcileSettings {
            interval: Duration::from_hours(1),
            min_age,
            tick: Duration::from_millis(50),
        };
        let reconciler = Reconciler {
            store: self.store.clone(),
            queues: self.queues.clone(),
            names: vec![self.queue.clone()],
            windows: self.windows.clone(),
            recorder: self.pulse.clone(),
            wake: wake.clone(),
            settings,
        };
        Role::start(|stop| reconciler::run(reconciler, stop))
    }

    pub(crate) fn schedule(&self, store: &Store, catalog: Arc<Catalog>) -> Role {
        Role::start(|stop| scheduler::run(store.clone(), catalog, self.windows.clone(), stop))
    }

    /// Closes the batches of this store. Nobody tells it which were touched.
    pub(crate) fn batches(&self, store: &Store) -> Role {
        Role::start(|stop| {
            let (store, dirty) = (store.clone(), DirtyBatches::default());
            Batches::new(&store, self.windows.clone(), dirty, stop).1
        })
    }

    pub(crate) fn worker(&self, counted: &Counted) -> Role {
        let settings = WorkerSettings {
            redis: self.redis.settings(),
            concurrency: 50,
            lease: Duration::from_secs(3),
            grace: Duration::from_millis(500),
            name: "test".to_owned(),
            ..WorkerSettings::default()
        };
        let catalog = Arc::new(Catalog::empty().with(counted.clone()).unwrap());
        Role::start(async move |stop| worker::run(settings, catalog, stop).await.unwrap())
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Instructions {
    number: u64,
    /// Fail the first attempt.
    #[serde(default)]
    stumble: bool,
    /// Give up at once, with these words.
    #[serde(default)]
    give_up: Option<String>,
}

/// Returns its number. Counts the runs of each job; with a gate each waits until the test lets it through.
#[derive(Clone, Default)]
pub(crate) struct Counted {
    runs: Arc<Mutex<HashMap<JobId, u32>>>,
    gate: Option<Arc<Semaphore>>,
}

impl Counted {
    pub(crate) fn gated() -> Self {
        Self {
            gate: Some(Arc::new(Semaphore::new(0))),
            ..Self::default()
        }
    }

    pub(crate) fn open(&self, permits: usize) {
        self.gate.as_ref().unwrap().add_permits(permits);
    }

    pub(crate) fn runs(&self, id: JobId) -> u32 {
        self.runs.lock().unwrap().get(&id).copied().unwrap_or_default()
    }

    /// A job that runs it.
    pub(crate) fn job(number: u64) -> NewJob {
        NewJob {
            function: Self::NAME.to_owned(),
            input: json!({ "number": number }).into(),
            ..new_job(0)
        }
    }
}

impl Function for Counted {
    const NAME: &'static str = "counted";
    const DESCRIPTION: &'static str = "Counts how often it runs.";
    type Input = Instructions;
    type Output = u64;

    fn policy(&self) -> Policy {
        Policy {
            backoff: Backoff::Fixed(vec![Duration::from_millis(20)]),
            ..Policy::default()
        }
    }

    async fn run(&self, context: JobContext, input: Instructions) -> Result<u64, JobError> {
        *self.runs.lock().unwrap().entry(context.id).or_default() += 1;
        if let Some(gate) = &self.gate {
            gate.acquire().await.map_err(JobError::retry)?.forget();
        }
        match input.give_up {
            Some(words) => Err(JobError::fatal(words)),
            None if input.stumble && context.attempt == 1 => Err(JobError::retry("stumbled")),
            None => Ok(input.number),
        }
    }
}
