//! The worker: takes jobs from its queues, runs their functions, records how they ended. It needs Redis and nothing else,
//! and a failing Redis never ends it: when Redis is away, slow, restarted or emptied, the worker waits and goes on.
//!
//! The fetcher, heartbeat, canceller, progress reporter, rescuer and surplus are one task each, the starter and the
//! completer one for each queue; apalis runs the attempts.

use std::sync::Arc;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{Data, WorkerBuilder};
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::catalog::{Catalog, CatalogEntry};
use crate::context::Threads;
use crate::error::{Error, chain};
use crate::job::QueueName;
use crate::panics;
use crate::queue::Queues;
use crate::queue::leases::Claims;

use backend::{Placed, SpiralBackend};
use canceller::Canceller;
use completer::{Completer, CompleterHandle};
use each_queue::for_each_queue;
use executor::Runner;
use fetcher::Fetcher;
use heartbeat::Heartbeat;
use in_flight::InFlight;
use progress_reporter::Reporter;
use queue_selector::QueueSelector;
use rescuer::Rescuer;
use roles::Roles;
use starter::{Starter, StarterHandle};
use surplus::Surplus;
use task_queue::TaskQueue;

mod backend;
mod canceller;
mod completer;
mod each_queue;
mod executor;
mod fetcher;
mod healthcheck;
mod heartbeat;
mod in_flight;
mod process_stats;
mod progress_log;
mod progress_reporter;
mod queue_selector;
mod rescuer;
mod retry_loop;
mod roles;
mod settings;
mod starter;
mod surplus;
mod task_queue;

pub use healthcheck::{Unhealthy, healthcheck};
pub use settings::WorkerSettings;

/// How long a worker that ends may take to report results and give jobs back; after that its leases lapse.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Between tries to ask Redis for its settings.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Runs the jobs of every queue in the catalog until `shutdown`; then running jobs get the grace period, the rest is
/// given back. Dropping the future ends the worker at once, as a crash would.
///
/// # Errors
/// At the start when the settings cannot be used, and later [`Error::Role`]: a part of the worker ended that must not.
pub async fn run(
    settings: WorkerSettings,
    catalog: Arc<Catalog>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    panics::remember_places();
    let name = settings.unique_name();
    let queues = Queues::connect(&settings.redis).await?;
    let selector = QueueSelector::new(settings.serves(catalog.weighted_queues())?, settings.strict_order);
    let worker = Worker {
        claims: Claims::new(queues.clone(), &name, settings.lease),
        queues: selector.names().to_vec(),
        selector,
        in_flight: Arc::new(InFlight::new(settings.concurrency)),
        settings,
        // Of its own, because it also ends when a part of it does.
        shutdown: shutdown.child_token(),
    };
    tracing::info!(
        worker = name,
        queues = ?worker.queues,
        functions = ?catalog.iter().map(CatalogEntry::name).collect::<Vec<_>>(),
        concurrency = worker.settings.concurrency,
        "the worker is ready for jobs"
    );
    let (completer, completers) = CompleterHandle::new(&worker.claims, &worker.in_flight, &worker.queues);
    let (starter, starters) = StarterHandle::new(&worker.claims, &worker.queues);
    let runner = Runner {
        catalog,
        queues,
        in_flight: Arc::clone(&worker.in_flight),
        threads: Threads::one_per_processor(),
        worker: name,
        horizon: worker.settings.redis.horizon,
        completer: completer.clone(),
        starter,
        fresh_for: worker.claims.fresh_for(),
        tasks: Arc::default(),
        shutdown: worker.shutdown.clone(),
    };
    worker.run(runner, completer, completers, starters).await
}

struct Worker {
    settings: WorkerSettings,
    claims: Claims,
    queues: Vec<QueueName>,
    selector: QueueSelector,
    in_flight: Arc<InFlight>,
    shutdown: CancellationToken,
}

