//! The end of a server under load: whoever was let in is answered, and nobody is let in who would not be.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::server::TestServer;
use crate::support::{TestDatabase, eventually};

const HEAD: &str = "POST /api/v1/functions/echo/jobs HTTP/1.1\r\nHost: localhost\r\nconnection: close\r\n\
                    content-type: application/json\r\ncontent-length: 11\r\n\r\n";
const BODY: &str = "{\"input\":1}";

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_refused_at_once_and_those_that_were_let_in_are_answered() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    server.wait_until_ready().await;
    let address = server.address;
    // One request is half way in, one client is connected and has said nothing yet.
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(HEAD.as_bytes()).await.unwrap();
    let mut quiet = TcpStream::connect(address).await.unwrap();

    let stopping = tokio::spawn(server.stop());
    eventually("new connections are refused", || async {
        match TcpStream::connect(address).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Some(()),
            Ok(_) | Err(_) => None,
        }
    })
    .await;
    assert!(!stopping.is_finished(), "it waits for those that were let in");
    quiet.write_all(format!("{HEAD}{BODY}").as_bytes()).await.unwrap();
    let text = answer(&mut quiet).await;
    assert!(text.starts_with("HTTP/1.1 202 "), "{text}");
    slow.write_all(BODY.as_bytes()).await.unwrap();
    let text = answer(&mut slow).await;
    assert!(text.starts_with("HTTP/1.1 202 "), "{text}");
    tokio::time::timeout(Duration::from_mins(2), stopping)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
