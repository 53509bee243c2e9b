//! The network between a test and a server: a proxy whose connections can die in silence, as behind a firewall that
//! forgot them, while new ones are let through.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    /// Where new connections lead.
    target: Arc<Mutex<SocketAddr>>,
    /// Connections that are older than this are dead.
    generation: watch::Sender<u64>,
    _serving: AbortOnDropHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Arc::new(Mutex::new(SocketAddr::from(([127, 0, 0, 1], port))));
        let (generation, now) = watch::channel(0);
        let leads_to = Arc::clone(&target);
        let serving = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let target = *leads_to.lock().unwrap();
                tokio::spawn(pass(client, target, now.clone()));
            }
        });
        Self {
            address,
            target,
            generation,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// From now on nothing that is sent on the connections there are arrives, in neither direction, for ever. Nobody is
    /// told.
    pub(crate) fn forget_connections(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// New connections lead to another server, as after a failover that DNS tells of. Those there are stay.
    pub(crate) fn lead_to(&self, port: u16) {
        self.target.lock().unwrap().set_port(port);
    }
}

async fn pass(mut client: TcpStream, target: SocketAddr, generation: watch::Receiver<u64>) {
    let born = *generation.borrow();
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    let mut forgotten = generation.clone();
    let lives = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => true,
        there = forgotten.wait_for(|now| *now > born) => there.is_err(),
    };
    if lives {
        return;
    }
    // Everything is taken and leads nowhere; the connection itself stays up.
    let mut block = [0; 4_096];
    while client.read(&mut block).await.is_ok_and(|length| length > 0) {}
    // The server does not hear that the client has gone, either.
    tokio::time::sleep(Duration::from_mins(5)).await;
    server.shutdown().await.ok();
}
