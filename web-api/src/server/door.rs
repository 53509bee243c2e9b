//! Lets connections in until the shutdown; then those that the system has accepted already, and closes the socket.
//!
//! Salvo's own end leaves the socket open while it waits for requests that are under way: whoever connects meanwhile
//! is accepted by the system, served by nobody, and cut off at the end. A proxy in front cannot try such a request
//! again when it is a POST. A connection that is refused it can take to another server, whatever the request.

use std::future::pending;
use std::io;

use futures::FutureExt as _;
use salvo::conn::tcp::TcpAcceptor;
use salvo::conn::{Accepted, Acceptor, Holding};
use salvo::fuse::ArcFusePolicy;
use tokio_util::sync::CancellationToken;

pub(super) struct Door {
    /// `None` once it is closed.
    socket: Option<TcpAcceptor>,
    holdings: Vec<Holding>,
    shutdown: CancellationToken,
    closed: CancellationToken,
}

impl Door {
    pub(super) fn new(socket: TcpAcceptor, shutdown: CancellationToken) -> Self {
        Self {
            holdings: socket.holdings().to_vec(),
            socket: Some(socket),
            shutdown,
            closed: CancellationToken::new(),
        }
    }

    /// Cancelled when the socket is closed.
    pub(super) fn closed(&self) -> CancellationToken {
        self.closed.clone()
    }
}

impl Acceptor for Door {
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
            tokio::select! {
                biased;
                accepted = socket.accept(fuse_policy.clone()) => return accepted,
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
