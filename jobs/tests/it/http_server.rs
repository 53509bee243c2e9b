//! An HTTP server that answers what a test says and notes what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// "GET /path".
    pub(crate) what: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    /// The value of a header that came once; nothing when it did not come.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self
            .headers
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let value = values.next().map_or("", |(_, value)| value);
        assert!(values.next().is_none(), "{name} came twice");
        value
    }
}

/// What the server does once it has read a request.
pub(crate) enum Reply {
    /// Sends this and closes the connection.
    Bytes(Vec<u8>),
    /// Sends this and then nothing, until the client goes away.
    Hang(Vec<u8>),
    /// Sends this and then one piece after the other, until the client goes away.
    Endless(Vec<u8>),
}

#[derive(Default)]
struct Notes {
    asked: Vec<Asked>,
    sent: usize,
    gone: usize,
}

pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
    notes: Arc<Mutex<Notes>>,
    _serving: AbortOnDropHandle<()>,
}

impl HttpServer {
    /// Starts one on a free port. `reply` is told the request and how many came before it.
    pub(crate) async fn start(reply: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notes = Arc::new(Mutex::new(Notes::default()));
        let (noted, reply) = (Arc::clone(&notes), Arc::new(reply));
        let serving = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (noted, reply) = (Arc::clone(&noted), Arc::clone(&reply));
                tokio::spawn(async move { serve(client, &noted, &*reply).await });
            }
        });
        Self {
            address,
            notes,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.notes.lock().unwrap().asked.clone()
    }

    /// Bytes that clients of endless answers took.
    pub(crate) fn sent(&self) -> usize {
        self.notes.lock().unwrap().sent
    }

    /// Clients that went away before their answer was complete.
    pub(crate) fn gone(&self) -> usize {
        self.notes.lock().unwrap().gone
    }
}

async fn serve(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    notes: &Mutex<Notes>,
    reply: &(dyn Fn(&Asked, usize) -> Reply + Send + Sync),
) {
    let Some(asked) = read(&mut client).await else {
        return;
    };
    let before = {
        let mut notes = notes.lock().unwrap();
        notes.asked.push(asked.clone());
        notes.asked.len() - 1
    };
    match reply(&asked, before) {
        Reply::Bytes(bytes) => {
            client.write_all(&bytes).await.ok();
            client.shutdown().await.ok();
        }
        Reply::Hang(bytes) => {
            client.write_all(&bytes).await.ok();
            client.read_to_end(&mut Vec::new()).await.ok();
            notes.lock().unwrap().gone += 1;
        }
        Reply::Endless(bytes) => {
            client.write_all(&bytes).await.ok();
            let piece = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
            while client.write_all(&piece).await.is_ok() {
                notes.lock().unwrap().sent += 0x1000;
            }
            notes.lock().unwrap().gone += 1;
        }
    }
}

/// Reads one request to its end.
async fn read(client: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let what = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let mut asked = Asked {
        what,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: String::new(),
    };
    let length: usize = asked.header("content-length").parse().unwrap_or(0);
    while bytes.len() < end + length {
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    asked.body = String::from_utf8(bytes[end..].to_vec()).unwrap();
    Some(asked)
}

/// A whole answer: a status line's end, headers, a body with its length.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    Reply::Bytes(answer_bytes(status, headers, body.as_ref()))
}

pub(crate) fn answer_bytes(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{}connection: close\r\n\r\n",
        body.len(),
        headers.collect::<String>()
    );
    [head.as_bytes(), body].concat()
}
