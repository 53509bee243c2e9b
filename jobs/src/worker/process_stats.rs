//! Processor time and memory of this process, for its heartbeats. It asks the system for its own figures alone, which
//! costs microseconds; a figure that the system does not give is left out.

use std::fs;
use std::time::{Duration, Instant};

use rustix::param::page_size;
use rustix::time::{ClockId, clock_gettime};

/// Over a shorter time than this, the figure would mean nothing.
const SHORTEST: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Used {
    /// Percent of one core since the look before.
    pub(crate) cpu_percent: Option<u32>,
    pub(crate) memory_bytes: Option<u64>,
}

/// Remembers how much there was at the last look.
pub(crate) struct Usage {
    cpu: Option<Duration>,
    at: Instant,
    percent: Option<u32>,
}

impl Usage {
    pub(crate) fn begin() -> Self {
        Self {
            cpu: cpu_time(),
            at: Instant::now(),
            percent: None,
        }
    }

    pub(crate) fn now(&mut self) -> Used {
        self.look(cpu_time(), Instant::now());
        Used {
            cpu_percent: self.percent,
            memory_bytes: fs::read_to_string("/proc/self/statm")
                .ok()
                .and_then(|text| resident(&text)),
        }
    }

    fn look(&mut self, cpu: Option<Duration>, at: Instant) {
        let passed = at.duration_since(self.at);
        if passed < SHORTEST {
            return;
        }
        self.percent = self.cpu.zip(cpu).map(|(before, now)| {
            let percent = now.saturating_sub(before).as_millis() * 100 / passed.as_millis();
            u32::try_from(percent).unwrap_or(u32::MAX)
        });
        self.cpu = cpu;
        self.at = at;
    }
}

/// Processor time of all threads since the process began.
fn cpu_time() -> Option<Duration> {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
}

/// Bytes in memory, from the second of the numbers, which counts pages.
fn resident(statm: &str) -> Option<u64> {
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_time_between_two_looks() {
        let mut usage = Usage::begin();
        let begin = usage.at;
        usage.cpu = Some(Duration::from_secs(10));
        usage.look(Some(Duration::from_secs(13)), begin + Duration::from_secs(2));
        assert_eq!(usage.percent, Some(150));
        // Too soon: the figure stays, and its time goes on.
        usage.look(
            Some(Duration::from_secs(14)),
            begin + Duration::from_millis(2_500),
        );
        assert_eq!(usage.percent, Some(150));
        usage.look(Some(Duration::from_secs(14)), begin + Duration::from_secs(4));
        assert_eq!(usage.percent, Some(50));
    }

    #[test]
    fn a_clock_that_cannot_be_read_has_no_share() {
        let mut usage = Usage::begin();
        let begin = usage.at;
        usage.look(None, begin + Duration::from_secs(2));
        assert_eq!(usage.percent, None);
    }

    #[test]
    fn memory_is_counted_in_pages() {
        let page = u64::try_from(page_size()).unwrap();
        assert_eq!(resident("2048 512 100 20 0 300 0\n"), Some(512 * page));
        assert_eq!(resident("nothing"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_has_used_time() {
        assert!(Usage::begin().now().memory_bytes.unwrap() > 100_000);
        assert!(cpu_time().unwrap() > Duration::ZERO);
    }
}
