//! The recent entries of the live feed. Every client reads them from here at its own pace, and a client that
//! reconnects finds what it missed without a read of Redis. Limited in bytes, however many clients there are.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jobs::job::QueueName;
use jobs::queue::events::{EventId, Position};
use tokio::sync::watch;

/// Memory of an entry beside its text, estimated.
const OVERHEAD: usize = 256;

/// One entry of a stream, serialized once.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) queue: QueueName,
    pub(super) id: EventId,
    pub(super) frames: Bytes,
    /// The part that visitors may see.
    pub(super) public: Bytes,
}

impl Item {
    fn bytes(&self) -> usize {
        self.frames.len() + self.public.len() + OVERHEAD
    }
}

/// The latest entries of all queues, in the order in which they were published.
#[derive(Debug)]
pub(super) struct Ring {
    kept: Mutex<Kept>,
    /// How many entries were published; readers wait for it to change.
    told: watch::Sender<u64>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Kept {
    items: VecDeque<Item>,
    bytes: usize,
    /// How many entries were dropped, which is also the number of the first one left.
    first: u64,
    /// The position just before the entries left.
    base: Position,
    /// The position after the last entry of each queue.
    position: Position,
    /// How often the feed had to restart at a new position.
    generation: u64,
}

/// A client's position in the ring.
#[derive(Debug)]
pub(super) struct Reader {
    next: u64,
    generation: u64,
    told: watch::Receiver<u64>,
}

/// The next thing for a reader.
#[derive(Debug)]
pub(super) enum Found {
    Item(Item),
    /// Entries that it had not read were dropped: the client is too slow.
    Behind,
    /// The feed restarted at a new position: the client has to read everything again.
    Lost,
}

impl Ring {
    /// A ring that keeps about `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            kept: Mutex::default(),
            told: watch::Sender::new(0),
            limit,
        }
    }

    /// A reader of future entries, and the current position.
    pub(super) fn join(&self) -> (Reader, Position) {
        let kept = self.lock();
        let next = kept.first + kept.items.len() as u64;
        (self.reader(&kept, next), kept.position.clone())
    }

    /// A reader of all entries after `position`; `None` when some of them are no longer here. It may return
    /// entries that the client has seen already.
    pub(super) fn resume(&self, position: &Position, queues: &[QueueName]) -> Option<Reader> {
        let kept = self.lock();
        let known = queues.iter().all(|queue| {
            let at = position.get(queue);
            at.is_some() && at >= kept.base.get(queue) && at <= kept.position.get(queue)
        });
        known.then(|| self.reader(&kept, kept.first))
    }

    fn reader(&self, kept: &Kept, next: u64) -> Reader {
        Reader {
            next,
            generation: kept.generation,
            told: self.told.subscribe(),
        }
    }

    /// Restarts the ring at this position. Existing readers get [`Found::Lost`].
    pub(super) fn reset(&self, position: &Position) {
        let mut kept = self.lock();
        kept.first += kept.items.len() as u64;
        kept.items.clear();
        kept.bytes = 0;
        kept.base = position.clone();
        kept.position = position.clone();
        kept.generation += 1;
        drop(kept);
        self.told.send_modify(|_| ());
    }

    /// Adds an entry, which `write` serializes with the position after it. Drops the oldest entries beyond
    /// the limit.
    pub(super) fn push(
        &self,
        queue: &QueueName,
        id: EventId,
        write: impl FnOnce(&Position) -> (Bytes, Bytes),
    ) {
        let mut kept = self.lock();
        let kept = &mut *kept;
        kept.position.advance(queue, id);
        let (frames, public) = write(&kept.position);
        let item = Item {
            queue: queue.clone(),
            id,
            frames,
            public,
        };
        kept.bytes += item.bytes();
        kept.items.push_back(item);
        while kept.bytes > self.limit && kept.items.len() > 1 {
            if let Some(dropped) = kept.items.pop_front() {
                kept.bytes -= dropped.bytes();
                kept.base.advance(&dropped.queue, dropped.id);
                kept.first += 1;
            }
        }
        self.told.send_replace(kept.first + kept.items.len() as u64);
    }

    fn find(&self, reader: &mut Reader) -> Option<Found> {
        let kept = self.lock();
        if reader.generation != kept.generation {
            return Some(Found::Lost);
        }
        let Some(place) = reader.next.checked_sub(kept.first) else {
            return Some(Found::Behind);
        };
        let item = kept.items.get(usize::try_from(place).ok()?)?.clone();
        reader.next += 1;
        Some(Found::Item(item))
    }

    /// Waits for the next entry of this reader. Cancel safe: dropping the future loses no entry.
    pub(super) async fn next(&self, reader: &mut Reader) -> Found {
        loop {
            // Marked before the check, so that an entry added after the check wakes the reader.
            reader.told.mark_unchanged();
            if let Some(found) = self.find(reader) {
                return found;
            }
            if reader.told.changed().await.is_err() {
                // Unreachable: the ring owns the sender.
                std::future::pending::<()>().await;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> QueueName {
        name.parse().unwrap()
    }

    fn id(ms: u64) -> EventId {
        EventId { ms, seq: 0 }
    }

    fn push(ring: &Ring, name: &str, ms: u64) {
        ring.push(&queue(name), id(ms), |_| {
            (Bytes::from(vec![b'x'; 1_000]), Bytes::new())
        });
    }

    fn at(text: &str) -> Position {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn who_comes_back_finds_what_came_meanwhile_as_long_as_it_is_kept() {
        let ring = Ring::new(20_000);
        let queues = [queue("a"), queue("b")];
        ring.reset(&at("a:0-0;b:5-0"));
        push(&ring, "a", 10);
        push(&ring, "b", 20);
        for known in ["a:0-0;b:5-0", "a:10-0;b:5-0", "a:10-0;b:20-0"] {
            let mut reader = ring.resume(&at(known), &queues).unwrap();
            assert!(matches!(ring.next(&mut reader).await, Found::Item(item) if item.id == id(10)));
            assert!(matches!(ring.next(&mut reader).await, Found::Item(item) if item.id == id(20)));
        }
        // An older position, one of another Redis, and one with an unknown queue.
        for strange in ["a:0-0;b:4-0", "a:11-0;b:20-0", "a:10-0"] {
            assert!(ring.resume(&at(strange), &queues).is_none(), "{strange}");
        }
        for ms in 30..60 {
            push(&ring, "a", ms);
        }
        assert!(ring.resume(&at("a:10-0;b:20-0"), &queues).is_none(), "dropped");
        assert!(ring.resume(&at("a:50-0;b:20-0"), &queues).is_some());
    }

    #[tokio::test]
    async fn it_keeps_so_many_bytes_and_who_is_too_slow_is_told() {
        let ring = Ring::new(100_000);
        let (mut slow, _) = ring.join();
        for ms in 1..=1_000 {
            push(&ring, "a", ms);
        }
        let (bytes, items) = {
            let kept = ring.lock();
            (kept.bytes, kept.items.len())
        };
        assert!(bytes <= 100_000 && items > 70, "{bytes} bytes of {items} entries");
        assert!(matches!(ring.next(&mut slow).await, Found::Behind));
        let (mut reader, position) = ring.join();
        assert_eq!(position, at("a:1000-0"));
        ring.reset(&position);
        assert!(matches!(ring.next(&mut reader).await, Found::Lost));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let ring = Ring::new(100_000);
        let (mut reader, _) = ring.join();
        let (found, ()) = tokio::join!(ring.next(&mut reader), async {
            tokio::task::yield_now().await;
            push(&ring, "a", 1);
        });
        assert!(matches!(found, Found::Item(_)));
    }
}
