//! One client of the live feed: a stream of server-sent events without gaps or duplicates.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use jobs::error::Error;
use jobs::queue::events::{Position, Tail};
use tokio::sync::OwnedSemaphorePermit;

use super::ring::{Found, Reader};
use super::{Feed, sse};
use jobs::error::chain;

/// How often a keep-alive comment is sent when there are no events.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client waits for a permit to catch up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for an entry that should exist already: just long enough for the answer of Redis.
const GLANCE: Duration = Duration::from_millis(1);

/// A connected client; [`Client::frames`] is its stream.
pub struct Client {
    feed: Feed,
    _place: OwnedSemaphorePermit,
    reader: Reader,
    /// The position after the last entry sent to this client.
    seen: Position,
    stage: Stage,
    /// A visitor gets only the events of public functions.
    visitor: bool,
}

enum Stage {
    Hello,
    /// Its position is no longer kept.
    Anew,
    /// Waits for a permit to read the streams itself.
    Wait {
        goal: Position,
    },
    /// Reads the streams up to the position at which it joined the feed.
    CatchUp {
        tail: Box<Tail>,
        goal: Position,
        turn: OwnedSemaphorePermit,
    },
    Follow,
    End,
}

impl Client {
    pub(super) fn new(
        feed: &Feed,
        place: OwnedSemaphorePermit,
        last_event_id: Option<&str>,
        visitor: bool,
    ) -> Self {
        let (mut reader, joined) = feed.ring.join();
        let (seen, stage) = match last_event_id.map(str::parse::<Position>) {
            None => (joined, Stage::Hello),
            Some(Ok(position)) => match feed.ring.resume(&position, &feed.names) {
                Some(back) => {
                    reader = back;
                    (position, Stage::Hello)
                }
                None => (position, Stage::Wait { goal: joined }),
            },
            // Browsers do not reconnect after an error response, so an invalid id is treated like an expired
            // one.
            Some(Err(_)) => (joined, Stage::Anew),
        };
        Self {
            feed: feed.clone(),
            _place: place,
            reader,
            seen,
            stage,
            visitor,
        }
    }

    /// The events as bytes, until the server shuts down or the client falls too far behind.
    pub fn frames(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold(self, |mut client| async {
            let bytes = client.next().await?;
            Some((Ok(bytes), client))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.stage, Stage::Follow) {
            Stage::Hello => Some(sse::opening_frame(&self.seen)),
            Stage::Anew => Some(self.begin_anew("expired")),
            Stage::Wait { goal } => self.wait(goal).await,
            Stage::CatchUp { tail, goal, turn } => self.catch_up(tail, goal, turn).await,
            Stage::Follow => self.follow().await,
            Stage::End => None,
        }
    }

    /// Waits for a permit; after a timeout the client has to read everything again.
    async fn wait(&mut self, goal: Position) -> Option<Bytes> {
        let turns = Arc::clone(&self.feed.catching_up);
        let turn = tokio::select! {
            () = self.feed.shutdown.cancelled() => return None,
            turn = tokio::time::timeout(PATIENCE, turns.acquire_owned()) => turn,
        };
        let Ok(Ok(turn)) = turn else {
            return Some(self.begin_anew("expired"));
        };
        let tail = self.feed.queues.tail(&self.feed.names, Some(self.seen.clone()));
        self.catch_up(Box::new(tail), goal, turn).await
    }

    /// One read of the streams; the ring keeps new entries meanwhile.
    async fn catch_up(
        &mut self,
        mut tail: Box<Tail>,
        goal: Position,
        turn: OwnedSemaphorePermit,
    ) -> Option<Bytes> {
        let read = tokio::select! {
            () = self.feed.shutdown.cancelled() => return None,
            read = tail.next(GLANCE) => read,
        };
        match read {
            Ok(batches) => {
                let mut text = Vec::new();
                let public = Arc::clone(&self.feed.public_functions);
                let only = self.visitor.then_some(public.as_ref());
                for batch in &batches {
                    self.seen.advance(&batch.queue, batch.id);
                    text.extend_from_slice(&sse::of_batch(batch, &self.seen, only));
                }
                // For a queue that is not in the client's position, the end of its stream at the start of
                // this read counts.
                for name in self.feed.names.iter() {
                    if let Some(id) = tail.position().get(name) {
                        self.seen.advance(name, id);
                    }
                }
                if !batches.is_empty() && !self.is_at(&goal) {
                    self.stage = Stage::CatchUp { tail, goal, turn };
                    return Some(text.into());
                }
                let mut opening_frame = sse::opening_frame(&self.seen).to_vec();
                opening_frame.extend_from_slice(&text);
                Some(opening_frame.into())
            }
            Err(Error::Expired) => Some(self.begin_anew("expired")),
            Err(error) => {
                // The browser reconnects with the same position.
                tracing::debug!(error = chain(&error), "a client cannot catch up");
                None
            }
        }
    }

    fn is_at(&self, goal: &Position) -> bool {
        self.feed
            .names
            .iter()
            .all(|name| self.seen.get(name) >= goal.get(name))
    }

    async fn follow(&mut self) -> Option<Bytes> {
        loop {
            let found = tokio::select! {
                () = self.feed.shutdown.cancelled() => return None,
                found = self.feed.ring.next(&mut self.reader) => found,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(sse::keep_alive()),
            };
            match found {
                Found::Item(item) => {
                    if self.seen.get(&item.queue).is_none_or(|seen| seen < item.id) {
                        self.seen.advance(&item.queue, item.id);
                        return Some(if self.visitor { item.public } else { item.frames });
                    }
                }
                Found::Lost => return Some(self.begin_anew("expired")),
                Found::Behind => {
                    // The client is too slow: it has to reconnect and read everything again.
                    let bytes = self.begin_anew("behind");
                    self.stage = Stage::End;
                    return Some(bytes);
                }
            }
        }
    }

    /// Continues with future entries; the client reads the lists for the rest.
    fn begin_anew(&mut self, reason: &str) -> Bytes {
        (self.reader, self.seen) = self.feed.ring.join();
        sse::refresh(reason, &self.seen)
    }
}
