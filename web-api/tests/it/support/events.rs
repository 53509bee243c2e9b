//! A client of the live feed that notes what it reads.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use reqwest::{Method, Response};
use serde_json::Value;

use super::eventually;
use super::server::TestServer;

/// How long the next event may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One server-sent event, or a comment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
    pub(crate) comment: bool,
}

pub(crate) struct EventClient {
    chunks: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
    /// The last id that was read: what a browser sends when it comes back.
    pub(crate) last_id: String,
}

impl EventClient {
    /// Begins now, once the feed of the server has begun.
    pub(crate) async fn begin(server: &TestServer) -> Self {
        eventually("the live feed begins", || async {
            let mut client = Self::of(Self::ask(server, None).await);
            // The first words say where it stands.
            let opening_frame = client.next().await?;
            assert_eq!(opening_frame.name, "");
            opening_frame.id.is_some().then_some(client)
        })
        .await
    }

    /// Comes back with the id that it saw last.
    pub(crate) async fn resume(server: &TestServer, last_event_id: &str) -> Self {
        Self::of(Self::ask(server, Some(last_event_id)).await)
    }

    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"));
        Self {
            chunks: response.bytes_stream().boxed(),
            text: String::new(),
            last_id: String::new(),
        }
    }

    pub(crate) async fn ask(server: &TestServer, last_event_id: Option<&str>) -> Response {
        let request = server
            .request(Method::GET, "/api/v1/events")
            .header("accept-encoding", "gzip");
        let request = last_event_id
            .iter()
            .fold(request, |request, id| request.header("last-event-id", *id));
        request.send().await.unwrap()
    }

    /// The next event; `None` when the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = read(block);
                let rest = rest.to_owned();
                self.text = rest;
                self.last_id = event.id.clone().unwrap_or_else(|| self.last_id.clone());
                return Some(event);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.chunks.next()).await.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk?.ok()?).unwrap());
        }
    }

    /// The next event about a job, or a request to read again.
    pub(crate) async fn next_named(&mut self) -> Event {
        loop {
            let event = self.next().await.unwrap();
            if !event.name.is_empty() {
                return event;
            }
        }
    }

    /// The states that the job `id` goes through, up to `last`; without `running`, which is told of jobs that take
    /// their time.
    pub(crate) async fn states_of(&mut self, id: &str, last: &str) -> Vec<String> {
        let mut states = Vec::new();
        while states.last().is_none_or(|state| state != last) {
            let event = self.next_named().await;
            if event.data["id"] == id {
                states.push(event.data["state"].as_str().unwrap().to_owned());
            }
        }
        states.retain(|state| state != "running");
        states
    }
}

fn read(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines() {
        match line.split_once(": ").unwrap_or((line, "")) {
            ("event", name) => name.clone_into(&mut event.name),
            ("id", id) => event.id = Some(id.to_owned()),
            ("data", data) => event.data = serde_json::from_str(data).unwrap(),
            ("", _) => event.comment = true,
            ("retry", millis) => assert!((1_500..=3_000).contains(&millis.parse::<u64>().unwrap())),
            other => panic!("{other:?} is no field of an event"),
        }
    }
    event
}
