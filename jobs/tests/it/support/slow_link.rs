//! A way to a Redis that lets so many bytes a second through, in each direction, for all connections together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::RedisServer;

const PIECE: usize = 16 << 10;

pub(crate) struct SlowLink {
    address: SocketAddr,
}

impl SlowLink {
    pub(crate) async fn to(redis: &RedisServer, bytes_per_second: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = redis.socket();
        tokio::spawn(serve(listener, socket, f64::from(bytes_per_second)));
        Self { address }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }
}

/// When the next piece may go.
type Turn = Arc<Mutex<Instant>>;

async fn serve(listener: TcpListener, socket: PathBuf, rate: f64) {
    let (there, back) = (
        Turn::new(Mutex::new(Instant::now())),
        Turn::new(Mutex::new(Instant::now())),
    );
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = UnixStream::connect(&socket).await else {
            continue;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(pass(from_client, to_server, Arc::clone(&there), rate));
        tokio::spawn(pass(from_server, to_client, Arc::clone(&back), rate));
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, turn: Turn, rate: f64) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        // Queued behind what others send.
        let time = Duration::from_secs_f64(u32::try_from(length).map_or(0.0, f64::from) / rate);
        let at = {
            let mut turn = turn.lock().await;
            *turn = (*turn).max(Instant::now()) + time;
            *turn
        };
        tokio::time::sleep_until(at).await;
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
