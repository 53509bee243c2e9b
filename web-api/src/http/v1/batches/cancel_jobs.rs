//! Cancels all unfinished jobs of a batch.

use crate::db::job_history::Cause;
use crate::domain::ids::BatchId;
use crate::http::error::ApiError;
use crate::http::state::Inner;
use crate::services;

/// How many jobs are cancelled at the same time.
const PAGE: u64 = 500;

/// Cancels waiting jobs, and asks running jobs to stop.
pub(super) async fn cancel(state: &Inner, id: BatchId, cause: &Cause) -> Result<(), ApiError> {
    let mut after = None;
    let mut elsewhere = Vec::new();
    loop {
        let page = state.store.batch_unfinished(id, after, PAGE).await?;
        after = page.last().map(|job| job.id);
        let full = page.len() as u64 == PAGE;
        state.store.job_history_cancel(&page, cause).await?;
        elsewhere.extend(services::cancel::in_queue(&state.queues, page).await?);
        if !full {
            break;
        }
    }
    services::cancel::elsewhere(&state.store, &state.queues, elsewhere).await?;
    state.batches.touch(id);
    Ok(())
}
