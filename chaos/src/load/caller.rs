//! One caller: makes a call until it is accepted, and what its plan says beside that.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jobs::job::JobId;
use serde_json::Value;
use tokio::time::Instant;

use super::Shared;
use super::client::Answer;
use super::plan::{Cancel, Plan};

/// A caller gives up on a call after this time.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(150);
/// Those who call a job off give up earlier.
const CANCEL_PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(shared: &Shared) {
    // Jobs are cancelled by and by, while the next calls are made.
    let mut planned: Vec<(Instant, u32, JobId)> = Vec::new();
    while let Some(number) = shared.next().await {
        let plan = shared.calls.plan(number);
        if let Some(id) = accepted(shared, number, &plan).await {
            if plan.repeats {
                accepted(shared, number, &plan).await;
            }
            if let Some(after) = plan.cancelled_after {
                planned.push((Instant::now() + after, number, id));
            }
        }
        let now = Instant::now();
        while let Some(at) = planned.iter().position(|(due, ..)| *due <= now) {
            let (_, number, id) = planned.swap_remove(at);
            cancel(shared, number, id).await;
        }
    }
    for (due, number, id) in planned {
        tokio::time::sleep_until(due).await;
        cancel(shared, number, id).await;
    }
}

/// Makes the call until it is answered; the job that it became.
async fn accepted(shared: &Shared, number: u32, plan: &Plan) -> Option<JobId> {
    let (key, path, body) = (shared.calls.key(number), plan.path(), plan.body());
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE && !shared.gave_up.load(Ordering::Relaxed) {
        let answer = shared.client.post(&path, Some(&key), Some(&body)).await;
        match &answer {
            Answer::Said(200 | 202, job) => match id_of(job) {
                Some(id) => {
                    shared.notes.note(&format!("call {number} accepted as {id}"));
                    shared.ledger.accept(number, id);
                    return Some(id);
                }
                None => shared
                    .ledger
                    .odd(number, None, &format!("accepted without an id: {job}")),
            },
            Answer::Said(status, said) => {
                shared
                    .ledger
                    .odd(number, None, &format!("answered {status}: {said}"));
            }
            Answer::Unavailable | Answer::Refused | Answer::Broken | Answer::Silence => {}
        }
        if let Some(failure) = answer.failure() {
            shared.ledger.failed(failure);
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

async fn cancel(shared: &Shared, number: u32, id: JobId) {
    let path = format!("/api/v1/jobs/{id}/cancel");
    shared.ledger.cancel(number, Cancel::Unanswered);
    let begin = Instant::now();
    while begin.elapsed() < CANCEL_PATIENCE {
        let answer = shared.client.post(&path, None, None).await;
        let outcome = match &answer {
            Answer::Said(200, _) => Some(Cancel::Done),
            Answer::Said(202, _) => Some(Cancel::Told),
            Answer::Said(409, _) => Some(Cancel::TooLate),
            Answer::Said(status, said) => {
                let what = format!("cancelling was answered {status}: {said}");
                shared.ledger.odd(number, Some(id), &what);
                return;
            }
            Answer::Unavailable | Answer::Refused | Answer::Broken | Answer::Silence => None,
        };
        if let Some(outcome) = outcome {
            shared.notes.note(&format!("cancelling {id}: {outcome:?}"));
            shared.ledger.cancel(number, outcome);
            return;
        }
        if let Some(failure) = answer.failure() {
            shared.ledger.failed(failure);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn id_of(job: &Value) -> Option<JobId> {
    job["id"].as_str()?.parse().ok()
}
