//! Waiting for news of queues with commands that block, each on a connection of its own.
//!
//! On one server a single command waits for all queues. On a cluster no command can touch two of them, so each queue
//! has a listener of its own, and whoever reads takes the first that comes back. A command that has gone out is never
//! given up half-way: what the server gave out with its answer would be lost.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use redis::{Cmd, FromRedisValue};
use tokio::time::Instant;

use super::Queues;
use super::connection::OwnConnection;
use crate::backoff::Backoff;
use crate::error::{Error, chain};
use crate::job::QueueName;

/// Queues that one command can touch, and a connection to where they are.
pub(crate) struct Group {
    pub(crate) queues: Queues,
    pub(crate) names: Vec<QueueName>,
    connection: Option<OwnConnection>,
}

impl Group {
    /// All of these queues, in as few groups as can be.
    pub(crate) fn all(queues: &Queues, names: &[QueueName]) -> Vec<Self> {
        let most = if queues.connection.is_apart() {
            1
        } else {
            names.len().max(1)
        };
        let groups = names.chunks(most).map(|names| Self {
            queues: queues.clone(),
            names: names.to_vec(),
            connection: None,
        });
        groups.collect()
    }

    /// Makes sure of a connection. True when it is a new one.
    pub(crate) async fn connect(&mut self) -> Result<bool, Error> {
        if self.connection.as_ref().is_some_and(OwnConnection::is_current) {
            return Ok(false);
        }
        self.connection = None;
        let Some(first) = self.names.first() else {
            return Ok(false);
        };
        let key = self.queues.keys(first).wake();
        self.connection = Some(self.queues.connection.own(&key).await?);
        Ok(true)
    }

    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Sends a command that blocks for at most `longest`. `None` without a connection; after an error there is none.
    pub(crate) async fn query<T: FromRedisValue>(
        &mut self,
        command: &Cmd,
        longest: Duration,
    ) -> Result<Option<T>, Error> {
        let Some(connection) = &mut self.connection else {
            return Ok(None);
        };
        // The server ends the wait by itself; past that it is not answering.
        let limit = longest + self.queues.settings.timeout;
        let result = connection.query(command, limit).await;
        if result.is_err() {
            self.disconnect();
        }
        result
    }
}

/// Waits for one group.
pub(crate) trait Listener: Send + 'static {
    type News: Send + 'static;

    fn group(&self) -> &Group;

    /// Waits for news, at most `longest`; `None` when there was none.
    fn listen(&mut self, longest: Duration)
    -> impl Future<Output = Result<Option<Self::News>, Error>> + Send;
}

/// The listeners of one reader.
pub(crate) struct Listeners<L: Listener> {
    idle: Vec<(usize, L)>,
    /// Never locked: the lock only makes the reader `Sync`, which its futures are not.
    listening: Mutex<FuturesUnordered<BoxFuture<'static, Done<L>>>>,
    /// By the listener's number.
    states: Vec<State>,
    call: u64,
    strict: bool,
}

struct Done<L: Listener> {
    number: usize,
    listener: L,
    result: Result<Option<L::News>, Error>,
}

#[derive(Default)]
struct State {
    /// In a row, up to now.
    failures: u32,
    paused_until: Option<Instant>,
    /// The last call in which it got no news.
    silent_call: u64,
}

impl<L: Listener> Listeners<L> {
    /// A failure of one listener does not stop the others.
    pub(crate) fn new(listeners: impl IntoIterator<Item = L>) -> Self {
        let idle: Vec<_> = listeners.into_iter().enumerate().collect();
        Self {
            listening: Mutex::default(),
            states: idle.iter().map(|_| State::default()).collect(),
            idle,
            call: 0,
            strict: false,
        }
    }

    /// A failure of one listener is a failure of all.
    pub(crate) fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    pub(crate) fn several(&self) -> bool {
        self.states.len() > 1
    }

    fn listening(&mut self) -> &mut FuturesUnordered<BoxFuture<'static, Done<L>>> {
        self.listening.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first news; none when no working listener got any, which takes about `longest`. May be
    /// dropped: what comes in then is there at the next call.
    ///
    /// # Errors
    /// When no listener works, or one has lost its place.
    pub(crate) async fn next(&mut self, longest: Duration) -> Result<Option<L::News>, Error> {
        if self.states.is_empty() {
            tokio::time::sleep(longest).await;
            return Ok(None);
        }
        self.call += 1;
        let end = Instant::now() + longest;
        loop {
            self.start_idle(end);
            let Some(done) = self.first_done().await else {
                if self.listening().is_empty() {
                    return Ok(None);
                }
                continue;
            };
            let Done {
                number,
                listener,
                result,
            } = done;
            let outcome = match result {
                Ok(news) => {
                    self.works(number, &listener);
                    if news.is_none() {
                        self.states[number].silent_call = self.call;
                    }
                    (news.is_some() || self.all_silent()).then_some(Ok(news))
                }
                Err(error) => self.failed(number, &listener, error).map(Err),
            };
            self.idle.push((number, listener));
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }

    /// Starts the idle listeners, unless they pause after a failure or are done for this call.
    fn start_idle(&mut self, end: Instant) {
        let now = Instant::now();
        let none_works = self.states.iter().all(|state| state.failures > 0);
        for (number, mut listener) in std::mem::take(&mut self.idle) {
            let state = &self.states[number];
            let pauses = !none_works && state.paused_until.is_some_and(|until| until > now);
            let is_done = state.silent_call == self.call && now >= end;
            if pauses || is_done {
                self.idle.push((number, listener));
                continue;
            }
            let longest = end.saturating_duration_since(now);
            let listening = async move {
                let result = listener.listen(longest).await;
                Done {
                    number,
                    listener,
                    result,
                }
            };
            self.listening().push(listening.boxed());
        }
    }

    /// `None` when the pause of a listener is over, or none is listening.
    async fn first_done(&mut self) -> Option<Done<L>> {
        let pauses = self
            .idle
            .iter()
            .filter_map(|(number, _)| self.states[*number].paused_until);
        let Some(pause_over) = pauses.min() else {
            return self.listening().next().await;
        };
        tokio::select! {
            done = self.listening().next() => done,
            () = tokio::time::sleep_until(pause_over) => None,
        }
    }

    fn all_silent(&self) -> bool {
        self.states
            .iter()
            .all(|state| state.failures > 0 || state.silent_call == self.call)
    }

    fn works(&mut self, number: usize, listener: &L) {
        let state = &mut self.states[number];
        if state.paused_until.take().is_some() {
            tracing::info!(queues = ?listener.group().names, "listening to the queues again");
        }
        state.failures = 0;
    }

    /// Notes a failure. The error is returned when the caller has to know it.
    fn failed(&mut self, number: usize, listener: &L, error: Error) -> Option<Error> {
        let others_work = self
            .states
            .iter()
            .enumerate()
            .any(|(other, state)| other != number && state.failures == 0);
        let state = &mut self.states[number];
        state.failures = state.failures.saturating_add(1);
        if self.strict || !others_work || matches!(error, Error::Expired) {
            return Some(error);
        }
        if state.paused_until.is_none() {
            let queues = &listener.group().names;
            tracing::warn!(
                ?queues,
                error = chain(&error),
                "cannot listen to some queues; the others go on"
            );
        }
        let longest = Backoff::Exponential {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(2),
        };
        let pause = longest.wait(state.failures, &mut rand::rng()) + Duration::from_millis(20);
        state.paused_until = Some(Instant::now() + pause);
        None
    }
}
