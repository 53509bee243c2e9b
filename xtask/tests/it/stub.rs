//! An API behind nginx that does what a test tells it to, down to the bytes and the moments of its answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it reached the API.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Writes the answer to one request; the connection stays open when it returns `true`.
type Answer = dyn Fn(&Request, &mut TcpStream) -> bool + Send + Sync;

pub(crate) struct Stub {
    pub(crate) address: String,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    pub(crate) fn start(answer: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1", 0, answer)
    }

    /// One that answers as soon as it knows what is asked, before it has read a body.
    pub(crate) fn eager(answer: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1", 0, false, answer)
    }

    /// The same at an address of its own.
    pub(crate) fn start_on(
        host: &str,
        port: u16,
        answer: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::listen(host, port, true, answer)
    }

    fn listen(
        host: &str,
        port: u16,
        reads_bodies: bool,
        answer: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((host, port)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Answer> = Arc::new(answer);
        let stub = Self {
            address,
            requests: Arc::clone(&requests),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (requests, answer) = (Arc::clone(&requests), Arc::clone(&answer));
                thread::spawn(move || serve(stream, reads_bodies, &requests, &*answer));
            }
        });
        stub
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket().port()
    }

    pub(crate) fn ip(&self) -> Ipv4Addr {
        *self.socket().ip()
    }

    fn socket(&self) -> SocketAddrV4 {
        self.address.parse().unwrap()
    }

    /// How many requests have reached it.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn serve(mut stream: TcpStream, reads_bodies: bool, requests: &Mutex<Vec<Request>>, answer: &Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some((request, length)) = read_head(&mut reader) {
        if reads_bodies {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
        }
        requests.lock().unwrap().push(request.clone());
        if !answer(&request, &mut stream) {
            break;
        }
    }
}

fn read_head(reader: &mut BufReader<TcpStream>) -> Option<(Request, usize)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let headers: Vec<(String, String)> = lines
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let request = Request {
        line: lines.first()?.clone(),
        headers,
    };
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    Some((request, length))
}

/// A whole JSON answer with more header lines, each ending in `\r\n`.
pub(crate) fn json(stream: &mut TcpStream, status: &str, headers: &str, body: &str) -> bool {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()))
        .is_ok()
}
