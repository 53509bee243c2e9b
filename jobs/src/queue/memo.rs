//! The memo of pure functions: outputs kept for later jobs of the same input, bounded in bytes.

use bytes::Bytes;
use redis::cmd;
use serde_json::value::RawValue;

use super::outputs::unpacked;
use super::{BATCH, Queues, scripts};
use crate::error::Error;
use crate::job::QueueName;
use crate::output;

/// Characters past which a value is shown shortened.
const SHOWN_MAX: usize = 1_000;

/// An output under its memo key, in the two forms that Redis keeps.
#[derive(Debug, Clone)]
pub(crate) struct MemoEntry {
    key: String,
    shown: String,
    /// Packed; empty when `shown` is the whole.
    whole: Vec<u8>,
}

impl From<MemoEntry> for Vec<u8> {
    /// The whole output, packed.
    fn from(entry: MemoEntry) -> Self {
        if entry.whole.is_empty() {
            output::pack(&entry.shown)
        } else {
            entry.whole
        }
    }
}

impl MemoEntry {
    pub(crate) fn new(key: String, output: &RawValue) -> Self {
        let shown = output::shortened_json(output, SHOWN_MAX);
        let is_whole = shown.get().len() == output.get().len();
        let whole = if is_whole {
            Vec::new()
        } else {
            output::pack(output.get())
        };
        Self {
            key,
            shown: shown.get().to_owned(),
            whole,
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.key.len() + self.shown.len() + self.whole.len()
    }
}

/// A key and what lies there, which may be anything.
type Pair = (Vec<u8>, Vec<u8>);

impl Queues {
    /// The whole output that a pure function gave for `key` (see `Function::memo_key`), as JSON text.
    ///
    /// # Errors
    /// When Redis fails or the bytes there are damaged.
    pub async fn memo(&self, queue: &QueueName, function: &str, key: &str) -> Result<Option<Bytes>, Error> {
        let keys = self.keys(queue);
        let mut call = scripts::MEMO_READ.call(&keys.of_function(function));
        call.arg("memo_key", key);
        let value: Option<Bytes> = self.connection.script(&call).await?;
        value.map(unpacked).transpose()
    }

    /// Up to `limit` memo keys of a function with their outputs, long ones shortened in the middle.
    /// For `fibonacci` this is the hash of index -> value.
    ///
    /// # Errors
    /// When Redis fails or holds something else there.
    pub async fn memo_list(
        &self,
        queue: &QueueName,
        function: &str,
        limit: usize,
    ) -> Result<Vec<(String, Box<RawValue>)>, Error> {
        let memo = self.keys(queue).memo(function);
        let mut values = Vec::new();
        let mut cursor = 0_u64;
        while values.len() < limit {
            let mut scan = cmd("HSCAN");
            scan.arg(&memo).arg(cursor).arg("COUNT").arg(BATCH);
            let (next, page): (u64, Vec<Pair>) = self.connection.command(&scan).await?;
            for (key, shown) in page {
                // One that cannot be shown does not hide the others.
                let text = |bytes| String::from_utf8(bytes).ok();
                match (
                    text(key),
                    text(shown).and_then(|shown| RawValue::from_string(shown).ok()),
                ) {
                    (Some(key), Some(shown)) => values.push((key, shown)),
                    (key, _) => {
                        tracing::warn!(%queue, function, ?key, "skipped a memo value that is no JSON");
                    }
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        values.truncate(limit);
        Ok(values)
    }

    /// Writes values that a function gave. Call it before the outcome is recorded, so that whoever reads the event finds them.
    pub(super) async fn memo_put(
        &self,
        queue: &QueueName,
        function: &str,
        entries: &[MemoEntry],
    ) -> Result<(), Error> {
        let keys = self.keys(queue);
        let mut rest = entries;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(BATCH).take_while(|entry| {
                let first = bytes == 0;
                bytes += entry.size() + 1;
                first || bytes <= self.settings.call_bytes
            });
            let (batch, after) = rest.split_at(fits.count());
            rest = after;
            let mut call = scripts::MEMO.call(&keys.of_function(function));
            call.arg("most_bytes", self.settings.memo_max_bytes);
            for entry in batch {
                call.arg("memo_key", &entry.key)
                    .arg("shown", &entry.shown)
                    .arg("whole", &entry.whole);
            }
            self.connection.script_twice::<u64>(&call).await?;
        }
        Ok(())
    }
}
