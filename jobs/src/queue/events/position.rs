//! Where a follower is in the streams of all its queues, as one text: `default:1700000000000-0;mail:1700000000001-2`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::EventId;
use crate::job::{ParseError, QueueName};

/// The last entry that was seen of each queue's stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    seen: BTreeMap<QueueName, EventId>,
}

impl Position {
    pub fn get(&self, queue: &QueueName) -> Option<EventId> {
        self.seen.get(queue).copied()
    }

    /// Moves on to `id`; never back.
    pub fn advance(&mut self, queue: &QueueName, id: EventId) {
        let seen = self.seen.entry(queue.clone()).or_insert(id);
        *seen = id.max(*seen);
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (queue, id)) in self.seen.iter().enumerate() {
            let separator = if at == 0 { "" } else { ";" };
            write!(f, "{separator}{queue}:{id}")?;
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut position = Self::default();
        for part in text.split(';').filter(|part| !part.is_empty()).take(1_000) {
            let (queue, id) = part
                .split_once(':')
                .ok_or_else(|| ParseError::new(text, "a position in the events"))?;
            position.advance(&queue.parse()?, id.parse()?);
        }
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same_and_no_text_makes_it_panic(
            seen in proptest::collection::btree_map("[a-z0-9-]{1,8}", proptest::prelude::any::<(u64, u64)>(), 0..5),
            text in "([a-z:;0-9-]{0,6}){0,5}|\\PC{0,40}",
        ) {
            let mut position = Position::default();
            for (queue, (ms, seq)) in &seen {
                position.advance(&queue.parse().unwrap(), EventId { ms: *ms, seq: *seq });
            }
            proptest::prop_assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
            if let Ok(read) = text.parse::<Position>() {
                proptest::prop_assert_eq!(read.to_string().parse::<Position>().unwrap(), read);
            }
        }
    }

    #[test]
    fn a_position_reads_back_and_never_steps_back() {
        let text = "default:17-3;mail:18-0";
        let mut position: Position = text.parse().unwrap();
        assert_eq!(position.to_string(), text);
        position.advance(&"mail".parse().unwrap(), EventId { ms: 1, seq: 0 });
        assert_eq!(position.to_string(), text);
        assert_eq!("".parse::<Position>().unwrap(), Position::default());
        assert!("default".parse::<Position>().is_err());
        assert!("default:x-1".parse::<Position>().is_err());
    }
}
