//! What a hundred queues cost in which nothing happens, in commands to Redis: time would depend on the machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::support::binary::Running;

/// How often each command was carried out, those within scripts too.
async fn commands(data: &Path) -> BTreeMap<String, u64> {
    let mut stream = UnixStream::connect(data.join("redis.sock")).await.unwrap();
    stream.write_all(b"INFO commandstats\r\nQUIT\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let lines = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split_once(',')?.0.parse().ok()?))
    });
    lines.collect()
}

/// Hundredths of a second that a process has computed.
fn computed(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_idle_queues_cost_little() {
    let names: Vec<String> = (0..98).map(|number| format!("queue-{number}")).collect();
    let queues = format!("default,{}", names.join(","));
    let data = TempDir::new().unwrap();
    let spiral = Running::start_with(data.path(), &[], &[("SPIRAL_QUEUES", &queues)]).await;
    let redis = spiral.redis(data.path()).await;
    // Past what happens at a start.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let (begin, before) = (Instant::now(), commands(data.path()).await);
    let computed_before = (computed(spiral.id()), computed(redis));
    tokio::time::sleep(Duration::from_secs(15)).await;
    let after = commands(data.path()).await;
    let seconds = begin.elapsed().as_secs_f64();
    let percent = |process: u32, before: u64| {
        let ticks = u32::try_from(computed(process) - before).unwrap();
        f64::from(ticks) / seconds
    };
    let rates: BTreeMap<&str, f64> = after
        .iter()
        .map(|(name, calls)| {
            let calls = u32::try_from(calls - before.get(name).copied().unwrap_or_default()).unwrap();
            (name.as_str(), f64::from(calls) / seconds)
        })
        .filter(|(_, rate)| *rate >= 0.5)
        .collect();
    let all: f64 = rates.values().sum();
    let told = format!(
        "{all:.0} commands a second: {rates:.0?}; {:.1} % of a core, and {:.1} % in Redis",
        percent(spiral.id(), computed_before.0),
        percent(redis, computed_before.1)
    );
    assert!(all < 1_200.0, "{told}");
    assert!(spiral.stop().await.success());
}
