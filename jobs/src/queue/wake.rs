//! The wake lists: how an idle worker hears at once that there is work.

use std::time::Duration;

use redis::{Value, cmd};

use super::Queues;
use super::blocking::{Group, Listener, Listeners};
use crate::error::Error;
use crate::job::QueueName;

/// One worker's ear on the wake lists of its queues. With several listeners one may take a token while the worker has
/// no room; who else is idle then finds the job when it looks by itself.
pub(crate) struct Wakes(Listeners<WakeListener>);

impl Wakes {
    pub(crate) fn new(queues: &Queues, names: &[QueueName]) -> Self {
        let groups = Group::all(queues, names).into_iter();
        Self(Listeners::new(groups.map(WakeListener)))
    }

    /// Waits until somebody says that one of the queues has work, or for `longest`.
    ///
    /// # Errors
    /// When Redis fails for all of them.
    pub(crate) async fn wait(&mut self, longest: Duration) -> Result<(), Error> {
        let Self(listeners) = self;
        if listeners.several() {
            // One that went out earlier may come back later than that.
            let next = tokio::time::timeout(longest, listeners.next(longest));
            next.await.unwrap_or(Ok(None))?;
        } else {
            listeners.next(longest).await?;
        }
        Ok(())
    }
}

struct WakeListener(Group);

impl Listener for WakeListener {
    /// The token: whose queue it was does not matter, since a worker then looks into all.
    type News = ();

    fn group(&self) -> &Group {
        &self.0
    }

    async fn listen(&mut self, longest: Duration) -> Result<Option<()>, Error> {
        let Self(group) = self;
        group.connect().await?;
        let mut pop = cmd("BLPOP");
        for name in &group.names {
            pop.arg(group.queues.keys(name).wake());
        }
        pop.arg(longest.as_secs_f64().max(0.001));
        let token: Option<Value> = group.query(&pop, longest).await?;
        Ok(token.filter(|token| *token != Value::Nil).map(drop))
    }
}
