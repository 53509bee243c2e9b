//! The few words that the all-in-one mode says to its private Redis: is it there, and please end. Redis takes them as
//! plain lines, so that no client is needed before the queue's own.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

const TIMEOUT: Duration = Duration::from_secs(2);

/// What is at the other end of the socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody listens.
    Nobody,
    /// A Redis that answers.
    Ready,
    /// Something that listens and does not answer well: a Redis that loads its data, or hangs.
    Busy(String),
}

/// Asks whether a Redis is there.
pub(super) async fn ping(socket: &Path) -> Found {
    match say(socket, "PING").await {
        Err(_) => Found::Nobody,
        Ok(answer) if answer == "+PONG" => Found::Ready,
        Ok(answer) => Found::Busy(answer),
    }
}

/// Asks it to write what it has to the disk and end.
pub(super) async fn shut_down(socket: &Path) {
    // It answers by closing the connection; whether it ended is seen by whether it still listens.
    say(socket, "SHUTDOWN").await.ok();
}

/// Says one line and returns the first line of the answer; an error when nobody listens.
async fn say(socket: &Path, line: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    let talk = async {
        stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(&mut stream).read_line(&mut answer).await?;
        Ok::<_, std::io::Error>(answer.trim_end().to_owned())
    };
    match tokio::time::timeout(TIMEOUT, talk).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Ok(error.to_string()),
        Err(_elapsed) => Ok("no answer".to_owned()),
    }
}
