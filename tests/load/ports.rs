//! Source ports.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::ops::Range;
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::kind::Kind;

/// Time after which conntrack has dropped a flow on a [`Site`](super::site::Site), with a margin.
/// The packets of a known flow are not filtered, which would hide a gap.
const FLOW_LIFETIME: Duration = Duration::from_secs(3);

/// Source ports in turn. None is used again before conntrack has dropped its flow.
pub struct Ports {
    /// The next port first, each with the time of its last use.
    ports: VecDeque<(u16, Option<Instant>)>,
}

impl Ports {
    /// As many ports as possible.
    pub const ALL: Range<u16> = 1_024..65_535;
    /// As many ports as docker-proxy can handle. It keeps each UDP flow for 90 s, and a host port
    /// towards the container for each TCP connection of the last minute.
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
            sleep(FLOW_LIFETIME.saturating_sub(used.elapsed()));
        }
        self.ports.push_back((port, Some(Instant::now())));
        port
    }
}
