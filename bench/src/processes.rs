//! What other processes have worked and hold, as the system tells it; and Redis of itself.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;

/// How the system counts processor time for those who ask about another process.
const TICKS_PER_SECOND: f64 = 100.0;

/// The processor time of a process. `None` where the system does not tell.
pub(crate) fn worked(process: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let counted = Duration::from_secs_f64(ticks(&text)? / TICKS_PER_SECOND);
    // Ticks are coarse, and the list of threads forgets those that ended: the larger of the two.
    Some(counted.max(threads_worked(process).unwrap_or_default()))
}

/// The same to the nanosecond, of the threads that there are now.
fn threads_worked(process: u32) -> Option<Duration> {
    let mut all = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task")).ok()? {
        // One may end meanwhile.
        let Ok(text) = fs::read_to_string(thread.ok()?.path().join("schedstat")) else {
            continue;
        };
        all += Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?);
    }
    Some(all)
}

/// User and system time, the 14th and the 15th field; the second one may hold anything but ends the brackets.
fn ticks(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Bytes of memory that a process has for itself and its share. `None` where the system does not tell.
pub(crate) fn resident(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The processor time that Redis has used.
pub(crate) async fn redis_worked(redis: &mut MultiplexedConnection) -> Result<Duration> {
    let info: String = redis::cmd("INFO").arg("cpu").query_async(redis).await?;
    let seconds = field(&info, "used_cpu_user")? + field(&info, "used_cpu_sys")?;
    Ok(Duration::from_secs_f64(seconds))
}

/// The bytes that Redis holds.
pub(crate) async fn redis_memory(redis: &mut MultiplexedConnection) -> Result<f64> {
    let info: String = redis::cmd("INFO").arg("memory").query_async(redis).await?;
    field(&info, "used_memory")
}

fn field(info: &str, name: &str) -> Result<f64> {
    let value = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = value.with_context(|| format!("Redis does not tell {name}"))?;
    Ok(value.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 1 1";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(ticks("42 (cut"), None);
    }

    #[test]
    fn a_field_of_redis_is_found_by_its_whole_name() {
        let info = "# Memory\r\nused_memory:1000\r\nused_memory_rss:2000\r\n";
        assert!((field(info, "used_memory").unwrap() - 1000.0).abs() < f64::EPSILON);
        assert!(field(info, "used").is_err());
    }

    #[test]
    fn this_process_works_and_holds_memory() {
        if cfg!(target_os = "linux") {
            let own = worked(std::process::id()).unwrap();
            assert!(own > Duration::ZERO && own < Duration::from_hours(1), "{own:?}");
            assert!(resident(std::process::id()).unwrap() > 100_000);
        }
    }
}
