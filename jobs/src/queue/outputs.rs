//! Outputs of finished jobs, in time buckets: those of one bucket lie in one hash, which expires as a whole.

use bytes::Bytes;
use redis::pipe;

use super::Queues;
use crate::error::Error;
use crate::job::{JobId, QueueName};
use crate::output;

/// Time buckets within one time to live.
pub(super) const BUCKETS_PER_TTL: u64 = 24;

/// The largest output that is read back, in bytes of JSON.
const OUTPUT_MAX: u64 = 256 << 20;

impl Queues {
    /// The JSON text of a finished job's output. `None` when it has expired, or was `null`, or is in the memo.
    ///
    /// # Errors
    /// When Redis fails or the bytes there are damaged.
    pub async fn output(&self, queue: &QueueName, id: JobId) -> Result<Option<Bytes>, Error> {
        let keys = self.keys(queue);
        // The time of Redis's clock is an estimate, in the worker as well as here.
        let latest = self.time_bucket(queue).await? + 1;
        let mut calls = pipe();
        // The output lies in the bucket in which its job finished: at most a time to live ago.
        for age in 0..=BUCKETS_PER_TTL + 2 {
            calls
                .cmd("HGET")
                .arg(keys.outputs(latest.saturating_sub(age)))
                .arg(id.to_string());
        }
        let found: Vec<Option<Bytes>> = self.connection.pipeline(&calls).await?;
        found.into_iter().flatten().next().map(unpacked).transpose()
    }

    /// The number of the present bucket, by Redis's clock: those of workers and readers may be any time apart.
    pub(super) async fn time_bucket(&self, queue: &QueueName) -> Result<u64, Error> {
        Ok(self.expected_now_ms(queue).await? / (self.ttl_ms() / BUCKETS_PER_TTL).max(1))
    }
}

pub(super) fn unpacked(packed: Bytes) -> Result<Bytes, Error> {
    output::unpack(packed, OUTPUT_MAX).map_err(|error| Error::Protocol(format!("a damaged output: {error}")))
}
