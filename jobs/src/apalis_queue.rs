//! The queue of one function as a backend of apalis, for programs that push and wait with apalis's own traits:
//! [`TaskSink`](apalis_core::backend::TaskSink), [`WaitForCompletion`] and [`ListTasks`].
//!
//! One task is one job: the task's id is the job's, and the job runs in Spiral's worker, with its leases, attempts and
//! retries. So no apalis worker can take jobs from it. Jobs that should be in the record of the API go through the API.

use std::collections::BTreeSet;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use apalis_core::backend::codec::Codec;
use apalis_core::backend::finalize::Durable;
use apalis_core::backend::{
    Backend, BackendConfig, Filter, ListTasks, TaskResult, WaitForCompletion, WireFormatBackend,
};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::status::Status;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use chrono::DateTime;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use futures::{Sink, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tower::layer::util::Identity;

use crate::error::Error;
use crate::function::{Function, Policy};
use crate::job::{Envelope, JobId, JobState, Priority, QueueName};
use crate::queue::Queues;

mod outcomes;

use outcomes::Outcomes;

/// The queue of the function `F`.
pub struct FunctionQueue<F> {
    queues: Queues,
    policy: Policy,
    codec: JsonText,
    /// Pushed, and not sent to Redis yet.
    unsent: Vec<Envelope>,
    sending: Option<BoxFuture<'static, Result<(), Error>>>,
    function: PhantomData<fn() -> F>,
}

/// Inputs as JSON text, which is what lies in Redis.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonText;

impl<T: Serialize + DeserializeOwned> Codec<T> for JsonText {
    type Error = serde_json::Error;
    type Compact = Box<RawValue>;

    fn encode(&self, value: &T) -> Result<Box<RawValue>, serde_json::Error> {
        serde_json::value::to_raw_value(value)
    }

    fn decode(&self, text: &Box<RawValue>) -> Result<T, serde_json::Error> {
        serde_json::from_str(text.get())
    }
}

impl<F: Function> FunctionQueue<F> {
    /// The queue that the policy of `function` names.
    pub fn new(queues: Queues, function: &F) -> Self {
        Self {
            queues,
            policy: function.policy(),
            codec: JsonText,
            unsent: Vec::new(),
            sending: None,
            function: PhantomData,
        }
    }

    /// An id for a task that is to be waited for.
    pub fn new_task_id() -> TaskId {
        TaskId::from_string(JobId::new().to_string())
    }

    fn envelope(&self, task: Task<Box<RawValue>>) -> Result<Envelope, Error> {
        let (input, context) = task.take();
        let id = context.task_id().map_or_else(|| Ok(JobId::new()), job_id)?;
        let priority = context.priority().map(|priority| {
            let priority = u8::try_from(priority).unwrap_or_default();
            Priority::try_from(priority)
        });
        let run_at = context.run_at().and_then(|seconds| i64::try_from(seconds).ok());
        let max_attempts = context.max_attempts().and_then(|most| u32::try_from(most).ok());
        Ok(Envelope {
            max_attempts: max_attempts.unwrap_or(self.policy.max_attempts).max(1),
            timeout_ms: u64::try_from(self.policy.timeout.as_millis()).unwrap_or(u64::MAX),
            run_at: run_at.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
            priority: priority.transpose()?.unwrap_or_default(),
            ..Envelope::new(id, F::NAME, input)
        })
    }
}

fn job_id(task: &TaskId) -> Result<JobId, Error> {
    Ok(task.to_string().parse()?)
}

async fn push(queues: Queues, queue: QueueName, jobs: Vec<Envelope>) -> Result<(), Error> {
    let pushed = queues.push(&queue, &jobs).await?;
    match pushed.refused.first() {
        Some((id, reason)) => Err(Error::Protocol(format!("it refuses the job {id}: {reason}"))),
        None => Ok(()),
    }
}

impl<F> Backend for FunctionQueue<F> {
    type Task = Task<Box<RawValue>>;
    type Error = Error;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Error>>> {
        let message = "its jobs run in jobs::worker: no apalis worker can take them".to_owned();
        Poll::Ready(Some(Err(Error::Role("runtime", message))))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }
}

impl<F: Function> BackendConfig for FunctionQueue<F> {
    type Args = F::Input;
    type Id = String;
    type Kind = Durable;
    type Config = Policy;
    type Layer = Identity;

    fn config(&self) -> &Policy {
        &self.policy
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

impl<F> WireFormatBackend for FunctionQueue<F> {
    type Codec = JsonText;
    type Compact = Box<RawValue>;

    fn codec(&self) -> &JsonText {
        &self.codec
    }
}

/// With this and the traits above it is apalis's `TaskSink`.
impl<F: Function> Sink<Task<Box<RawValue>>> for FunctionQueue<F> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, task: Task<Box<RawValue>>) -> Result<(), Error> {
        let envelope = self.envelope(task)?;
        self.unsent.push(envelope);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Some(sending) = &mut self.sending {
                let result = ready!(sending.as_mut().poll(context));
                self.sending = None;
                result?;
            }
            if self.unsent.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let jobs = std::mem::take(&mut self.unsent);
            let queue = self.policy.queue.clone();
            self.sending = Some(Box::pin(push(self.queues.clone(), queue, jobs)));
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flush(context)
    }
}

/// The ends of jobs by the events of the queue. The job of a task that ended so long ago that its event is gone, and that
/// left no output, is waited for without an end: set a limit of time.
impl<F: Function, Output: DeserializeOwned + Send + 'static> WaitForCompletion<Output> for FunctionQueue<F> {
    type ResultStream = BoxStream<'static, Result<TaskResult<Output>, Error>>;

    fn wait_for(&mut self, tasks: impl IntoIterator<Item = TaskId>) -> Self::ResultStream {
        let ids: Result<BTreeSet<JobId>, Error> = tasks.into_iter().map(|task| job_id(&task)).collect();
        match ids {
            Ok(ids) => Outcomes::new(&self.queues, &self.policy.queue, ids)
                .stream()
                .boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn check_status(
        &mut self,
        tasks: impl IntoIterator<Item = TaskId> + Send,
    ) -> impl Future<Output = Result<Vec<TaskResult<Output>>, Error>> + Send {
        let ids: Result<BTreeSet<JobId>, Error> = tasks.into_iter().map(|task| job_id(&task)).collect();
        let (queues, queue) = (self.queues.clone(), self.policy.queue.clone());
        async move { Outcomes::new(&queues, &queue, ids?).known().await }
    }
}

/// The jobs that Redis holds. It forgets those that have ended, so there are none of these states.
impl<F: Function> ListTasks for FunctionQueue<F> {
    fn list_tasks(
        &self,
        filter: &Filter,
    ) -> impl Future<Output = Result<Vec<Task<Box<RawValue>>>, Error>> + Send {
        let (queues, queue) = (self.queues.clone(), self.policy.queue.clone());
        let status = filter.status.clone();
        // Pages are counted from 1.
        let page = Filter {
            page: filter.page.max(1),
            ..filter.clone()
        };
        async move {
            let wanted = |job: &Envelope, state| {
                job.function == F::NAME && status.as_ref().is_none_or(|status| *status == status_of(state))
            };
            let (skip, most) = (page.offset() as usize, page.limit() as usize);
            let jobs = queues.list(&queue, wanted, skip, most).await?;
            Ok(jobs
                .into_iter()
                .map(|job| {
                    TaskBuilder::new(job.envelope.input)
                        .task_id(TaskId::from_string(job.envelope.id.to_string()))
                        .attempt(usize::try_from(job.attempt).unwrap_or(usize::MAX))
                        .max_attempts(usize::try_from(job.envelope.max_attempts).unwrap_or(usize::MAX))
                        .status(status_of(job.state))
                        .build()
                })
                .collect())
        }
    }
}

const fn status_of(state: JobState) -> Status {
    match state {
        JobState::Queued => Status::Queued,
        JobState::Scheduled | JobState::Retrying => Status::Pending,
        JobState::Running => Status::Running,
        JobState::Completed => Status::Done,
        JobState::Dead => Status::Failed,
        JobState::Cancelled => Status::Killed,
    }
}
