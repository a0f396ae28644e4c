//! Clients that connect continuously.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::kind::Kind;
use super::ports::Ports;
use super::run::Load;

/// Maximum time until the first packet is answered. TCP sends it again after a second, which would
/// hide a loss.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(900);

/// Maximum time until an answer where nothing can hide a loss.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause between two connections of an allowed client, which leaves time for the reloads.
const PAUSE: Duration = Duration::from_millis(1);

/// Interval between the attempts of a refused client, which does not wait for an answer.
const INTERVAL: Duration = Duration::from_millis(5);

/// Connects, from a new source port each time, as long as the load lasts.
pub fn connect_continuously(kind: Kind, ports: &mut Ports, load: &Load) {
    if kind.is_allowed {
        expect_answers(kind, ports, load)
    } else {
        expect_silence(kind, ports, load)
    }
}

/// Connects repeatedly; every connection must be answered.
fn expect_answers(kind: Kind, ports: &mut Ports, load: &Load) {
    while !load.is_over() {
        load.tally.attempt(kind, echo(kind, ports).err().map(|error| error.to_string()));
        sleep(PAUSE);
    }
}

/// Connects and receives an echo of a few bytes.
pub fn echo(kind: Kind, ports: &mut Ports) -> io::Result<()> {
    let mut socket = bound(kind, ports);
    socket.connect_timeout(&kind.target().into(), CONNECT_TIMEOUT)?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    socket.write_all(b"ping")?;
    socket.read_exact(&mut [0; 4])
}

/// Opens overlapping connections, none of which may get any answer.
fn expect_silence(kind: Kind, ports: &mut Ports, load: &Load) {
    let record = |socket: &Socket| load.tally.attempt(kind, answer(kind, socket));
    let mut attempts: VecDeque<(Instant, Socket)> = VecDeque::new();
    while !load.is_over() {
        attempts.push_back((Instant::now(), start(kind, ports)));
        let due =
            attempts.iter().take_while(|(since, _)| since.elapsed() > CONNECT_TIMEOUT).count();
        attempts.drain(..due).for_each(|(_, socket)| record(&socket));
        sleep(INTERVAL);
    }
    sleep(CONNECT_TIMEOUT);
    attempts.drain(..).for_each(|(_, socket)| record(&socket));
}

/// Starts a connection by sending its first packet.
fn start(kind: Kind, ports: &mut Ports) -> Socket {
    let socket = bound(kind, ports);
    socket.set_nonblocking(true).expect("a socket that does not block");
    match socket.connect(&kind.target().into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
            panic!("to connect: {error}")
        }
        _ if kind.is_tcp => {}
        _ => assert_eq!(socket.send(b"ping").expect("to send a datagram"), 4),
    }
    socket
}

/// What came back, if anything: a connection, a datagram, a reset or an ICMP error.
fn answer(kind: Kind, socket: &Socket) -> Option<String> {
    if let Some(error) = socket.take_error().expect("the socket's state") {
        return Some(error.to_string());
    }
    if kind.is_tcp {
        return socket.peer_addr().ok().map(|_| "a connection".to_owned());
    }
    match socket.recv(&mut [MaybeUninit::uninit(); 4]) {
        Ok(_) => Some("a datagram".to_owned()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => Some(error.to_string()),
    }
}

/// A socket that leaves no state behind when it is closed.
fn bound(kind: Kind, ports: &mut Ports) -> Socket {
    let socket = kind.socket();
    if kind.is_tcp {
        // A reset instead of the state TIME-WAIT.
        socket.set_linger(Some(Duration::ZERO)).expect("to set the time to linger");
    }
    ports.bind(kind, &socket);
    socket
}
