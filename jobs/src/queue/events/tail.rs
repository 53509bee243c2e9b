//! Follows events without a group: for live feeds, any number of them, that may come late and leave at will.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cmd;
use redis::streams::{StreamRangeReply, StreamReadReply};

use super::{EventBatch, EventId, Position, wire};
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::Queues;

/// Entries read at once from each queue.
const ENTRIES: usize = 64;

pub struct Tail {
    queues: Queues,
    names: Vec<QueueName>,
    connection: Option<MultiplexedConnection>,
    position: Position,
    /// The position came from outside: it may be too old.
    unproven: bool,
}

impl Tail {
    pub(crate) fn new(queues: Queues, names: &[QueueName], position: Option<Position>) -> Self {
        let unproven = position.is_some();
        Self {
            queues,
            names: names.to_vec(),
            connection: None,
            position: position.unwrap_or_default(),
            unproven,
        }
    }

    /// Where the follower is: what it has been given so far.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Finds out where the streams end, unless it is known. Without it a follower begins with the first call of
    /// [`Self::next`].
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn begin(&mut self) -> Result<(), Error> {
        for name in &self.names {
            if self.position.get(name).is_none() {
                let mut last = cmd("XREVRANGE");
                last.arg(self.queues.keys(name).events())
                    .arg("+")
                    .arg("-")
                    .arg("COUNT")
                    .arg(1);
                let reply: StreamRangeReply = self.queues.connection.command(&last).await?;
                let id = reply
                    .ids
                    .first()
                    .map(|entry| entry.id.parse())
                    .transpose()?
                    .unwrap_or_default();
                self.position.advance(name, id);
            }
        }
        Ok(())
    }

    /// The next entries, oldest first; none when nothing happened within `block`.
    ///
    /// # Errors
    /// [`Error::Expired`] when entries after the position are gone: read everything again and begin anew.
    /// Other errors leave the position as it is; call again.
    pub async fn next(&mut self, block: Duration) -> Result<Vec<EventBatch>, Error> {
        let result = self.try_next(block).await;
        if result.is_err() {
            self.connection = None;
            // The stream may be trimmed, or begin anew, while the connection is away.
            self.unproven = true;
        }
        result
    }

    async fn try_next(&mut self, block: Duration) -> Result<Vec<EventBatch>, Error> {
        if self.connection.is_none() {
            self.begin().await?;
            self.connection = Some(self.queues.connection.blocking().await?);
        }
        if self.unproven {
            self.prove().await?;
            self.unproven = false;
        }
        let mut read = cmd("XREAD");
        read.arg("COUNT")
            .arg(ENTRIES)
            .arg("BLOCK")
            .arg(block.as_millis().max(1).to_string())
            .arg("STREAMS");
        for name in &self.names {
            read.arg(self.queues.keys(name).events());
        }
        for name in &self.names {
            read.arg(self.position.get(name).unwrap_or_default().to_string());
        }
        let Some(connection) = self.connection.as_mut() else {
            return Ok(Vec::new());
        };
        let patience = block + self.queues.settings.timeout;
        let reply: Option<StreamReadReply> =
            match tokio::time::timeout(patience, read.query_async(connection)).await {
                Ok(reply) => reply?,
                Err(_elapsed) => return Err(Error::Timeout(patience)),
            };
        let mut batches = Vec::new();
        for stream in reply.map(|reply| reply.keys).unwrap_or_default() {
            let Some(name) = self
                .names
                .iter()
                .find(|name| self.queues.keys(name).events() == stream.key)
            else {
                continue;
            };
            for entry in &stream.ids {
                batches.push(wire::read_or_skip(name, entry)?);
            }
        }
        batches.sort_by_key(|batch| batch.id);
        for batch in &batches {
            self.position.advance(&batch.queue, batch.id);
        }
        Ok(batches)
    }

    /// Makes sure that nothing after the position was dropped, and that the streams are still the same ones.
    async fn prove(&self) -> Result<(), Error> {
        for name in &self.names {
            let seen = self.position.get(name).unwrap_or_default();
            if seen == EventId::default() {
                continue;
            }
            let mut info = cmd("XINFO");
            info.arg("STREAM").arg(self.queues.keys(name).events());
            let info: redis::streams::StreamInfoStreamReply =
                match self.queues.connection.command(&info).await {
                    Ok(info) => info,
                    // A stream that is gone altogether belongs to a Redis that came back empty.
                    Err(Error::Command(_)) => return Err(Error::Expired),
                    Err(error) => return Err(error),
                };
            let last: EventId = info.last_generated_id.parse()?;
            let first: Option<EventId> = Some(&info.first_entry.id)
                .filter(|id| !id.is_empty())
                .map(|id| id.parse())
                .transpose()?;
            // The entry that was seen last is still there, or nothing came after it.
            let nothing_dropped = seen == last || first.is_some_and(|first| first <= seen);
            if seen > last || !nothing_dropped {
                return Err(Error::Expired);
            }
        }
        Ok(())
    }
}
