//! Reads the streams of one group of queues with one command.

use std::time::Duration;

use redis::Cmd;
use redis::streams::StreamReadReply;

use super::{EventBatch, wire};
use crate::error::Error;
use crate::queue::blocking::Group;

/// Sends a read of the group's streams that blocks for at most `longest`. Oldest entries first.
pub(super) async fn read(
    group: &mut Group,
    command: &Cmd,
    longest: Duration,
) -> Result<Vec<EventBatch>, Error> {
    let reply: Option<Option<StreamReadReply>> = group.query(command, longest).await?;
    let mut batches = Vec::new();
    for stream in reply.flatten().map(|reply| reply.keys).unwrap_or_default() {
        let is_it = |name: &&_| group.queues.keys(name).events() == stream.key;
        let Some(name) = group.names.iter().find(is_it) else {
            continue;
        };
        for entry in &stream.ids {
            batches.push(wire::read_or_skip(name, entry)?);
        }
    }
    batches.sort_by_key(|batch| batch.id);
    Ok(batches)
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
