//! Serializes server-sent events.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use jobs::queue::events::{EventBatch, JobEvent, Position};
use serde::Serialize;

use super::patch;
use crate::http::dto::events::Refresh;
use crate::services::retry_loop::jittered;

/// The longest reconnection delay of a client.
const RETRY: Duration = Duration::from_secs(3);

/// The first frame: the reconnection delay and the current position, so that no event is missed even when the
/// connection breaks before the first one.
pub(super) fn opening_frame(position: &Position) -> Bytes {
    // Jitter: all clients lose their connection at the same moment when a server shuts down.
    let mut text = format!("retry: {}\n", jittered(RETRY).as_millis());
    id(&mut text, position);
    text.push('\n');
    text.into()
}

/// A comment that keeps the connection open through every proxy.
pub(super) fn keep_alive() -> Bytes {
    Bytes::from_static(b": still here\n\n")
}

/// An event that makes the client read everything again.
pub(super) fn refresh(reason: &str, position: &Position) -> Bytes {
    let mut text = String::new();
    event(
        &mut text,
        "refresh",
        &Refresh {
            reason: reason.to_owned(),
        },
    );
    id(&mut text, position);
    text.push('\n');
    text.into()
}

/// The events of one entry. Only the last one carries the position: a client that disconnects in the middle
/// gets all of them again. With `only`, just the events that name one of these functions; an event that names
/// no function is left out.
pub(super) fn of_batch(batch: &EventBatch, position: &Position, only: Option<&BTreeSet<String>>) -> Bytes {
    let mut text = String::new();
    let mut bulk = false;
    for job in &batch.events {
        if matches!(job, JobEvent::QueuedMany { .. }) {
            bulk = true;
        } else if let Some(patch) = patch::of(batch, job)
            && only.is_none_or(|only| patch.function.as_ref().is_some_and(|name| only.contains(name)))
        {
            end(&mut text);
            event(&mut text, "job", &patch);
        }
    }
    if bulk {
        end(&mut text);
        event(
            &mut text,
            "refresh",
            &Refresh {
                reason: "bulk".to_owned(),
            },
        );
    }
    id(&mut text, position);
    text.push('\n');
    text.into()
}

/// Ends the previous event, when there is one.
fn end(text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
}

fn event<T: Serialize>(text: &mut String, name: &str, data: &T) {
    // A patch holds texts and numbers, so it can always be serialized.
    let data = serde_json::to_string(data).unwrap_or_else(|_| "{}".to_owned());
    text.push_str("event: ");
    text.push_str(name);
    for line in data.lines() {
        text.push_str("\ndata: ");
        text.push_str(line);
    }
    text.push('\n');
}

fn id(text: &mut String, position: &Position) {
    let place = text.len();
    if write!(text, "id: {position}").is_ok() && text.len() > place + "id: ".len() {
        text.push('\n');
    } else {
        text.truncate(place);
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use jobs::job::JobId;
    use jobs::queue::events::EventId;

    use super::*;

    fn batch(events: Vec<JobEvent>) -> (EventBatch, Position) {
        let queue: jobs::job::QueueName = "default".parse().unwrap();
        let id = EventId { ms: 17, seq: 3 };
        let mut position = Position::default();
        position.advance(&queue, id);
        (
            EventBatch {
                id,
                queue,
                at: Utc::now(),
                events,
            },
            position,
        )
    }

    #[test]
    fn only_the_last_event_of_an_entry_carries_its_position() {
        let started = || JobEvent::Started {
            id: JobId::new(),
            attempt: 1,
            worker: "w".to_owned(),
            started_at: Utc::now(),
        };
        let (batch, position) = batch(vec![started(), started()]);
        let text = String::from_utf8(of_batch(&batch, &position, None).to_vec()).unwrap();
        let events: Vec<&str> = text.split_terminator("\n\n").collect();
        assert_eq!(events.len(), 2);
        assert!(events[0].starts_with("event: job\ndata: {") && !events[0].contains("\nid: "));
        assert!(events[1].ends_with("\nid: default:17-3"));
    }

    #[test]
    fn visitors_get_what_names_a_public_function() {
        let cancelled = |function: &str| JobEvent::Cancelled {
            id: JobId::new(),
            attempt: 0,
            function: function.to_owned(),
        };
        let returned = JobEvent::Promoted { id: JobId::new() };
        let (batch, position) = batch(vec![cancelled("echo"), returned, cancelled("fibonacci")]);
        let only = BTreeSet::from(["fibonacci".to_owned()]);
        let text = String::from_utf8(of_batch(&batch, &position, Some(&only)).to_vec()).unwrap();
        assert_eq!(text.matches("event: job").count(), 1, "{text}");
        assert!(
            text.contains("\"fibonacci\"") && text.ends_with("\nid: default:17-3\n\n"),
            "{text}"
        );
        let nothing = of_batch(&batch, &position, Some(&BTreeSet::new()));
        assert_eq!(nothing, "id: default:17-3\n\n");
    }

    #[test]
    fn a_bulk_asks_to_read_again() {
        let (batch, position) = batch(vec![JobEvent::QueuedMany { count: 1_000 }]);
        let text = String::from_utf8(of_batch(&batch, &position, None).to_vec()).unwrap();
        assert_eq!(
            text,
            "event: refresh\ndata: {\"reason\":\"bulk\"}\nid: default:17-3\n\n"
        );
    }

    #[test]
    fn the_first_words_say_where_the_client_stands() {
        let (_, position) = batch(Vec::new());
        let text = String::from_utf8(opening_frame(&position).to_vec()).unwrap();
        let (retry, rest) = text.split_once('\n').unwrap();
        let retry: u64 = retry.strip_prefix("retry: ").unwrap().parse().unwrap();
        assert!((1_500..=3_000).contains(&retry), "{retry}");
        assert_eq!(rest, "id: default:17-3\n\n");
        let text = String::from_utf8(opening_frame(&Position::default()).to_vec()).unwrap();
        assert!(!text.contains("id:"), "{text}");
    }
}
