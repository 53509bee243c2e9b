//! The wake lists: how an idle worker hears at once that there is work.

use std::time::Duration;

use redis::{Value, cmd};

use super::Queues;
use super::blocking::{Group, Listener, Listeners};
use crate::error::Error;
use crate::job::QueueName;

/// One worker's ear on the wake lists of its queues.
pub(crate) struct Wakes {
    queues: Queues,
    names: Vec<QueueName>,
    listeners: Listeners<WakeListener>,
}

impl Wakes {
    pub(crate) fn new(queues: &Queues, names: &[QueueName]) -> Self {
        Self {
            queues: queues.clone(),
            names: names.to_vec(),
            listeners: listeners(queues, names),
        }
    }

    /// Waits until somebody says that one of the queues has work, or for `longest`.
    ///
    /// # Errors
    /// When Redis fails for all of them.
    pub(crate) async fn wait(&mut self, longest: Duration) -> Result<(), Error> {
        let several = self.listeners.several();
        let next = self.listeners.next(longest);
        if several {
            // One that went out earlier may come back later than that.
            tokio::time::timeout(longest, next).await.unwrap_or(Ok(None))?;
        } else {
            next.await?;
        }
        Ok(())
    }

    /// Gives up listening while there is no room for jobs: of several listeners some are out still, and would take
    /// the token that another worker waits for.
    pub(crate) fn rest(&mut self) {
        if self.listeners.several() && self.listeners.is_out() {
            self.listeners = listeners(&self.queues, &self.names);
        }
    }
}

fn listeners(queues: &Queues, names: &[QueueName]) -> Listeners<WakeListener> {
    Listeners::new(Group::all(queues, names).into_iter().map(WakeListener))
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
