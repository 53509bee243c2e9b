//! Reads events as one of a group, so that each is recorded by one process, and again until it is acknowledged.

use std::collections::HashMap;
use std::time::Duration;

use redis::streams::{
    StreamAutoClaimReply, StreamInfoConsumer, StreamInfoConsumersReply, StreamInfoGroupsReply,
    StreamInfoStreamReply, StreamPendingReply,
};
use redis::{FromRedisValue, RedisError, cmd};
use tokio::time::Instant;

use super::paging::Paging;
use super::{EventBatch, EventId, codec, read};
use crate::error::{Error, chain};
use crate::job::QueueName;
use crate::queue::blocking::{Group, Listener, Listeners};
use crate::queue::{Queues, millis, scripts};

/// The group that brings SQL up to date.
const GROUP: &str = "recorder";
/// Entries read at once; an entry is what one script did, up to 500 jobs.
const ENTRIES: usize = 32;
/// Entries that another process has held for so long are taken over from it. It may still be at it when the database is
/// slow: what is written twice is the same both times.
const CLAIM_AFTER: Duration = Duration::from_secs(10);
/// A process that has read nothing for so long, and has nothing to acknowledge, is forgotten. A live one reads every second or so.
const FORGET_AFTER: Duration = Duration::from_hours(1);
/// Followers may come back to a position of this age.
const KEEP: Duration = Duration::from_mins(2);
/// Past this many entries recorded ones are dropped at once.
const CROWD: usize = 1_000;
/// And past this many bytes, about: an entry may be about 500 jobs.
const CROWD_BYTES: usize = 8 << 20;
const TRIM_EVERY: Duration = Duration::from_secs(1);
/// A stream of which nothing was dropped the last time, and nothing recorded since.
const TRIM_QUIET: Duration = Duration::from_secs(10);
/// After a failure.
const TRIM_AGAIN: Duration = Duration::from_secs(30);

pub struct Recorder {
    queues: Queues,
    names: Vec<QueueName>,
    consumer: String,
    forget_after: Duration,
    /// From the first read on.
    members: Option<Listeners<Member>>,
    trim_at: HashMap<QueueName, Instant>,
}

impl Queues {
    /// Reads the events of these queues as one of a group: each entry is given to one reader and comes again until
    /// it is acknowledged. `consumer` is the name of this process.
    pub fn recorder(&self, queues: &[QueueName], consumer: &str) -> Recorder {
        Recorder::new(self.clone(), queues, consumer)
    }
}

impl Recorder {
    pub(crate) fn new(queues: Queues, names: &[QueueName], consumer: &str) -> Self {
        Self {
            queues,
            names: names.to_vec(),
            consumer: consumer.to_owned(),
            forget_after: FORGET_AFTER,
            members: None,
            trim_at: HashMap::new(),
        }
    }

    /// Removes processes that have read nothing for `idle`, and have nothing to acknowledge, from the group; an hour is the
    /// default.
    #[must_use]
    pub fn forgetting_after(self, idle: Duration) -> Self {
        Self {
            forget_after: idle,
            ..self
        }
    }

    /// The next entries, oldest first; none when nothing happened within `block`. May be dropped: what comes in then
    /// is there at the next call.
    ///
    /// # Errors
    /// When Redis fails, a cluster for all queues. Nothing is lost: the next call begins with what was not
    /// acknowledged.
    pub async fn read(&mut self, block: Duration) -> Result<Vec<EventBatch>, Error> {
        let members = self.members.get_or_insert_with(|| {
            let groups = Group::all(&self.queues, &self.names).into_iter();
            Listeners::new(groups.map(|group| Member {
                group,
                consumer: self.consumer.clone(),
                backlog_after: None,
                claimed_at: None,
                forget_after: self.forget_after,
                paging: Paging::new(ENTRIES, self.queues.settings.call_bytes),
            }))
        });
        let batches = members.next(block).await?.unwrap_or_default();
        if batches.is_empty() {
            // What was recorded before it became quiet grows old.
            self.trim().await;
        }
        Ok(batches)
    }

