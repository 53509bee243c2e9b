//! The signals that end a process: the first asks it to stop in order, the second to stop at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// SIGTERM and SIGINT, heard from now on.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// # Errors
    /// When the system refuses to tell about signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
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
