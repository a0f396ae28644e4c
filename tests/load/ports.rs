//! Source ports.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::ops::Range;
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::kind::Kind;

/// How long conntrack remembers a flow on a [`Site`](super::site::Site), with room to spare. A
/// flow that it remembers goes on without being judged, which would hide a gap.
const FORGOTTEN: Duration = Duration::from_secs(3);

/// Source ports in turn, none of them twice before conntrack has forgotten it.
pub struct Ports {
    /// The next in front, and when each was used last.
    ports: VecDeque<(u16, Option<Instant>)>,
}

impl Ports {
    /// As many connections as there can be.
    pub const ALL: Range<u16> = 1_024..65_535;
    /// As many as docker-proxy bears, which keeps each UDP flow for 90 s, and a port of the host to
    /// the container for each TCP connection of the last minute.
    pub const PROXIED: Range<u16> = 1_024..1_536;

    pub fn new(range: Range<u16>) -> Ports {
        Ports { ports: range.map(|port| (port, None)).collect() }
    }

    /// Binds the socket to the kind's source and the next port that is free.
    pub fn bind(&mut self, kind: Kind, socket: &Socket) {
        loop {
            match socket.bind(&kind.source(self.next()).into()) {
                Ok(()) => return,
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => panic!("to bind to the source: {error}"),
            }
        }
    }

    fn next(&mut self) -> u16 {
        let (port, used) = self.ports.pop_front().expect("a port");
        if let Some(used) = used {
            sleep(FORGOTTEN.saturating_sub(used.elapsed()));
        }
        self.ports.push_back((port, Some(Instant::now())));
        port
    }
}
