//! How the processes of the benchmark talk with the one that measures: an order a line comes in on standard input, a
//! line of JSON goes out on standard output. `bullmq/lines.js` is the same on the other side.

use std::io::{self, BufRead as _, Write as _};
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// What a process says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(crate) enum Said {
    /// It has started and waits for orders.
    Ready,
    /// What it was to enqueue is enqueued.
    Pushed { took_us: f64 },
    /// As many jobs have run as were expected.
    Ran,
    /// A job that carries the time of its sending has started, this long after.
    Started { after_us: f64 },
    /// Jobs that have run, and the processor time since the work began.
    Report { jobs: u64, cpu_us: f64 },
}

/// Says it at once. A closed pipe is nobody who could hear it.
pub(crate) fn say(said: Said) {
    if let Ok(line) = serde_json::to_string(&said) {
        let mut out = io::stdout().lock();
        drop(writeln!(out, "{line}").and_then(|()| out.flush()));
    }
}

/// The orders as they come; closed when there will be no more.
pub(crate) fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, orders) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_write_the_same() {
        let report = r#"{"say":"report","jobs":20000,"cpu_us":1942825}"#;
        let expected = Said::Report {
            jobs: 20_000,
            cpu_us: 1_942_825.0,
        };
        assert_eq!(serde_json::from_str::<Said>(report).unwrap(), expected);
        assert_eq!(serde_json::to_string(&Said::Ready).unwrap(), r#"{"say":"ready"}"#);
    }
}
