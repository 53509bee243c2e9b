//! One small HTTP question: enough to ask a server whether it is ready, without a crate for it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::project;

/// The status that `GET path` answers with on a loopback port, if it answers within two seconds.
pub fn status(port: u16, path: &str) -> Option<u16> {
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&project::loopback(port), limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    stream.set_write_timeout(Some(limit)).ok()?;
    // In one piece: a server that reads once would see the first few letters of it.
    let question = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    std::str::from_utf8(start.get(9..)?).ok()?.parse().ok()
}

/// Whether somebody accepts connections on a loopback port.
pub fn accepts(port: u16) -> bool {
    TcpStream::connect_timeout(&project::loopback(port), Duration::from_secs(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn reads_the_status() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream
                .write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
        });
        assert_eq!(status(port, "/readyz"), Some(503));
    }
}
