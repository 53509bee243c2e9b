//! The state of the handlers: one value, made at the start and shared by all requests.

use std::sync::Arc;
use std::time::Instant;

use jobs::catalog::Catalog;
use jobs::queue::Queues;
use metrics_exporter_prometheus::PrometheusHandle;
use salvo::Depot;
use tokio_util::sync::CancellationToken;

use crate::auth::authenticator::Authenticator;
use crate::config::ServerSettings;
use crate::db::Store;
use crate::http::error::ApiError;
use crate::live::Feed;
use crate::services::admission::Backlogs;
use crate::services::batch_closer::Batches;
use crate::services::bulk_actions::Actions;
use crate::services::dispatcher::window::Windows;
use crate::services::enqueuer::Enqueuer;
use crate::services::outcome_waiters::Outcomes;
use crate::services::progress_marker::ProgressMarker;
use crate::services::redis_checks::RedisWarnings;

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    inner: Arc<Inner>,
}

/// The parts, by name.
pub struct Inner {
    pub settings: ServerSettings,
    pub authenticator: Authenticator,
    pub catalog: Arc<Catalog>,
    pub store: Store,
    pub queues: Queues,
    pub enqueuer: Enqueuer,
    pub batches: Batches,
    pub actions: Actions,
    pub backlogs: Backlogs,
    pub windows: Windows,
    pub outcomes: Outcomes,
    pub feed: Feed,
    /// The recorder's.
    pub recorder: ProgressMarker,
    pub redis_warnings: RedisWarnings,
    pub metrics: PrometheusHandle,
    pub started: Instant,
    /// Cancelled at the shutdown: requests that wait for an outcome end.
    pub shutdown: CancellationToken,
}

impl AppState {
    pub fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    pub fn settings(&self) -> &ServerSettings {
        &self.inner.settings
    }

    /// The state of the server that handles this request.
    pub fn of(depot: &Depot) -> Result<&Inner, ApiError> {
        match depot.get_typed::<Self>() {
            Ok(state) => Ok(state.inner.as_ref()),
            Err(_absent) => Err(ApiError::internal(
                "the server was put together without its state",
            )),
        }
    }
}
