//! A server of the DNS on a port of its own, whose answers the test writes.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The largest answer over UDP.
const DATAGRAM_MAX: usize = 512;

/// Answers over UDP and TCP until it is dropped.
pub struct Server {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Starts a server that sends what `reply` returns for a question.
    pub fn start(reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Server {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("an address")) {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().expect("an address");
        let (stopped, reply) = (Arc::new(AtomicBool::new(false)), Arc::new(reply));
        udp.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
        let (stop, by_udp) = (stopped.clone(), reply.clone());
        thread::spawn(move || {
            let mut buffer = [0; 512];
            while !stop.load(Ordering::Relaxed) {
                let Ok((length, client)) = udp.recv_from(&mut buffer) else { continue };
                for mut reply in by_udp(&buffer[..length]) {
                    if reply.len() > DATAGRAM_MAX {
                        reply.truncate(length);
                        reply[2] |= 0x02; // TC
                        reply[6..12].fill(0);
                    }
                    let _ = udp.send_to(&reply, client);
                }
            }
        });
        thread::spawn(move || {
            for mut stream in tcp.incoming().flatten() {
                let mut query = [0; 514];
                let length = stream.read(&mut query).expect("a question");
                let answer = reply(&query[2..length]).remove(0);
                let length = u16::try_from(answer.len()).expect("a message").to_be_bytes();
                let _ = stream.write_all(&[&length[..], &answer].concat());
            }
        });
        Server { address, stopped }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// A record of the name that was asked for, or of another one.
#[derive(Clone)]
pub struct Record {
    owner: Option<String>,
    kind: u8,
    ttl: u32,
    data: Vec<u8>,
}

impl Record {
    pub fn a(address: &str, ttl: u32) -> Record {
        let IpAddr::V4(address) = address.parse().expect("an address") else { unreachable!() };
        Record { owner: None, kind: 1, ttl, data: address.octets().to_vec() }
    }

    pub fn aaaa(address: &str, ttl: u32) -> Record {
        let IpAddr::V6(address) = address.parse().expect("an address") else { unreachable!() };
        Record { owner: None, kind: 28, ttl, data: address.octets().to_vec() }
    }

    pub fn cname(target: &str, ttl: u32) -> Record {
        Record { owner: None, kind: 5, ttl, data: labels(target) }
    }

    pub fn of(self, owner: &str) -> Record {
        Record { owner: Some(owner.to_owned()), ..self }
    }
}

fn labels(name: &str) -> Vec<u8> {
    let label = |it: &str| [&[u8::try_from(it.len()).expect("a label")], it.as_bytes()].concat();
    name.split('.').flat_map(label).chain([0]).collect()
}

/// Whether the question is for IPv6 addresses.
pub fn is_v6(query: &[u8]) -> bool {
    query[query.len() - 3] == 28
}

/// The answer with these records.
pub fn answer(query: &[u8], records: &[Record]) -> Vec<u8> {
    let mut reply = query.to_vec();
    reply[2] |= 0x80; // QR
    reply[6..8].copy_from_slice(&u16::try_from(records.len()).expect("records").to_be_bytes());
    for record in records {
        // The name in the question.
        reply.extend(record.owner.as_deref().map_or(vec![0xc0, 12], labels));
        reply.extend([0, record.kind, 0, 1]);
        reply.extend(record.ttl.to_be_bytes());
        reply.extend(u16::try_from(record.data.len()).expect("data").to_be_bytes());
        reply.extend(&record.data);
    }
    reply
}

/// An answer with this code.
pub fn with_code(query: &[u8], code: u8) -> Vec<u8> {
    let mut reply = answer(query, &[]);
    reply[3] |= code;
    reply
}

/// An answer to the same question about another name.
pub fn renamed(query: &[u8], name: &str) -> Vec<u8> {
    let end = &query[query.len() - 4..];
    answer(&[&query[..12], &labels(name), end].concat(), &[Record::a("203.0.113.66", 60)])
}
