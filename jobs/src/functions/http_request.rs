//! `http_request`: calls another service over HTTP, as a webhook or an API call that outlives the service's bad
//! hours. What it calls is chosen by whoever may create jobs, so it reaches the public internet alone: see `guard`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::backoff::Backoff;
use crate::context::JobContext;
use crate::function::{Function, JobError, Policy};

use addresses::not_public;
use answer::{Redirect, conclude};
use client::Client;
use guard::{LookUp, Rule};
use hop::{Hop, shown};

mod addresses;
mod answer;
mod client;
mod decode;
mod guard;
mod hop;
mod input;
mod retry_after;
#[cfg(test)]
mod tests;

pub use answer::HttpRequestOutput;
pub use input::HttpRequestInput;

/// How long opening a connection may take, over all addresses of a name.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// What calls may do, as the operator of the workers decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequestSettings {
    /// Call addresses that are not of the public internet as well.
    pub allow_private: bool,
    /// The largest body of an answer, in bytes.
    pub max_response_bytes: u64,
}

impl Default for HttpRequestSettings {
    fn default() -> Self {
        Self {
            allow_private: false,
            max_response_bytes: 1_048_576,
        }
    }
}

pub struct HttpRequest {
    look_up: LookUp,
    rule: Rule,
    max_response_bytes: u64,
    /// Made by the first call: the API holds this function as well and never calls.
    client: OnceLock<Client>,
}

impl HttpRequest {
    pub fn new(settings: &HttpRequestSettings) -> Self {
        let rule = if settings.allow_private {
            |_| None
        } else {
            not_public
        };
        Self::reaching(guard::system_look_up(), rule, settings.max_response_bytes)
    }

    fn reaching(look_up: LookUp, rule: Rule, max_response_bytes: u64) -> Self {
        Self {
            look_up,
            rule,
            max_response_bytes,
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> Result<&Client, JobError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new(Arc::clone(&self.look_up), self.rule)
            .map_err(|error| JobError::retry(format!("TLS cannot be set up on this worker: {error}")))?;
        // Of two that come at once one stays.
        Ok(self.client.get_or_init(|| client))
    }

    /// From the first request over redirects to the answer.
    async fn call(
        &self,
        mut hop: Hop,
        max_redirects: u8,
        fail_on_status: bool,
    ) -> Result<HttpRequestOutput, JobError> {
        let client = self.client()?;
        let mut redirects: Vec<Redirect> = Vec::new();
        loop {
            let answer = client.send(&hop).await?;
            let redirect = match max_redirects {
                0 => None,
                _ => hop
                    .next(answer.status(), answer.headers())
                    .map_err(|leads| JobError::fatal(format!("{} was redirected to {leads}", hop.shown())))?,
            };
            let Some(next) = redirect else {
                return conclude(&hop, answer, redirects, fail_on_status, self.max_response_bytes).await;
            };
            if redirects.len() == usize::from(max_redirects) {
                return Err(JobError::fatal(format!(
                    "{} leads to {}, one redirect more than max_redirects allows ({max_redirects})",
                    hop.shown(),
                    shown(&next.url)
                )));
            }
            redirects.push(Redirect {
                status: answer.status().as_u16(),
                method: next.method().to_string(),
                url: next.url.to_string(),
            });
            hop = next;
        }
    }
}

impl Function for HttpRequest {
    const NAME: &'static str = "http_request";
    const DESCRIPTION: &'static str = "Sends an HTTP request and returns the answer; tries again while the server is \
        down, busy or failing.";

    type Input = HttpRequestInput;
    type Output = HttpRequestOutput;

    fn policy(&self) -> Policy {
        Policy {
            // With the waits below over three quarters of an hour on average, twice that at most: time to restart,
            // redeploy or repair what is called.
            max_attempts: 10,
            // Longer than the longest that a caller may ask for, so that the message is the one of the call.
            timeout: Duration::from_mins(11),
            backoff: Backoff::Exponential {
                base: Duration::from_secs(10),
                cap: Duration::from_hours(1),
            },
            ..Policy::default()
        }
    }

    async fn run(&self, context: JobContext, input: HttpRequestInput) -> Result<HttpRequestOutput, JobError> {
        let limit = Duration::try_from_secs_f64(input.timeout_seconds)?;
        let (max_redirects, fail_on_status) = (input.max_redirects, input.fail_on_status);
        let first = Hop::first(input, context.id);
        let what = first.shown();
        match tokio::time::timeout(limit, self.call(first, max_redirects, fail_on_status)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(JobError::retry(format!(
                "{what} got no complete answer within {limit:?} (timeout_seconds)"
            ))),
        }
    }
}
