//! Builds one process from its parts: the roles that run beside the HTTP server, and what its handlers share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jobs::catalog::Catalog;
use jobs::job::{JobId, QueueName};
use jobs::queue::Queues;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::auth::authenticator::Authenticator;
use crate::config::ServerSettings;
use crate::db::Store;
use crate::http::metrics;
use crate::http::state::{AppState, Inner};
use crate::live::Feed;
use crate::services::admission::Backlogs;
use crate::services::batch_closer::{Batches, DirtyBatches};
use crate::services::bulk_actions::{Actions, Bulk, BulkSettings};
use crate::services::dispatcher::window::Windows;
use crate::services::enqueuer::Enqueuer;
use crate::services::outcome_waiters::Outcomes;
use crate::services::progress_marker::ProgressMarker;
use crate::services::pruner::{self, PruneSettings};
use crate::services::reconciler::{self, ReconcileRequest, ReconcileSettings, Reconciler};
use crate::services::redis_checks::{self, RedisWarnings};
use crate::services::removed_queues::RemovedQueues;
use crate::services::{dispatcher, limits_sync, recorder, rollups, scheduler};

/// How long the roles may take to finish their current work at shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);

/// The roles of a running process.
pub struct App {
    state: AppState,
    roles: JoinSet<&'static str>,
    end: CancellationToken,
}

/// A role ended before the shutdown: it panicked, and the process cannot do its work any more.
#[derive(Debug, thiserror::Error)]
#[error("the role {0} ended by itself")]
pub struct RoleEnded(String);

impl App {
    /// Starts the roles. `shutdown` ends live events and waiting requests; the roles continue until
    /// [`App::end`].
    ///
    /// # Errors
    /// When metrics cannot be collected, or a function that is to be public does not exist.
    pub fn start(
        settings: ServerSettings,
        catalog: Arc<Catalog>,
        store: Store,
        queues: Queues,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let authenticator =
            Authenticator::new(settings.access.clone(), settings.base_path.clone(), &catalog)?;
        let metrics = metrics::install()?;
        let end = CancellationToken::new();
        let outcomes = Outcomes::new(store.clone());
        let wake = ReconcileRequest::new();
        let windows = Windows::new(settings.window);
        let recorder = ProgressMarker::default();
        let dirty = DirtyBatches::default();
        let names = catalog.queues();
        let mut roles = JoinSet::new();
        let requests = store;
        let store = requests.for_roles();

        let (enqueuer, enqueuing) = Enqueuer::new(
            store.clone(),
            queues.clone(),
            windows.clone(),
            wake.clone(),
            end.clone(),
        );
        spawn(&mut roles, "enqueue", enqueuing);
        let dispatching = {
            let (store, queues, windows) = (store.clone(), queues.clone(), windows.clone());
            dispatcher::run(store, queues, names.clone(), windows, end.clone())
        };
        spawn(&mut roles, "dispatch", dispatching);
        let limiting = limits_sync::run(store.clone(), queues.clone(), names.clone(), end.clone());
        spawn(&mut roles, "limits", limiting);
        let reader = queues.recorder(&names, &format!("web-api-{}", JobId::new()));
        let recording = recorder::run(
            store.clone(),
            reader,
            outcomes.clone(),
            dirty.clone(),
            recorder.clone(),
            end.clone(),
        );
        spawn(&mut roles, "record", recording);
        let removed = RemovedQueues::new(&store, &queues, &names, &outcomes, &dirty);
        spawn(&mut roles, "removed queues", removed.run(end.clone()));
        let redis_warnings = RedisWarnings::default();
        let looking = redis_checks::watch(queues.clone(), redis_warnings.clone(), end.clone());
        spawn(&mut roles, "redis settings", looking);
        let scheduling = scheduler::run(store.clone(), Arc::clone(&catalog), windows.clone(), end.clone());
        spawn(&mut roles, "schedule", scheduling);
        let bulk = Bulk {
            store: requests.clone(),
            queues: queues.clone(),
            names: names.clone(),
            windows: windows.clone(),
            dirty: dirty.clone(),
            settings: BulkSettings::default(),
        };
        let (actions, acting) = Actions::new(bulk, end.clone());
        spawn(&mut roles, "actions", acting);
        let (batches, batching) = Batches::new(&requests, windows.clone(), dirty, end.clone());
        spawn(&mut roles, "batches", batching);
        let backlogs = spawn_upkeep(&mut roles, &settings, &store, &end);
        let reconciler = Reconciler {
            store: store.clone(),
            queues: queues.clone(),
            names: names.clone(),
            windows: windows.clone(),
            recorder: recorder.clone(),
            wake,
            settings: ReconcileSettings::default(),
        };
        let reconciling = reconciler::run(reconciler, end.clone());
        spawn(&mut roles, "reconcile", reconciling);
        let feed = feed_of(&settings, queues.clone(), names, shutdown.clone());
        spawn(
            &mut roles,
            "live",
            follow(feed.clone(), outcomes.clone(), end.clone()),
        );
        let upkeep = metrics::upkeep(metrics.clone(), end.clone());
        spawn(&mut roles, "metrics", upkeep);

        let state = AppState::new(Inner {
            settings,
            authenticator,
            catalog,
            store: requests,
            queues,
            enqueuer,
            batches,
            actions,
            backlogs,
            windows,
            outcomes,
            feed,
            recorder,
            redis_warnings,
            metrics,
            started: Instant::now(),
            shutdown,
        });
        Ok(Self { state, roles, end })
    }

    pub fn state(&self) -> AppState {
        self.state.clone()
    }

    /// Resolves when a role ends before the shutdown.
    pub async fn failed(&mut self) -> RoleEnded {
        match self.roles.join_next().await {
            Some(Ok(name)) => RoleEnded(name.to_owned()),
            Some(Err(error)) => RoleEnded(error.to_string()),
            None => std::future::pending().await,
        }
    }

    /// Signals the roles to finish their current work, and waits for them.
    pub async fn end(mut self) {
        self.end.cancel();
        let all = async {
            while let Some(ended) = self.roles.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a role failed");
                }
            }
        };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await.is_err() {
            tracing::warn!(
                "some roles did not end in time; their remaining work continues at the next start"
            );
        }
    }
}

fn feed_of(
    settings: &ServerSettings,
    queues: Queues,
    names: Vec<QueueName>,
    shutdown: CancellationToken,
) -> Feed {
    let public = settings.access.public_functions.clone();
    Feed::new(queues, names, settings.event_clients, public, shutdown)
}

/// Follows the events for the live feed. The feed ends with the shutdown, before the other roles: the task then waits
/// for their end, so that it does not count as failed.
async fn follow(feed: Feed, outcomes: Outcomes, end: CancellationToken) {
    feed.run(outcomes).await;
    end.cancelled().await;
}

/// Starts the roles that prune the database and roll up its counts.
fn spawn_upkeep(
    roles: &mut JoinSet<&'static str>,
    settings: &ServerSettings,
    store: &Store,
    end: &CancellationToken,
) -> Backlogs {
    let kept = PruneSettings::of(settings.retention, settings.audit_retention);
    spawn(roles, "prune", pruner::run(store.clone(), kept, end.clone()));
    let backlogs = Backlogs::new(settings.backlog_limit);
    let folding = rollups::run(store.clone(), backlogs.clone(), end.clone());
    spawn(roles, "fold", folding);
    backlogs
}

fn spawn(
    roles: &mut JoinSet<&'static str>,
    name: &'static str,
    role: impl Future<Output = ()> + Send + 'static,
) {
    roles.spawn(async move {
        role.await;
        name
    });
}