impl Worker {
    async fn run(
        &self,
        runner: Runner,
        completer: CompleterHandle,
        completers: Vec<Completer>,
        starters: Vec<Starter>,
    ) -> Result<(), Error> {
        let roles = Roles::new(&self.shutdown);
        let fetching = roles.start("fetcher", self.fetcher(&runner.tasks).run());
        let completers = completers.into_iter();
        let _finishing: Vec<_> = completers
            .map(|completer| roles.start("completer", completer.run()))
            .collect();
        let starters = starters.into_iter();
        let _beginning: Vec<_> = starters
            .map(|starter| roles.start("starter", starter.run()))
            .collect();
        let groups = self.groups();
        let for_each = |start: &dyn Fn(Vec<QueueName>) -> AbortOnDropHandle<()>| -> Vec<_> {
            groups.iter().cloned().map(start).collect()
        };
        let _beating = for_each(&|queues| roles.start("heartbeat", self.heartbeat(queues).run()));
        let _cancelling = for_each(&|queues| roles.start("canceller", self.canceller(queues).run()));
        let _reporting = for_each(&|queues| roles.start("progress reporter", self.reporter(queues).run()));
        let _recovering = for_each(&|queues| roles.start("rescuer", self.rescuer(queues).run()));
        let _returning = for_each(&|queues| roles.start("surplus", self.surplus(queues).run()));
        let _checking = roles.start("Redis check", check_redis(runner.queues.clone()));
        let _grace = roles.start(
            "grace period",
            end_of_grace(
                Arc::clone(&self.in_flight),
                self.shutdown.clone(),
                self.settings.grace,
            ),
        );

        if let Err(message) = self.attempts(runner).await {
            roles.fail("runtime", &message);
        }

        // The fetcher first: what it fetches last is given back with the rest.
        let shut_down = async {
            let _joined = fetching.await;
            self.shut_down(&completer, roles.has_failed()).await
        };
        let worker = self.claims.worker();
        match tokio::time::timeout(SHUTDOWN_TIMEOUT, shut_down).await {
            Ok(Ok(given_back)) => tracing::info!(worker, given_back, "the worker has stopped"),
            Ok(Err(error)) => {
                tracing::warn!(worker, %error, "could not give jobs back; their lease will lapse");
            }
            Err(_elapsed) => {
                let jobs = self.in_flight.len();
                tracing::warn!(
                    worker,
                    jobs,
                    "could not give jobs back in time; their lease will lapse"
                );
            }
        }
        roles.take_failure().map_or(Ok(()), Err)
    }

