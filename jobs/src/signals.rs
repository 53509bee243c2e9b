//! The signals that end a process: the first asks it to stop in order, the second to stop at once. SIGHUP does not: it
//! comes when a terminal closes, or from who expects that settings are read again.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// SIGTERM, SIGINT and SIGHUP, received from now on.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// # Errors
    /// When the system refuses to deliver signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {
                    tracing::info!("SIGHUP changes nothing: settings are read at the start alone");
                }
            }
        }
    }

    /// Cancels `shutdown` at the first signal and returns at the second.
    pub async fn second_after(mut self, shutdown: &CancellationToken) {
        let name = self.next().await;
        tracing::info!(signal = name, "stopping in order; a second signal stops at once");
        shutdown.cancel();
        self.next().await;
    }
}
