//! Workers as the API returns them.

use jobs::queue::{About, Worker as OfQueue};
use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::Timestamp;

/// A process that runs jobs.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Worker"))]
pub struct Worker {
    #[salvo(schema(example = "worker-01JD3Y8M5Q2W7E9R4T6Y1P0A2S"))]
    pub name: String,
    /// False when its heartbeats have stopped for so long that its jobs are given to other workers.
    pub alive: bool,
    /// Its version of Spiral; null when it has not reported one.
    #[salvo(schema(required = true))]
    pub version: Option<String>,
    #[salvo(schema(required = true, minimum = 0))]
    pub pid: Option<u32>,
    #[salvo(schema(required = true))]
    pub started_at: Option<Timestamp>,
    /// The time of its last heartbeat, by its own clock.
    #[salvo(schema(required = true))]
    pub heartbeat_at: Option<Timestamp>,
    /// How many jobs it runs at the same time.
    #[salvo(schema(required = true, minimum = 0))]
    pub concurrency: Option<u64>,
    /// How many jobs it has reserved.
    #[salvo(schema(minimum = 0))]
    pub held: u64,
    /// CPU use between its last two heartbeats, in percent of one core: 200 means two cores. Null when it is
    /// not reported.
    #[salvo(schema(required = true, minimum = 0))]
    pub cpu_percent: Option<u32>,
    /// Null when it is not reported.
    #[salvo(schema(required = true, minimum = 0))]
    pub memory_bytes: Option<u64>,
    /// The queues that it serves.
    pub queues: Vec<String>,
}

/// All workers, by name.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "WorkerList"))]
pub struct WorkerList {
    pub workers: Vec<Worker>,
}

impl Worker {
    /// A worker without the data of any queue.
    pub fn named(name: String) -> Self {
        Self {
            name,
            alive: false,
            version: None,
            pid: None,
            started_at: None,
            heartbeat_at: None,
            concurrency: None,
            held: 0,
            cpu_percent: None,
            memory_bytes: None,
            queues: Vec::new(),
        }
    }

    /// Adds the data of one queue.
    pub fn add(&mut self, queue: &str, worker: OfQueue) {
        self.queues.push(queue.to_owned());
        self.alive |= worker.alive;
        self.held += worker.running;
        let Some(about) = worker.about else { return };
        let About {
            pid,
            version,
            started_at,
            at,
            concurrency,
            held: _,
            cpu_percent,
            memory_bytes,
        } = about;
        self.pid = Some(pid);
        self.version = Some(version);
        self.started_at = Some(started_at.into());
        self.heartbeat_at = self.heartbeat_at.max(at.map(Into::into));
        self.concurrency = u64::try_from(concurrency).ok();
        self.cpu_percent = cpu_percent;
        self.memory_bytes = memory_bytes;
    }
}
