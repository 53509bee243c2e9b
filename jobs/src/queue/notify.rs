//! The wake lists: how an idle worker learns at once that there is work.

use std::convert::Infallible;
use std::time::Duration;

use redis::{Value, cmd};

use super::Queues;
use super::blocking::{Group, Listener, Listeners};
use crate::error::Error;
use crate::job::QueueName;

/// How long after its time a wait that is not over is reminded, and how often.
const REMIND_AFTER: Duration = Duration::from_millis(1);
const REMIND_EVERY: Duration = Duration::from_millis(5);

/// Waits on the wake lists of one worker's queues. With several listeners one may take a token while the worker has no
/// room; another idle worker then finds the job when it polls.
pub(crate) struct Wakes {
    listeners: Listeners<WakeListener>,
    queues: Queues,
    first: Option<QueueName>,
}

impl Wakes {
    pub(crate) fn new(queues: &Queues, names: &[QueueName]) -> Self {
        let groups = Group::all(queues, names).into_iter();
        Self {
            listeners: Listeners::new(groups.map(WakeListener)),
            queues: queues.clone(),
            first: names.first().cloned(),
        }
    }

    /// Waits until the wake list of a queue has a token, or for `longest`. Returns the queue.
    ///
    /// # Errors
    /// When Redis fails for all of them.
    pub(crate) async fn wait(&mut self, longest: Duration) -> Result<Option<QueueName>, Error> {
        let Self {
            listeners,
            queues,
            first,
        } = self;
        if listeners.several() {
            // One that went out earlier may come back later than that.
            let next = tokio::time::timeout(longest, listeners.next(longest));
            return next.await.unwrap_or(Ok(None));
        }
        tokio::select! {
            heard = listeners.next(longest) => heard,
            never = remind(queues, first.as_ref(), longest) => match never {},
        }
    }
}

/// Gives Redis something to do when a wait of `longest` should be over. With nothing else to do it looks after waits that
/// are over ten times a second, too seldom for a worker that sleeps until a job is due.
async fn remind(queues: &Queues, queue: Option<&QueueName>, longest: Duration) -> Infallible {
    let mut pause = longest + REMIND_AFTER;
    loop {
        tokio::time::sleep(pause).await;
        if let Some(queue) = queue {
            let mut anything = cmd("EXISTS");
            anything.arg(queues.keys(queue).wake());
            // The waiting listener notices that Redis is away.
            queues.connection.command::<u64>(&anything).await.ok();
        }
        pause = REMIND_EVERY;
    }
}

struct WakeListener(Group);

impl Listener for WakeListener {
    /// The queue whose token it was.
    type News = QueueName;

    fn group(&self) -> &Group {
        &self.0
    }

    async fn listen(&mut self, longest: Duration) -> Result<Option<QueueName>, Error> {
        let Self(group) = self;
        group.connect().await?;
        let mut pop = cmd("BLPOP");
        for name in &group.names {
            pop.arg(group.queues.keys(name).wake());
        }
        pop.arg(longest.as_secs_f64().max(0.001));
        let token: Option<Option<(String, Value)>> = group.query(&pop, longest).await?;
        Ok(token.flatten().and_then(|(list, _)| {
            let mut names = group.names.iter();
            names.find(|name| group.queues.keys(name).wake() == list).cloned()
        }))
    }
}
