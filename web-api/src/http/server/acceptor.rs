//! Lets connections in until the shutdown; then those that the system has accepted already, and closes the socket.
//!
//! Salvo's own end leaves the socket open while it waits for requests that are under way: whoever connects meanwhile
//! is accepted by the system, served by nobody, and cut off at the end. A proxy in front cannot try such a request
//! again when it is a POST. A connection that is refused it can take to another server, whatever the request.

use std::future::pending;
use std::io;
use std::time::Duration;

use futures::FutureExt as _;
use salvo::conn::tcp::TcpAcceptor;
use salvo::conn::{Accepted, Acceptor, Holding};
use salvo::fuse::ArcFusePolicy;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long nobody is let in after the system could not: without file descriptors it cannot the next moment either.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// Between two lines about it in the log.
const LOG_EVERY: Duration = Duration::from_secs(1);

pub(super) struct ClosingAcceptor {
    /// `None` once it is closed.
    socket: Option<TcpAcceptor>,
    holdings: Vec<Holding>,
    shutdown: CancellationToken,
    closed: CancellationToken,
    failures: Failures,
}

/// Connections that could not be let in.
#[derive(Default)]
struct Failures {
    logged_at: Option<Instant>,
    unlogged: u64,
    /// Until then none is tried.
    rest_until: Option<Instant>,
}

impl Failures {
    /// Notes one. True when it is time to tell, with how many there were since the last time.
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

    /// Cancelled when the socket is closed.
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
            // The runtime gets to hear of connections between two tasks: what came in before is seen after this.
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
