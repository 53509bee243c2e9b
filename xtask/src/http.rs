//! Small HTTP questions: enough to ask a server whether it is ready, or for a short answer, without a crate for it.

use std::io::{self, Read as _, Write as _};
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

/// What is asked of a server.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Such as `GET`.
    pub method: &'a str,
    /// With its query.
    pub path: &'a str,
    /// More headers, each a line that ends in `\r\n`.
    pub headers: &'a str,
    /// JSON.
    pub body: Option<&'a str>,
}

impl<'a> Question<'a> {
    /// A plain `GET`.
    pub fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            headers: "",
            body: None,
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, when it came in one piece; else what it was cut into as well.
    pub body: String,
}

/// Asks on a loopback port; each step may take as long as `limit`.
pub fn ask(port: u16, question: &Question<'_>, limit: Duration) -> io::Result<Answer> {
    let Question {
        method,
        path,
        headers,
        body,
    } = question;
    let mut stream = TcpStream::connect_timeout(&project::loopback(port), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let body = body.map_or_else(String::new, |body| {
        let length = body.len();
        format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
    });
    let end = if body.is_empty() { "\r\n" } else { "" };
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n{headers}{body}{end}"
    );
    stream.write_all(text.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    match (status, answer.split_once("\r\n\r\n")) {
        (Some(status), Some((_, body))) => Ok(Answer {
            status,
            body: body.to_owned(),
        }),
        _ => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("no whole answer: {answer:?}"),
        )),
    }
}

/// The first text that a JSON document has under a name, as it is written there.
pub fn text_in<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    texts_in(json, name).next()
}

/// All of them. Only for our own documents, whose names and texts have no quotation marks in them.
pub fn texts_in<'a>(json: &'a str, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let before = format!("\"{name}\":\"");
    let mut rest = json;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&before)?;
        let (text, after) = after.split_once('"')?;
        rest = after;
        Some(text)
    })
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

    #[test]
    fn a_body_goes_out_and_comes_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 202 Accepted\r\n\r\n{}").unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let question = Question {
            method: "POST",
            path: "/a?b=1",
            headers: "x: y\r\n",
            body: Some("[7]"),
        };
        let answer = ask(port, &question, Duration::from_secs(5)).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (202, "{}"));
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /a?b=1 HTTP/1.1\r\n"), "{request}");
        assert!(
            request.contains("\r\nx: y\r\n") && request.ends_with("content-length: 3\r\n\r\n[7]"),
            "{request}"
        );
    }

    #[test]
    fn texts_are_found_by_their_names() {
        let json = "{\"jobs\":[{\"id\":\"a\",\"state\":\"dead\"},{\"id\":\"b\"}],\"ids\":\"c\"}";
        assert_eq!(texts_in(json, "id").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            (text_in(json, "state"), text_in(json, "none")),
            (Some("dead"), None)
        );
    }
}
