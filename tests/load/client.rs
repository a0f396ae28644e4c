//! Clients that connect without pause.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::kind::Kind;
use super::ports::Ports;
use super::run::Load;

/// How long the first packet may take to be answered. TCP sends it again after a second, which
/// would hide its loss.
const PATIENCE: Duration = Duration::from_millis(900);

/// How long an answer may take where nothing can hide its loss.
const LONG_PATIENCE: Duration = Duration::from_secs(2);

/// Between two connections of an allowed client, so that there is time left for the reloads.
const BREATH: Duration = Duration::from_millis(1);

/// How often a refused client calls: it waits for no answer before the next call.
const PACE: Duration = Duration::from_millis(5);

/// Connects, from a new source port each time, as long as the load lasts.
pub fn connect_without_pause(kind: Kind, ports: &mut Ports, load: &Load) {
    if kind.is_allowed { be_answered(kind, ports, load) } else { be_refused(kind, ports, load) }
}

/// One connection after the other, each of which has to be answered.
fn be_answered(kind: Kind, ports: &mut Ports, load: &Load) {
    while !load.is_over() {
        load.tally.attempt(kind, echo(kind, ports).err().map(|error| error.to_string()));
        sleep(BREATH);
    }
}

/// Connects, and has a few bytes sent back.
pub fn echo(kind: Kind, ports: &mut Ports) -> io::Result<()> {
    let mut socket = bound(kind, ports);
    socket.connect_timeout(&kind.target().into(), PATIENCE)?;
    socket.set_read_timeout(Some(LONG_PATIENCE))?;
    socket.write_all(b"ping")?;
    socket.read_exact(&mut [0; 4])
}

/// Connections that overlap, none of which may be answered by anything.
fn be_refused(kind: Kind, ports: &mut Ports, load: &Load) {
    let judge = |socket: &Socket| load.tally.attempt(kind, answer(kind, socket));
    let mut calls: VecDeque<(Instant, Socket)> = VecDeque::new();
    while !load.is_over() {
        calls.push_back((Instant::now(), call(kind, ports)));
        let due = calls.iter().take_while(|(start, _)| start.elapsed() > PATIENCE).count();
        calls.drain(..due).for_each(|(_, socket)| judge(&socket));
        sleep(PACE);
    }
    sleep(PATIENCE);
    calls.drain(..).for_each(|(_, socket)| judge(&socket));
}

/// Sends the first packet.
fn call(kind: Kind, ports: &mut Ports) -> Socket {
    let socket = bound(kind, ports);
    socket.set_nonblocking(true).expect("a socket that does not block");
    match socket.connect(&kind.target().into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => panic!("call: {error}"),
        _ if kind.is_tcp => {}
        _ => assert_eq!(socket.send(b"ping").expect("to send a datagram"), 4),
    }
    socket
}

/// What came back: a connection, a datagram, a reset or an ICMP error.
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

/// A socket that leaves nothing behind when it is closed.
fn bound(kind: Kind, ports: &mut Ports) -> Socket {
    let socket = kind.socket();
    if kind.is_tcp {
        // A reset instead of the state TIME-WAIT.
        socket.set_linger(Some(Duration::ZERO)).expect("to set the time to linger");
    }
    ports.bind(kind, &socket);
    socket
}
