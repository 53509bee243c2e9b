//! One client of the live feed: a stream of server-sent events that never misses an entry and never repeats one.

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

/// How often a client hears from us when nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client waits for its turn to catch up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Waits for an entry that should be there: no longer than Redis takes to say that there is none.
const GLANCE: Duration = Duration::from_millis(1);

/// A client that joined; [`Client::frames`] is what it reads.
pub struct Client {
    feed: Feed,
    _place: OwnedSemaphorePermit,
    reader: Reader,
    /// What this client has been given.
    seen: Position,
    stage: Stage,
    /// Gets what names a public function, and nothing else.
    visitor: bool,
}

enum Stage {
    Hello,
    /// Where it was is not known any more.
    Anew,
    /// Waits for its turn to read the streams by itself.
    Wait {
        goal: Position,
    },
    /// Reads them until it is where the feed was when it joined.
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
            // A browser gives up for good on an answer that is no stream: a strange id is treated like an old one.
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

    /// The events as they go over the wire, until the server ends or the client is too far behind.
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

    /// For a while; who gets no turn reads everything again.
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

    /// One read of the streams; the shared feed meanwhile keeps what comes.
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
                // A queue that the client never heard of begins where the streams ended when this read began.
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
                // The browser comes back by itself, with the same position.
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
                    // Too slow: it starts over with a new connection, and reads everything again.
                    let bytes = self.begin_anew("behind");
                    self.stage = Stage::End;
                    return Some(bytes);
                }
            }
        }
    }

    /// Goes on with what happens from now on; the client reads the rest.
    fn begin_anew(&mut self, reason: &str) -> Bytes {
        (self.reader, self.seen) = self.feed.ring.join();
        sse::refresh(reason, &self.seen)
    }
}
