//! One HTTP question to one of the APIs, and the few ways in which it can come out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::stack::Doors;

/// Longer than an API takes to say that it cannot.
const PATIENCE: Duration = Duration::from_secs(4);

pub(super) struct Client {
    http: reqwest::Client,
    doors: Doors,
    next_door: AtomicUsize,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Said(u16, Value),
    /// A part of the service is away.
    Unavailable,
    /// Nobody listens.
    Refused,
    /// The connection ended before the answer.
    Broken,
    /// No answer in time.
    Silence,
}

impl Answer {
    /// Why there is no answer; `None` when there is one.
    pub(super) fn failure(&self) -> Option<&'static str> {
        match self {
            Self::Said(..) => None,
            Self::Unavailable => Some("answered 503"),
            Self::Refused => Some("connection refused"),
            Self::Broken => Some("connection broken"),
            Self::Silence => Some("no answer in 4 s"),
        }
    }
}

impl Client {
    pub(super) fn new(doors: Doors) -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?,
            doors,
            next_door: AtomicUsize::new(0),
        })
    }

    /// Asks the APIs in turns.
    pub(super) async fn post(&self, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
        let door = self.next_door.fetch_add(1, Ordering::Relaxed);
        let mut request = self
            .http
            .post(format!("http://127.0.0.1:{}{path}", self.doors.port(door)));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::ask(request).await
    }

    /// The functions that an API knows.
    pub(super) async fn functions(&self) -> Result<Vec<String>> {
        let url = format!("http://127.0.0.1:{}/api/v1/functions", self.doors.port(0));
        let list: Value = self
            .http
            .get(url)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let functions = list["functions"].as_array().context("a list without functions")?;
        let names = functions.iter().filter_map(|function| function["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    async fn ask(request: reqwest::RequestBuilder) -> Answer {
        match ask(request).await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => Answer::Refused,
            Err(error) if error.is_timeout() => Answer::Silence,
            Err(_) => Answer::Broken,
        }
    }
}

async fn ask(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let body = response.text().await?;
    if status == 503 {
        return Ok(Answer::Unavailable);
    }
    let said = serde_json::from_str(&body).unwrap_or(Value::String(body));
    Ok(Answer::Said(status, said))
}
