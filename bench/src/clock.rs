//! The clock that all processes of a machine share, and what this process has worked.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Microseconds since some moment that is the same for every process. BullMQ's side reads the same clock.
pub(crate) fn now_us() -> f64 {
    duration(clock_gettime(ClockId::Monotonic)).as_secs_f64() * 1e6
}

/// The processor time of this process, in user and kernel.
pub(crate) fn worked() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

fn duration(time: Timespec) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}
