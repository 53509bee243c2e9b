//! A name server that knows one name, for nginx to ask: which addresses it stands for changes as a test likes.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

/// The bit that makes a message an answer, and the code for a name that does not exist.
const ANSWER: u8 = 0x80;
const NO_SUCH_NAME: u8 = 3;
/// Header of a DNS message.
const HEADER: usize = 12;

pub(crate) struct NameServer {
    pub(crate) address: String,
    addresses: Arc<Mutex<Vec<Ipv4Addr>>>,
}

impl NameServer {
    pub(crate) fn start(addresses: Vec<Ipv4Addr>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: socket.local_addr().unwrap().to_string(),
            addresses: Arc::new(Mutex::new(addresses)),
        };
        let addresses = Arc::clone(&server.addresses);
        thread::spawn(move || {
            let mut message = [0; 512];
            while let Ok((length, asker)) = socket.recv_from(&mut message) {
                let answer = answer(&message[..length], &addresses.lock().unwrap());
                socket.send_to(&answer, asker).unwrap();
            }
        });
        server
    }

    /// From now on the name stands for these; for none, it does not exist.
    pub(crate) fn set(&self, addresses: Vec<Ipv4Addr>) {
        *self.addresses.lock().unwrap() = addresses;
    }
}

/// One question and an A record for each address (RFC 1035), valid for no time at all.
fn answer(question: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let mut message = question[..HEADER].to_vec();
    message[2] |= ANSWER;
    message[3] = if addresses.is_empty() { NO_SUCH_NAME } else { 0 };
    message[7] = u8::try_from(addresses.len()).unwrap();
    // Neither authorities nor extras.
    message[8..HEADER].fill(0);
    let name = question[HEADER..].iter().position(|byte| *byte == 0).unwrap() + 1;
    message.extend_from_slice(&question[HEADER..HEADER + name + 4]);
    for address in addresses {
        // The name is the one in the question; type A, class IN, no time to live, four bytes.
        message.extend_from_slice(&[0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        message.extend_from_slice(&address.octets());
    }
    message
}
