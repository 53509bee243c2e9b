//! A TCP proxy in front of a server, to take the server away from one test and give it back.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Connections are refused, those there were are cut.
    Gone,
    /// Connections are taken, and nothing ever comes back: a network that swallows packets.
    Silent,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
}

impl Proxy {
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, changes) = watch::channel(Mode::Open);
        tokio::spawn(serve(Some(listener), address, server, changes));
        Self { address, mode }
    }

    /// The URL with this proxy in the place of the server.
    pub(crate) fn url(&self, url: &str, server: &str) -> String {
        url.replace(server, &self.address.to_string())
    }

    pub(crate) fn cut(&self) {
        self.mode.send_replace(Mode::Gone);
    }

    pub(crate) fn silence(&self) {
        self.mode.send_replace(Mode::Silent);
    }

    pub(crate) fn restore(&self) {
        self.mode.send_replace(Mode::Open);
    }
}

async fn serve(
    mut listener: Option<TcpListener>,
    address: SocketAddr,
    server: String,
    mut changes: watch::Receiver<Mode>,
) {
    loop {
        let mode = *changes.borrow_and_update();
        if mode == Mode::Gone {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        let accept = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            accepted = accept => if let Ok((client, _)) = accepted {
                tokio::spawn(pass(client, server.clone(), changes.clone()));
            },
        }
    }
}

async fn pass(mut client: TcpStream, server: String, mut changes: watch::Receiver<Mode>) {
    let mut server = TcpStream::connect(server).await.unwrap();
    loop {
        let mode = *changes.borrow_and_update();
        let copy = async {
            match mode {
                Mode::Open => copy_bidirectional(&mut client, &mut server).await.is_err(),
                Mode::Gone => true,
                Mode::Silent => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            _ = copy => return,
        }
    }
}