    /// Runs what is fetched, by apalis, until shutdown and the end of the last attempt. Says why when it ends before.
    async fn attempts(&self, runner: Runner) -> Result<(), String> {
        let first_queue = self.queues.first().cloned().unwrap_or_else(QueueName::standard);
        let tasks = Arc::clone(&runner.tasks);
        let backend = SpiralBackend::new(&first_queue, self.settings.lease, tasks, self.in_flight.places());
        let worker = WorkerBuilder::new(self.claims.worker())
            .backend(backend)
            .data(Arc::new(runner))
            .parallelize(tokio::spawn)
            .catch_panic()
            .build(run_attempts);
        let shutdown = self.shutdown.clone();
        // Boxed, because the compiler cannot prove the type of apalis's future `Send` through another async fn.
        let running: BoxFuture<'static, _> = Box::pin(worker.run_until(async move {
            shutdown.cancelled().await;
            Ok::<(), std::io::Error>(())
        }));
        end_of_runtime(running.await, self.shutdown.is_cancelled())
    }

    /// The queues that a role looks after together: all of them, but on a cluster each alone. A node that is slow then
    /// slows its own queues and no others.
    fn groups(&self) -> Vec<Vec<QueueName>> {
        if self.claims.queues_are_apart() {
            self.queues.iter().map(|queue| vec![queue.clone()]).collect()
        } else {
            vec![self.queues.clone()]
        }
    }

    fn fetcher(&self, tasks: &Arc<TaskQueue>) -> Fetcher {
        Fetcher {
            claims: self.claims.clone(),
            queues: self.selector.clone(),
            in_flight: Arc::clone(&self.in_flight),
            tasks: Arc::clone(tasks),
            stop: self.shutdown.clone(),
        }
    }

    fn heartbeat(&self, queues: Vec<QueueName>) -> Heartbeat {
        Heartbeat {
            claims: self.claims.clone(),
            queues,
            in_flight: Arc::clone(&self.in_flight),
            lease: self.settings.lease,
            about: heartbeat::about(self.settings.concurrency),
        }
    }

    fn canceller(&self, queues: Vec<QueueName>) -> Canceller {
        Canceller {
            claims: self.claims.clone(),
            queues,
            in_flight: Arc::clone(&self.in_flight),
        }
    }

    fn reporter(&self, queues: Vec<QueueName>) -> Reporter {
        Reporter {
            claims: self.claims.clone(),
            queues,
            in_flight: Arc::clone(&self.in_flight),
        }
    }

    fn surplus(&self, queues: Vec<QueueName>) -> Surplus {
        Surplus {
            claims: self.claims.clone(),
            queues,
            in_flight: Arc::clone(&self.in_flight),
            stop: self.shutdown.clone(),
        }
    }

    fn rescuer(&self, queues: Vec<QueueName>) -> Rescuer {
        Rescuer {
            claims: self.claims.clone(),
            queues,
            lease: self.settings.lease,
            stop: self.shutdown.clone(),
        }
    }

    /// Reports what has ended, gives back what has not, removes the worker from the lists. Returns the jobs given back.
    /// After a failure what has begun may have ended unreported: it is left to its lease, so that its attempt counts.
    async fn shut_down(&self, completer: &CompleterHandle, failed: bool) -> Result<u64, Error> {
        let (given_back, result) = for_each_queue(&self.queues, |queue| {
            self.shut_down_queue(queue, completer, failed)
        })
        .await;
        result.map(|()| given_back.into_iter().sum())
    }

    async fn shut_down_queue(
        &self,
        queue: &QueueName,
        completer: &CompleterHandle,
        failed: bool,
    ) -> Result<u64, Error> {
        completer.flush(queue).await;
        let left = self
            .in_flight
            .in_order(|job| job.queue == *queue && !(failed && job.has_begun()));
        let given_back = self.claims.give_back(queue, &left, Duration::ZERO).await?;
        if !self.claims.leave(queue).await? {
            let worker = self.claims.worker();
            tracing::warn!(worker, %queue, "Redis counts jobs as held that this worker does not know");
        }
        Ok(given_back)
    }
}

/// Warns once of settings of Redis that will cost jobs one day, as soon as it answers.
async fn check_redis(queues: Queues) {
    loop {
        match queues.server_warnings().await {
            Ok(warnings) => {
                for warning in warnings {
                    tracing::warn!("{warning}");
                }
                return std::future::pending().await;
            }
            // The other roles log it.
            Err(_) => tokio::time::sleep(ASK_AGAIN).await,
        }
    }
}

/// Stops what still runs when the grace period is over.
async fn end_of_grace(in_flight: Arc<InFlight>, shutdown: CancellationToken, grace: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(grace).await;
    tracing::warn!(
        jobs = in_flight.len(),
        "the grace period is over; giving the rest back"
    );
    in_flight.stop_all();
}

/// What apalis calls for each task: one job, or a few that take no time.
async fn run_attempts(placed: Placed, runner: Data<Arc<Runner>>) {
    let Placed { assignments, place } = placed;
    runner.run_all(assignments).await;
    drop(place);
}

/// How apalis's worker ended: it must not end before the order to stop.
fn end_of_runtime(result: Result<(), impl std::error::Error>, is_stopping: bool) -> Result<(), String> {
    match result {
        Err(error) => Err(chain(&error)),
        Ok(()) if is_stopping => Ok(()),
        Ok(()) => Err("apalis's worker ended by itself".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_ends_by_itself_ends_the_worker_with_an_error() {
        let ended = |is_stopping| end_of_runtime(Ok::<(), std::io::Error>(()), is_stopping);
        assert_eq!(ended(true), Ok(()));
        assert!(ended(false).unwrap_err().contains("by itself"));
        let failed = end_of_runtime(Err(std::io::Error::other("no backend")), true);
        assert_eq!(failed, Err("no backend".to_owned()));
    }
}