    /// Says that these entries are recorded. They are dropped from the stream by and by.
    ///
    /// # Errors
    /// When Redis fails; the entries then come again.
    pub async fn ack(&mut self, batches: &[EventBatch]) -> Result<(), Error> {
        for name in &self.names {
            let of_queue = batches.iter().filter(|batch| batch.queue == *name);
            let ids: Vec<String> = of_queue.map(|batch| batch.id.to_string()).collect();
            if !ids.is_empty() {
                let mut ack = cmd("XACK");
                ack.arg(self.queues.keys(name).events()).arg(GROUP).arg(ids);
                self.queues.connection.command::<u64>(&ack).await?;
                let soon = Instant::now() + TRIM_EVERY;
                let trim_at = self.trim_at.entry(name.clone()).or_insert(soon);
                *trim_at = soon.min(*trim_at);
            }
        }
        self.trim().await;
        Ok(())
    }

    /// Drops recorded entries. What fails is made up for later, and must not hold up the other queues.
    async fn trim(&mut self) {
        for name in &self.names {
            if self.trim_at.get(name).is_some_and(|at| Instant::now() < *at) {
                continue;
            }
            let mut trim = scripts::TRIM.call(&self.queues.keys(name).of_queue());
            trim.arg("group", GROUP)
                .arg("keep_ms", millis(KEEP))
                .arg("most_entries", CROWD)
                .arg("most_bytes", CROWD_BYTES);
            let pause = match self.queues.connection.script::<u64>(&trim).await {
                Ok(0) => TRIM_QUIET,
                Ok(_) => TRIM_EVERY,
                Err(error) => {
                    tracing::debug!(queue = %name, error = chain(&error), "recorded events stay for now");
                    TRIM_AGAIN
                }
            };
            self.trim_at.insert(name.clone(), Instant::now() + pause);
        }
    }

