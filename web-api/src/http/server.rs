//! The HTTP server: the layers around the endpoints, the socket, and a graceful shutdown.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use salvo::catcher::Catcher;
use salvo::conn::tcp::TcpAcceptor;
use salvo::fuse::FuseConfig;
use salvo::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use salvo::http::mime;
use salvo::prelude::*;
use salvo_compression::{Compression, CompressionLevel};
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;

use self::acceptor::ClosingAcceptor;
use self::slow_readers::MinReadRate;
use crate::http::extract::json;
use crate::http::middleware::base_path::mount;
use crate::http::middleware::catch::catch;
use crate::http::middleware::request_log::observe;
use crate::http::state::AppState;

mod acceptor;
mod slow_readers;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;
/// The most connections at the same time; further ones wait.
const MOST_CONNECTIONS: usize = 10_000;
/// Longer than the longest `?wait=`, and than the keep-alive interval of the live feed.
const IDLE: Duration = Duration::from_secs(90);
/// A client that has read nothing for this long is disconnected.
const STALLED: Duration = Duration::from_mins(1);
/// The slowest rate at which a response may be read: a megabyte within a minute.
const MIN_READ_RATE: MinReadRate = MinReadRate {
    grace: Duration::from_secs(30),
    bytes_per_second: 32 << 10,
};
/// How long an accepted client may take to send its first request after the socket was closed.
const SETTLE: Duration = Duration::from_secs(1);
/// The shutdown grace: how long running requests may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// The Content-Security-Policy, the same as nginx sends.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'";

/// A listening socket, before any connection is accepted.
pub struct Listening {
    acceptor: TcpAcceptor,
    address: SocketAddr,
}

impl Listening {
    /// Binds the address first, so that a server whose address is taken fails before it starts anything else.
    ///
    /// # Errors
    /// When the address is taken or not one of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit it: a live event must not wait for the acknowledgement of the previous
        // one.
        socket.set_nodelay(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Self {
            acceptor: listener.try_into()?,
            address,
        })
    }

    /// The address, with the port that was assigned.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, and then until the running requests are finished.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn serve(self, router: Router, state: AppState, shutdown: CancellationToken) -> io::Result<()> {
        let fuse = FuseConfig::default()
            .with_connection_idle_timeout(IDLE)
            .with_write_stall_timeout(STALLED);
        let door = ClosingAcceptor::new(self.acceptor, shutdown);
        let closed = door.closed();
        let server = Server::new(door)
            .fuse_config(fuse)
            .max_connections(MOST_CONNECTIONS);
        let handle = server.handle();
        let stop = async {
            closed.cancelled().await;
            // Connections without a request yet would be closed while their first request arrives.
            tokio::time::sleep(SETTLE).await;
            handle.stop_graceful(GRACE);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = server.try_serve(service(router, state)) => result,
            () = stop => Ok(()),
        }
    }
}

/// The endpoints with all layers. The order matters: the outermost layer comes first.
fn service(router: Router, state: AppState) -> Service {
    let base_path = state.settings().base_path.clone();
    Service::new(mount(&base_path, router))
        .catcher(Catcher::default().hoop(catch))
        .hoop(MIN_READ_RATE)
        .hoop(json::discard_unread)
        .hoop(observe)
        .hoop(base_path)
        .hoop(security_headers)
        .hoop(affix_state::inject(state))
        .hoop(compression())
        .hoop(CatchPanic::new())
}

/// gzip for text longer than a kilobyte. Never for live events, which a compressor would hold back.
fn compression() -> Compression {
    let kinds = [
        mime::APPLICATION_JSON,
        mime::TEXT_PLAIN,
        mime::TEXT_HTML,
        mime::TEXT_CSS,
        mime::TEXT_JAVASCRIPT,
        mime::IMAGE_SVG,
    ];
    Compression::new()
        .disable_all()
        .enable_gzip(CompressionLevel::Fastest)
        .content_types(&kinds)
        .min_length(1_024)
}

#[handler]
async fn security_headers(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    ctrl.call_next(req, depot, res).await;
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        res.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}
