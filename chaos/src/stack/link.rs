//! The network between one process and Redis: a proxy that can be cut, made to hold everything for a while, or made to
//! swallow for ever what is sent on the connections there are.
//!
//! As on a real network nothing is torn or lost within a connection that lives: what was under way when it stood still
//! arrives when it goes on, even if nobody waits for it any more.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// For a block, in each direction of each connection, while the way is slow: about three megabytes a second.
const SLOW_BLOCK: Duration = Duration::from_millis(10);

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Open,
    /// Connections are refused, those there were are dropped.
    Cut,
    /// Connections are taken, and nothing passes.
    Still,
    /// Everything passes, a block at a time.
    Slow,
}

impl Weather {
    fn passes(self) -> bool {
        matches!(self, Self::Open | Self::Slow)
    }
}

/// One process's way to Redis.
#[derive(Debug)]
pub(crate) struct Link {
    address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    weather: Weather,
    /// How often connections were dropped: one of an earlier time is gone, however short the drop was.
    drops: u32,
    /// How often all connections were forgotten: one of an earlier time carries nothing any more.
    forgets: u32,
}

impl Link {
    /// Makes the way to the Redis that listens on a Unix socket.
    pub(crate) fn open(redis: &Path, runtime: &Handle) -> Result<Self> {
        let _inside = runtime.enter();
        let listener = closed_door(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .and_then(|socket| socket.listen(BACKLOG))
            .context("there is no port for a link")?;
        let address = listener.local_addr()?;
        let (state, changes) = watch::channel(State {
            weather: Weather::Open,
            drops: 0,
            forgets: 0,
        });
        runtime.spawn(serve(listener, address, redis.to_owned(), changes));
        Ok(Self { address, state })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.state.send_modify(|state| {
            state.weather = weather;
            state.drops += u32::from(weather == Weather::Cut);
        });
    }
}

impl Link {
    /// From now on nothing passes on the connections there are. Neither side is told.
    pub(crate) fn forget(&self) {
        self.state.send_modify(|state| state.forgets += 1);
    }
}

/// A socket that has its port and does not listen: whoever knocks is refused.
fn closed_door(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Ends when the link is dropped.
async fn serve(
    mut listener: TcpListener,
    address: SocketAddr,
    redis: PathBuf,
    state: watch::Receiver<State>,
) {
    loop {
        tokio::select! {
            there = reaches(&state, |state| state.weather == Weather::Cut) => if !there { return },
            () = accept(&listener, &redis, &state) => {}
        }
        drop(listener);
        listener = loop {
            // Fails while the listener of a moment ago is on its way out.
            if let Ok(socket) = closed_door(address) {
                if !reaches(&state, |state| state.weather != Weather::Cut).await {
                    return;
                }
                if let Ok(listener) = socket.listen(BACKLOG) {
                    break listener;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
    }
}

async fn accept(listener: &TcpListener, redis: &Path, state: &watch::Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(pass(client, redis.to_owned(), state.clone()));
    }
}

async fn pass(mut client: TcpStream, redis: PathBuf, state: watch::Receiver<State>) {
    let State { drops, forgets, .. } = *state.borrow();
    let both_ways = async {
        if !reaches(&state, |state| state.weather.passes()).await {
            return;
        }
        let Ok(mut server) = UnixStream::connect(redis).await else {
            return;
        };
        client.set_nodelay(true).ok();
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let forgotten = tokio::select! {
            () = pump(from_client, to_server, &state) => false,
            () = pump(from_server, to_client, &state) => false,
            there = reaches(&state, |state| state.forgets != forgets) => there,
        };
        if forgotten {
            // Until the client gives up; the server keeps its side, and what it sends is not read.
            tokio::io::copy(&mut client, &mut tokio::io::sink()).await.ok();
        }
    };
    tokio::select! {
        biased;
        _ = reaches(&state, |state| state.drops != drops) => {}
        () = both_ways => {}
    }
}

/// Passes on what comes, until one side is gone. What was read when the weather turned waits here.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    state: &watch::Receiver<State>,
) {
    let mut block = vec![0; 32 * 1024];
    loop {
        let Ok(length) = from.read(&mut block).await else {
            return;
        };
        let read = &block[..length];
        if read.is_empty()
            || !reaches(state, |state| state.weather.passes()).await
            || to.write_all(read).await.is_err()
        {
            return;
        }
        if state.borrow().weather == Weather::Slow {
            tokio::time::sleep(SLOW_BLOCK).await;
        }
    }
}

/// Waits for such a state; false when the link is gone.
async fn reaches(state: &watch::Receiver<State>, such: impl Fn(State) -> bool + Send + Sync) -> bool {
    state.clone().wait_for(|state| such(*state)).await.is_ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// A server that answers every byte with the same byte.
    fn echo(folder: &Path) -> PathBuf {
        let path = folder.join("echo.sock");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok();
                });
            }
        });
        path
    }

    async fn ask(stream: &mut TcpStream, question: u8) -> io::Result<u8> {
        stream.write_u8(question).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn a_link_that_is_cut_drops_and_refuses_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let link = Link::open(&echo(folder.path()), &Handle::current()).unwrap();
        let mut stream = TcpStream::connect(link.address).await.unwrap();
        assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);

        link.set(Weather::Cut);
        assert!(stream.read_u8().await.is_err());
        let refused = loop {
            match TcpStream::connect(link.address).await {
                // The listener had not gone yet.
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        link.set(Weather::Open);
        let mut stream = loop {
            match TcpStream::connect(link.address).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(ask(&mut stream, 2).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_connection_does_not_live_through_the_shortest_cut() {
        let folder = tempfile::tempdir().unwrap();
        let link = Link::open(&echo(folder.path()), &Handle::current()).unwrap();
        let mut stream = TcpStream::connect(link.address).await.unwrap();
        assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
        link.set(Weather::Still);
        stream.write_u8(2).await.unwrap();
        link.set(Weather::Cut);
        link.set(Weather::Open);
        assert!(stream.read_u8().await.is_err());
    }

    #[tokio::test]
    async fn a_slow_link_lets_everything_through() {
        let folder = tempfile::tempdir().unwrap();
        let link = Link::open(&echo(folder.path()), &Handle::current()).unwrap();
        link.set(Weather::Slow);
        let mut stream = TcpStream::connect(link.address).await.unwrap();
        let begin = std::time::Instant::now();
        for question in 1..=20 {
            assert_eq!(ask(&mut stream, question).await.unwrap(), question);
        }
        assert!(begin.elapsed() >= SLOW_BLOCK * 19, "it was not slow");
    }

    #[tokio::test]
    async fn what_was_sent_into_the_stillness_arrives_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let link = Link::open(&echo(folder.path()), &Handle::current()).unwrap();
        let mut stream = TcpStream::connect(link.address).await.unwrap();
        assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);

        link.set(Weather::Still);
        stream.write_u8(2).await.unwrap();
        let mut other = TcpStream::connect(link.address).await.unwrap();
        other.write_u8(3).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_millis(200), stream.read_u8()).await;
        assert!(answer.is_err(), "nothing passes");

        link.set(Weather::Open);
        assert_eq!(stream.read_u8().await.unwrap(), 2);
        assert_eq!(other.read_u8().await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_connection_that_was_forgotten_stays_up_and_carries_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let link = Link::open(&echo(folder.path()), &Handle::current()).unwrap();
        let mut stream = TcpStream::connect(link.address).await.unwrap();
        assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
        link.forget();
        let answer = tokio::time::timeout(Duration::from_millis(300), ask(&mut stream, 2)).await;
        assert!(answer.is_err(), "neither an answer nor an end: {answer:?}");
        let mut other = TcpStream::connect(link.address).await.unwrap();
        assert_eq!(ask(&mut other, 3).await.unwrap(), 3);
    }
}
