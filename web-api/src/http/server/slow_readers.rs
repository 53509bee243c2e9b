//! Disconnects clients that read a response too slowly. A connection without any progress times out on its
//! own; this is for clients that read a few bytes now and then while a whole response is kept in memory.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use salvo::http::ResBody;
use salvo::http::body::BytesFrame;
use salvo::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use salvo::prelude::*;
use tokio::time::Instant;

/// How much is given to the connection at once; the rest stays out of its buffers.
const PIECE: usize = 64 << 10;

/// The slowest rate at which a response may be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct MinReadRate {
    /// How long a client may take before it has read anything.
    pub(super) grace: Duration,
    pub(super) bytes_per_second: u64,
}

impl MinReadRate {
    /// The time by which this many bytes must have been read.
    fn deadline(self, begun: Instant, taken: u64) -> Instant {
        begun + self.grace + Duration::from_secs(taken / self.bytes_per_second.max(1))
    }

    fn bound<S>(self, pieces: S) -> ResBody
    where
        S: Stream<Item = io::Result<BytesFrame>> + Send + Unpin + 'static,
    {
        let begun = Instant::now();
        let state = (pieces, 0_u64);
        // The next piece is polled whenever the connection has room for it.
        ResBody::stream(
            stream::unfold(state, move |(mut pieces, taken)| async move {
                if Instant::now() > self.deadline(begun, taken) {
                    return Some((Err(io::Error::from(io::ErrorKind::TimedOut)), (pieces, taken)));
                }
                let piece = pieces.next().await?;
                let length = piece.as_ref().ok().and_then(|piece| piece.data_ref());
                let taken = taken + length.map_or(0, |data| data.len() as u64);
                Some((piece, (pieces, taken)))
            })
            .boxed(),
        )
    }
}

/// Of one length as before.
fn pieces(whole: impl IntoIterator<Item = Bytes>) -> VecDeque<Bytes> {
    let mut pieces = VecDeque::new();
    for mut bytes in whole {
        while bytes.len() > PIECE {
            pieces.push_back(bytes.split_to(PIECE));
        }
        pieces.push_back(bytes);
    }
    pieces
}

fn framed(pieces: VecDeque<Bytes>) -> impl Stream<Item = io::Result<BytesFrame>> + Send + Unpin {
    stream::iter(pieces.into_iter().map(|piece| Ok(BytesFrame::from(piece))))
}

#[async_trait]
impl Handler for MinReadRate {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        ctrl.call_next(req, depot, res).await;
        let kind = res.headers().get(CONTENT_TYPE);
        // Live events have no rate.
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return;
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "not ours: whatever else there is, is short or never sent"
        )]
        let body = match res.take_body() {
            ResBody::Once(bytes) if bytes.len() > PIECE => {
                res.headers_mut()
                    .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
                self.bound(framed(pieces([bytes])))
            }
            ResBody::Chunks(chunks) => {
                let length: usize = chunks.iter().map(Bytes::len).sum();
                res.headers_mut()
                    .insert(CONTENT_LENGTH, HeaderValue::from(length));
                self.bound(framed(pieces(chunks)))
            }
            // A body without a known length, such as a compressed one.
            body @ (ResBody::Stream(_) | ResBody::Boxed(_)) => {
                self.bound(body.map(|frame| frame.map(BytesFrame)))
            }
            body => body,
        };
        res.replace_body(body);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use salvo::conn::Acceptor as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpSocket;

    use super::*;

    const LENGTH: usize = 64 << 20;

    #[handler]
    async fn long(res: &mut Response) {
        res.body(ResBody::Once(vec![b'x'; LENGTH].into()));
    }

    async fn serve(pace: MinReadRate) -> SocketAddr {
        let acceptor = TcpListener::new("127.0.0.1:0").bind().await;
        let address = acceptor.holdings()[0].local_addr.clone().into_std().unwrap();
        let service = Service::new(Router::new().get(long)).hoop(pace);
        tokio::spawn(async move { Server::new(acceptor).serve(service).await });
        address
    }

    /// Reads a response in small parts with pauses; returns how much was read before it ended.
    async fn read(address: SocketAddr, bite: usize, pause: Duration) -> usize {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 << 10).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let (mut buffer, mut sum) = (vec![0; bite], 0);
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return sum,
                Ok(length) => sum += length,
            }
            tokio::time::sleep(pause).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_reads_a_little_now_and_then_is_cut_off_and_who_reads_gets_all() {
        let strict = MinReadRate {
            grace: Duration::from_secs(1),
            bytes_per_second: 16 << 20,
        };
        // At this rate the whole response would take most of an hour.
        let slow = read(serve(strict).await, 32 << 10, Duration::from_millis(50));
        let slow = tokio::time::timeout(Duration::from_mins(2), slow).await.unwrap();
        assert!(slow < LENGTH, "{slow} bytes were read");
        let lenient = MinReadRate {
            grace: Duration::from_mins(2),
            bytes_per_second: 1,
        };
        let all = read(serve(lenient).await, 1 << 20, Duration::ZERO).await;
        assert!(all > LENGTH, "{all} bytes were read");
    }
}
