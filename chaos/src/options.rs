//! How a run goes, and what it is when nothing is asked for.

use std::path::PathBuf;

/// How a run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Calls that are made.
    pub(crate) jobs: u32,
    /// Calls a second at most.
    pub(crate) rate: u32,
    /// Connections that make them.
    pub(crate) connections: usize,
    /// How often every fault strikes; 0 is as long as the load lasts, and once at least.
    pub(crate) rounds: u32,
    /// What decides which fault strikes whom, and when.
    pub(crate) seed: u64,
    /// The names of the faults that may strike; all when it is empty.
    pub(crate) only: Vec<String>,
    /// When Redis brings its log to the disk.
    pub(crate) fsync: Fsync,
    /// Another build of the worker, which is deployed in turns with this one.
    pub(crate) worker_binary: Option<PathBuf>,
    /// The same of the API.
    pub(crate) web_api_binary: Option<PathBuf>,
    /// Leave the logs behind, also when all is well.
    pub(crate) keep: bool,
}

/// `appendfsync` of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fsync {
    /// Nothing that was answered is lost when Redis is killed.
    Always,
    /// As Redis comes. When the disk is busy, the last two seconds before a kill may be lost.
    EverySecond,
}

impl Fsync {
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::EverySecond => "everysec",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            jobs: 20_000,
            rate: 180,
            connections: 64,
            rounds: 2,
            seed: u64::from(rand::random::<u16>()),
            only: Vec::new(),
            fsync: Fsync::EverySecond,
            worker_binary: None,
            web_api_binary: None,
            keep: false,
        }
    }
}
