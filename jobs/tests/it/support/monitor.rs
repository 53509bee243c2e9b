//! Every command that a Redis was asked to do, with its time: to count calls instead of measuring how long they take.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use super::RedisServer;

/// A command that some client sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// By the clock of Redis, in ms since 1970.
    pub(crate) at: f64,
    /// The name in capitals, and the arguments.
    pub(crate) words: Vec<String>,
}

/// Listens from its beginning on.
pub(crate) struct Monitor {
    calls: Arc<Mutex<Vec<Call>>>,
    stream: UnixStream,
}

impl Monitor {
    pub(crate) fn begin(redis: &RedisServer) -> Self {
        let mut stream = UnixStream::connect(redis.socket()).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "+OK");
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let heard = Arc::clone(&calls);
        // Ends when the stream is closed.
        std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                // What scripts do within is theirs.
                if !line.contains("[0 lua]") {
                    heard.lock().unwrap().extend(read(&line));
                }
            }
        });
        Self { calls, stream }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Both).ok();
    }
}

/// Reads `+1339518083.107412 [0 unix:/a/socket] "BLPOP" "a key" "0.5"`.
fn read(line: &str) -> Option<Call> {
    let (at, rest) = line.strip_prefix('+')?.split_once(' ')?;
    let mut words = words(rest);
    words.first_mut()?.make_ascii_uppercase();
    Some(Call {
        at: at.parse::<f64>().ok()? * 1_000.0,
        words,
    })
}

/// What stands in quotes. What follows a backslash belongs to the word, whatever it is.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, &mut word) {
            ('"', None) => word = Some(String::new()),
            ('"', Some(_)) => words.extend(word.take()),
            ('\\', Some(word)) => word.extend(letters.next()),
            (letter, Some(word)) => word.push(letter),
            (_, None) => {}
        }
    }
    words
}
