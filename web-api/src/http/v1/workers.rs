//! Lists the workers.

use std::collections::BTreeMap;

use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::http::dto::problems::Problem;
use crate::http::dto::workers::{Worker, WorkerList};
use crate::http::error::ApiError;
use crate::http::response::ApiResponse;
use crate::http::state::AppState;

/// List the workers
///
/// Every process that runs jobs, with the data of its last heartbeat and the number of jobs it has reserved.
#[endpoint(
    operation_id = "list_workers",
    tags("workers"),
    responses(
        (status_code = 200, description = "The workers, by name.", body = WorkerList),
        (status_code = 503, description = "The workers cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let mut workers = BTreeMap::<String, Worker>::new();
    for queue in state.catalog.queues() {
        for worker in state.queues.workers(&queue).await? {
            let name = worker.name.clone();
            workers
                .entry(name.clone())
                .or_insert_with(|| Worker::named(name))
                .add(queue.as_str(), worker);
        }
    }
    let workers = workers.into_values().collect();
    ApiResponse::ok(&WorkerList { workers })
}
