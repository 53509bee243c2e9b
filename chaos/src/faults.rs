//! THE list of what can go wrong. A fault strikes at once, lasts for a while, and is then undone.

use std::time::Duration;

use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::stack::Stack;

mod apis;
mod clocks;
mod network;
mod postgres;
mod redis;
mod workers;

/// One kind of fault.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// `cargo xtask chaos --help` takes it from this file, so that it needs no build.
    #[cfg_attr(not(test), expect(dead_code, reason = "read from the source"))]
    pub(crate) does: &'static str,
    pub(crate) strikes: Target,
    pub(crate) strike: fn(&mut Stack, &mut StdRng) -> Result<Blow>,
}

/// What a fault strikes. Two that strike the same are never there at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Workers,
    Apis,
    Redis,
    Database,
    Network,
    Clocks,
    /// Processes that are to end in good order, which they need everything else for.
    Everything,
}

impl Target {
    pub(crate) fn mixes_with(self, other: Self) -> bool {
        self != other && self != Self::Everything && other != Self::Everything
    }
}

/// A fault that has struck.
pub(crate) struct Blow {
    /// Whom it struck and how.
    pub(crate) what: String,
    pub(crate) lasts: Duration,
    pub(crate) end: End,
}

/// What is done when it is over.
pub(crate) type End = Box<dyn FnOnce(&mut Stack) -> Result<()>>;

pub(crate) const FAULTS: [Fault; 19] = [
    Fault {
        name: "kill-worker",
        does: "kill -9 a worker, start another one",
        strikes: Target::Workers,
        strike: workers::kill,
    },
    Fault {
        name: "kill-all-workers",
        does: "kill -9 all workers, start others",
        strikes: Target::Workers,
        strike: workers::kill_all,
    },
    Fault {
        name: "freeze-worker",
        does: "SIGSTOP a worker past its lease, then SIGCONT",
        strikes: Target::Workers,
        strike: workers::freeze,
    },
    Fault {
        name: "slow-worker",
        does: "let a worker run at a tenth of its speed, then as before",
        strikes: Target::Workers,
        strike: workers::slow,
    },
    Fault {
        name: "deploy-workers",
        does: "a new worker beside each old one, which gets SIGTERM, one after the other",
        strikes: Target::Everything,
        strike: workers::deploy,
    },
    Fault {
        name: "kill-api",
        does: "kill -9 an API, start another one",
        strikes: Target::Apis,
        strike: apis::kill,
    },
    Fault {
        name: "freeze-api",
        does: "SIGSTOP an API for some seconds, then SIGCONT",
        strikes: Target::Apis,
        strike: apis::freeze,
    },
    Fault {
        name: "deploy-apis",
        does: "a new API beside each old one, which gets SIGTERM when the new one is ready",
        strikes: Target::Everything,
        strike: apis::deploy,
    },
    Fault {
        name: "restart-redis",
        does: "kill -9 Redis, start it with its log",
        strikes: Target::Redis,
        strike: redis::restart,
    },
    Fault {
        name: "fill-redis",
        does: "allow Redis less memory than it uses, for some seconds",
        strikes: Target::Redis,
        strike: redis::fill,
    },
    Fault {
        name: "flush-redis",
        does: "FLUSHALL",
        strikes: Target::Redis,
        strike: redis::flush,
    },
    Fault {
        name: "wipe-redis",
        does: "kill -9 Redis, take its log away, start it",
        strikes: Target::Redis,
        strike: redis::wipe,
    },
    Fault {
        name: "restart-postgres",
        does: "stop PostgreSQL in the middle of its work, start it",
        strikes: Target::Database,
        strike: postgres::restart,
    },
    Fault {
        name: "fill-disk",
        does: "leave PostgreSQL no room on its disk for some seconds (as root alone; else it says that it skips)",
        strikes: Target::Database,
        strike: postgres::full_disk,
    },
    Fault {
        name: "cut-network",
        does: "drop the connections to Redis, of one process or of all, and refuse new ones for some seconds",
        strikes: Target::Network,
        strike: network::cut,
    },
    Fault {
        name: "stall-network",
        does: "let nothing pass to Redis and back, of one process or of all, for some seconds",
        strikes: Target::Network,
        strike: network::stall,
    },
    Fault {
        name: "jump-clock",
        does: "set the clock of one process, or of all, a year or some hours wrong for some seconds",
        strikes: Target::Clocks,
        strike: clocks::jump,
    },
    Fault {
        name: "slow-network",
        does: "let three megabytes a second pass to Redis and back, of one process or of all",
        strikes: Target::Network,
        strike: network::slow,
    },
    Fault {
        name: "forget-connections",
        does: "let nothing pass any more, ever, on the connections to Redis that there are, of one process or of all; new ones work",
        strikes: Target::Network,
        strike: network::forget,
    },
];

/// A time between two bounds.
pub(crate) fn between(dice: &mut StdRng, from: Duration, to: Duration) -> Duration {
    from + to.saturating_sub(from).mul_f64(dice.random_range(0.0..=1.0))
}

/// One of so many.
fn one_of(dice: &mut StdRng, count: usize) -> usize {
    dice.random_range(0..count)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_never_meets_one_of_its_kind_or_a_deploy() {
        assert!(Target::Workers.mixes_with(Target::Redis));
        assert!(!Target::Redis.mixes_with(Target::Redis));
        assert!(!Target::Redis.mixes_with(Target::Everything));
        assert!(!Target::Everything.mixes_with(Target::Network));
    }

    #[test]
    fn names_differ() {
        for (at, fault) in FAULTS.iter().enumerate() {
            assert!(FAULTS[..at].iter().all(|other| other.name != fault.name));
        }
    }
}