    /// The last entry of each queue, as of now.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn marks(&self) -> Result<Vec<EventId>, Error> {
        let mut marks = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let mut info = cmd("XINFO");
            info.arg("STREAM").arg(self.queues.keys(name).events());
            let info: Option<StreamInfoStreamReply> = self.ask(&info).await?;
            let mark = info.map(|info| info.last_generated_id.parse()).transpose()?;
            marks.push(mark.unwrap_or_default());
        }
        Ok(marks)
    }

    /// True when the whole group has recorded everything up to these marks. What comes after them may be under way.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn recorded(&self, marks: &[EventId]) -> Result<bool, Error> {
        for (name, mark) in self.names.iter().zip(marks) {
            let events = self.queues.keys(name).events();
            let mut info = cmd("XINFO");
            info.arg("GROUPS").arg(&events);
            let Some(groups): Option<StreamInfoGroupsReply> = self.ask(&info).await? else {
                // The stream is gone, and its entries with it.
                continue;
            };
            let Some(group) = groups.groups.iter().find(|group| group.name == GROUP) else {
                return Ok(false);
            };
            if group.last_delivered_id.parse::<EventId>()? < *mark {
                return Ok(false);
            }
            let mut pending = cmd("XPENDING");
            pending.arg(&events).arg(GROUP);
            let pending: StreamPendingReply = self.queues.connection.command(&pending).await?;
            if let StreamPendingReply::Data(pending) = pending
                && pending.start_id.parse::<EventId>()? <= *mark
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// True when the whole group has recorded everything that is in the streams.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn drained(&self) -> Result<bool, Error> {
        self.recorded(&self.marks().await?).await
    }

    /// Asks about a stream; `None` when there is no such stream.
    async fn ask<T: FromRedisValue>(&self, question: &redis::Cmd) -> Result<Option<T>, Error> {
        match self.queues.connection.command(question).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Command(error)) if no_such_key(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The recorder's place in one group of queues.
struct Member {
    group: Group,
    consumer: String,
    /// Entries that this consumer was given and did not acknowledge come first after a (re)connection.
    /// For each queue, the last such entry that was given out.
    backlog_after: Option<Vec<EventId>>,
    claimed_at: Option<Instant>,
    forget_after: Duration,
    paging: Paging,
}

impl Listener for Member {
    type News = Vec<EventBatch>;

    fn group(&self) -> &Group {
        &self.group
    }

    async fn listen(&mut self, longest: Duration) -> Result<Option<Vec<EventBatch>>, Error> {
        let result = self.read(longest).await;
        if result.is_err() {
            self.group.disconnect();
        }
        Ok(Some(result?).filter(|batches| !batches.is_empty()))
    }
}

impl Member {
    async fn read(&mut self, block: Duration) -> Result<Vec<EventBatch>, Error> {
        if self.group.connect().await? {
            self.create_groups().await?;
            self.backlog_after = Some(vec![EventId::default(); self.group.names.len()]);
        }
        if let Some(mut after) = self.backlog_after.take() {
            let ids: Vec<String> = after.iter().map(ToString::to_string).collect();
            // Not yet known to be over: a failure begins it anew.
            self.backlog_after = Some(after.clone());
            let backlog = self.read_group(ids, None).await?;
            for (name, after) in self.group.names.iter().zip(&mut after) {
                let of_queue = backlog.iter().filter(|batch| batch.queue == *name);
                *after = of_queue.map(|batch| batch.id).max().unwrap_or(*after);
            }
            self.backlog_after = (!backlog.is_empty()).then_some(after);
            if !backlog.is_empty() {
                return Ok(backlog);
            }
        }
        let claimed = self.claim().await?;
        if !claimed.is_empty() {
            return Ok(claimed);
        }
        let new = vec![">".to_owned(); self.group.names.len()];
        self.read_group(new, Some(block)).await
    }

    async fn read_group(
        &mut self,
        after: Vec<String>,
        block: Option<Duration>,
    ) -> Result<Vec<EventBatch>, Error> {
        let mut command = cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(GROUP)
            .arg(&self.consumer)
            .arg("COUNT")
            .arg(self.paging.entries());
        if let Some(block) = block {
            command.arg("BLOCK").arg(block.as_millis().max(1).to_string());
        }
        read::streams(&mut command, &self.group, after.into_iter());
        read::read(
            &mut self.group,
            &command,
            block.unwrap_or_default(),
            &mut self.paging,
        )
        .await
    }

    /// Takes over entries of processes that are gone.
    async fn claim(&mut self) -> Result<Vec<EventBatch>, Error> {
        let pause = CLAIM_AFTER / 3;
        if self.claimed_at.is_some_and(|at| at.elapsed() < pause) {
            return Ok(Vec::new());
        }
        self.claimed_at = Some(Instant::now());
        let mut batches = Vec::new();
        for name in &self.group.names {
            self.forget_the_gone(name).await?;
            let mut claim = cmd("XAUTOCLAIM");
            claim
                .arg(self.group.queues.keys(name).events())
                .arg(GROUP)
                .arg(&self.consumer);
            claim
                .arg(CLAIM_AFTER.as_millis().to_string())
                .arg("0-0")
                .arg("COUNT")
                .arg(self.paging.entries());
            let reply = self.group.queues.connection.command(&claim).await;
            let reply: StreamAutoClaimReply = reply.inspect_err(|_| self.paging.failed())?;
            let bytes = reply.claimed.iter().map(read::bytes_of).sum();
            self.paging.read(reply.claimed.len(), bytes);
            for entry in &reply.claimed {
                batches.push(codec::read_or_skip(name, entry)?);
            }
        }
        Ok(batches)
    }

    /// Takes processes off the group that ended long ago: each start of a process joins under a new name.
    async fn forget_the_gone(&self, name: &QueueName) -> Result<(), Error> {
        let events = self.group.queues.keys(name).events();
        let mut info = cmd("XINFO");
        info.arg("CONSUMERS").arg(&events).arg(GROUP);
        let found: StreamInfoConsumersReply = self.group.queues.connection.command(&info).await?;
        let forget_after = usize::try_from(self.forget_after.as_millis()).unwrap_or(usize::MAX);
        // One that still has entries keeps its place until they are claimed.
        let gone = |consumer: &&StreamInfoConsumer| consumer.pending == 0 && consumer.idle > forget_after;
        for consumer in found.consumers.iter().filter(gone) {
            let mut delete = cmd("XGROUP");
            delete
                .arg("DELCONSUMER")
                .arg(&events)
                .arg(GROUP)
                .arg(&consumer.name);
            self.group.queues.connection.command::<u64>(&delete).await?;
        }
        Ok(())
    }

    async fn create_groups(&self) -> Result<(), Error> {
        for name in &self.group.names {
            let mut join = scripts::JOIN.call(&self.group.queues.keys(name).of_queue());
            join.arg("group", GROUP);
            self.group.queues.connection.script::<u64>(&join).await?;
        }
        Ok(())
    }
}

fn no_such_key(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("no such key"))
}
