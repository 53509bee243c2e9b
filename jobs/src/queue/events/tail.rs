//! Follows events without a group: for live feeds, any number of them, that may begin and end at any time.

use std::time::Duration;

use redis::cmd;
use redis::streams::StreamRangeReply;

use super::paging::Paging;
use super::{EventBatch, EventId, Position, read};
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::Queues;
use crate::queue::blocking::{Group, Listener, Listeners};

/// Entries read at once from each queue.
const ENTRIES: usize = 64;

pub struct Tail {
    queues: Queues,
    names: Vec<QueueName>,
    position: Position,
    /// The position came from outside: it may be too old.
    is_back: bool,
    /// From the first read on.
    followers: Option<Listeners<Follower>>,
}

impl Queues {
    /// Follows the events of these queues after `position`, or from now on.
    pub fn tail(&self, queues: &[QueueName], position: Option<Position>) -> Tail {
        Tail::new(self.clone(), queues, position)
    }

    /// Follows what is left of the events of a queue after an id that need not be in the stream.
    pub(crate) fn tail_since(&self, queue: &QueueName, after: EventId) -> Tail {
        let mut position = Position::default();
        position.advance(queue, after);
        Tail {
            position,
            ..Tail::new(self.clone(), std::slice::from_ref(queue), None)
        }
    }
}

impl Tail {
    pub(crate) fn new(queues: Queues, names: &[QueueName], position: Option<Position>) -> Self {
        let is_back = position.is_some();
        Self {
            queues,
            names: names.to_vec(),
            position: position.unwrap_or_default(),
            is_back,
            followers: None,
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

    /// The next entries, oldest first; none when nothing happened within `block`. May be dropped: what comes in then
    /// is there at the next call.
    ///
    /// # Errors
    /// [`Error::Expired`] when entries after the position are gone: read everything again and begin anew.
    /// Other errors leave the position as it is; call again. On a cluster, who came back to a position gets one when
    /// Redis fails for any queue, and otherwise when it fails for all.
    pub async fn next(&mut self, block: Duration) -> Result<Vec<EventBatch>, Error> {
        if self.followers.is_none() {
            self.begin().await?;
        }
        let followers = self.followers.get_or_insert_with(|| {
            let groups = Group::all(&self.queues, &self.names).into_iter();
            let followers = Listeners::new(groups.map(|group| Follower {
                group,
                position: self.position.clone(),
                was_connected: false,
                unproven: self.is_back,
                paging: Paging::new(ENTRIES, self.queues.settings.call_bytes),
            }));
            // A follower that catches up takes "nothing" for "up to date": it must not miss a queue.
            if self.is_back {
                followers.strict()
            } else {
                followers
            }
        });
        let batches = followers.next(block).await?.unwrap_or_default();
        for batch in &batches {
            self.position.advance(&batch.queue, batch.id);
        }
        Ok(batches)
    }
}

/// Follows one group of queues.
struct Follower {
    group: Group,
    position: Position,
    was_connected: bool,
    /// The stream may not be the one that the position is of.
    unproven: bool,
    paging: Paging,
}

impl Listener for Follower {
    type News = Vec<EventBatch>;

    fn group(&self) -> &Group {
        &self.group
    }

    async fn listen(&mut self, longest: Duration) -> Result<Option<Vec<EventBatch>>, Error> {
        let result = self.read(longest).await;
        if result.is_err() {
            self.group.disconnect();
            // The stream may be trimmed, or begin anew, while the connection is away.
            self.unproven = true;
        }
        Ok(Some(result?).filter(|batches| !batches.is_empty()))
    }
}

impl Follower {
    async fn read(&mut self, block: Duration) -> Result<Vec<EventBatch>, Error> {
        if self.group.connect().await? {
            // Another node may be behind the one before.
            self.unproven |= self.was_connected;
            self.was_connected = true;
        }
        if self.unproven {
            self.prove().await?;
            self.unproven = false;
        }
        let mut command = cmd("XREAD");
        command
            .arg("COUNT")
            .arg(self.paging.entries())
            .arg("BLOCK")
            .arg(block.as_millis().max(1).to_string());
        let names = self.group.names.iter();
        let after = names.map(|name| self.position.get(name).unwrap_or_default().to_string());
        read::streams(&mut command, &self.group, after);
        let batches = read::read(&mut self.group, &command, block, &mut self.paging).await?;
        for batch in &batches {
            self.position.advance(&batch.queue, batch.id);
        }
        Ok(batches)
    }

    /// Makes sure that nothing after the position was dropped, and that the streams are still the same ones.
    async fn prove(&self) -> Result<(), Error> {
        for name in &self.group.names {
            let seen = self.position.get(name).unwrap_or_default();
            if seen == EventId::default() {
                continue;
            }
            let mut info = cmd("XINFO");
            info.arg("STREAM").arg(self.group.queues.keys(name).events());
            let info: redis::streams::StreamInfoStreamReply =
                match self.group.queues.connection.command(&info).await {
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
