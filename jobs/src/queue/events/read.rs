//! Reads the streams of one group of queues with one command.

use std::time::Duration;

use redis::streams::{StreamId, StreamReadReply};
use redis::{Cmd, Value};

use super::paging::Paging;
use super::{EventBatch, codec};
use crate::error::Error;
use crate::queue::blocking::Group;

/// Sends a read of the group's streams that blocks for at most `longest`. Oldest entries first.
pub(super) async fn read(
    group: &mut Group,
    command: &Cmd,
    longest: Duration,
    paging: &mut Paging,
) -> Result<Vec<EventBatch>, Error> {
    let reply = group.query::<Option<StreamReadReply>>(command, longest).await;
    let reply = reply.inspect_err(|_| paging.failed())?;
    let mut batches = Vec::new();
    let mut bytes = 0;
    for stream in reply.flatten().map(|reply| reply.keys).unwrap_or_default() {
        let is_it = |name: &&_| group.queues.keys(name).events() == stream.key;
        let Some(name) = group.names.iter().find(is_it) else {
            continue;
        };
        for entry in &stream.ids {
            bytes += bytes_of(entry);
            batches.push(codec::read_or_skip(name, entry)?);
        }
    }
    paging.read(batches.len(), bytes);
    batches.sort_by_key(|batch| batch.id);
    Ok(batches)
}

/// Bytes of an entry's values.
pub(super) fn bytes_of(entry: &StreamId) -> usize {
    let bytes = |value: &Value| {
        // The values of an entry are strings.
        if let Value::BulkString(bytes) = value {
            bytes.len()
        } else {
            0
        }
    };
    entry.map.values().map(bytes).sum()
}

/// Adds the streams of the group to a command, and where to read on in each.
pub(super) fn streams(command: &mut Cmd, group: &Group, after: impl Iterator<Item = String>) {
    command.arg("STREAMS");
    for name in &group.names {
        command.arg(group.queues.keys(name).events());
    }
    for after in after {
        command.arg(after);
    }
}
