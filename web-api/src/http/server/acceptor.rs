//! Accepts connections until the shutdown, then those already in the system's backlog, and closes the socket.
//!
//! Salvo's own shutdown keeps the socket open while requests are running: a client that connects meanwhile is
//! accepted by the system, never served, and disconnected at the end. A proxy cannot retry such a request
//! when it is a POST. A refused connection it can send to another server, whatever the request.

use std::future::pending;
use std::io;
use std::time::Duration;

use futures::FutureExt as _;
use salvo::conn::tcp::TcpAcceptor;
use salvo::conn::{Accepted, Acceptor, Holding};
use salvo::fuse::ArcFusePolicy;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The pause after a failed accept: without file descriptors the next one would fail as well.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// The shortest time between two log lines about it.
const LOG_EVERY: Duration = Duration::from_secs(1);

pub(super) struct ClosingAcceptor {
    /// `None` once the socket is closed.
    socket: Option<TcpAcceptor>,
    holdings: Vec<Holding>,
    shutdown: CancellationToken,
    closed: CancellationToken,
    failures: Failures,
}

/// Connections that could not be accepted.
#[derive(Default)]
struct Failures {
    logged_at: Option<Instant>,
    unlogged: u64,
    /// The end of the pause after a failure.
    rest_until: Option<Instant>,
}

impl Failures {
    /// Counts a failure. When it is time for a log line, returns how many there were since the last one.
    fn note(&mut self, now: Instant) -> Option<u64> {
        self.unlogged += 1;
        self.rest_until = Some(now + AFTER_FAILURE);
        if self.logged_at.is_some_and(|logged| now < logged + LOG_EVERY) {
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

impl ClosingAcceptor {
    pub(super) fn new(socket: TcpAcceptor, shutdown: CancellationToken) -> Self {
        Self {
            holdings: socket.holdings().to_vec(),
            socket: Some(socket),
            shutdown,
            closed: CancellationToken::new(),
            failures: Failures::default(),
        }
    }

    /// A token that is cancelled when the socket is closed.
    pub(super) fn closed(&self) -> CancellationToken {
        self.closed.clone()
    }
}

impl Acceptor for ClosingAcceptor {
    type Coupler = <TcpAcceptor as Acceptor>::Coupler;
    type Stream = <TcpAcceptor as Acceptor>::Stream;

    fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    async fn accept(
        &mut self,
        fuse_policy: Option<ArcFusePolicy>,
    ) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        if let Some(socket) = &mut self.socket {
            let accepted = async {
                loop {
                    if let Some(until) = self.failures.rest_until.take() {
                        tokio::time::sleep_until(until).await;
                    }
                    match socket.accept(fuse_policy.clone()).await {
                        Ok(accepted) => return accepted,
                        Err(error) => {
                            if let Some(failures) = self.failures.note(Instant::now()) {
                                tracing::warn!(%error, failures, "connections could not be accepted");
                            }
                        }
                    }
                }
            };
            tokio::select! {
                biased;
                accepted = accepted => return Ok(accepted),
                () = self.shutdown.cancelled() => {}
            }
            // The runtime polls the socket between two tasks: after this, connections that came in before are
            // seen.
            tokio::task::yield_now().await;
            if let Some(accepted) = socket.accept(fuse_policy).now_or_never() {
                return accepted;
            }
            self.socket = None;
            self.closed.cancel();
        }
        pending().await
    }
}
