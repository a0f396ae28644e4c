//! Connections from a client, and whether the container answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::Namespace;

/// How long to wait until a missing answer counts as silence.
const SILENCE: Duration = Duration::from_millis(1500);

/// Maximum time until an answer over an established connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server echoed the data.
    Answered,
    /// The connection was refused or closed, or a rule told the client that it is not permitted.
    Refused,
    /// Nothing came back.
    TimedOut,
}

/// Connects over TCP from the address `source` of the namespace and sends a few bytes.
pub fn tcp(client: &Namespace, source: &str, target: &str, port: u16) -> Answer {
    match Connection::open(client, source, target, port) {
        Ok(mut connection) => connection.echo(),
        Err(answer) => answer,
    }
}

/// Sends a datagram from a fresh port of the address `source` of the namespace.
pub fn udp(client: &Namespace, source: &str, target: &str, port: u16) -> Answer {
    Datagrams::open(client, source, target, port).echo()
}

/// A UDP client that keeps its source port.
pub struct Datagrams(UdpSocket);

impl Datagrams {
    /// A client at a fresh port of the address `source` of the namespace.
    pub fn open(client: &Namespace, source: &str, target: &str, port: u16) -> Datagrams {
        let socket = client.inside(|| UdpSocket::bind((address(source), 0))).expect("a UDP socket");
        socket.set_read_timeout(Some(SILENCE)).expect("a time-out");
        socket.connect((address(target), port)).expect("to connect a UDP socket");
        Datagrams(socket)
    }

    /// Sends a datagram and waits for the echo.
    pub fn echo(&self) -> Answer {
        let mut answer = [0; 4];
        let sent = self.0.send(b"ping");
        sent.and_then(|_| restarted(|| self.0.recv(&mut answer))).map_or_else(failure, success)
    }
}

/// A TCP connection that stays open.
pub struct Connection(TcpStream);

impl Connection {
    /// Connects from the address `source` of the namespace.
    pub fn open(
        client: &Namespace,
        source: &str,
        target: &str,
        port: u16,
    ) -> Result<Connection, Answer> {
        let target = SocketAddr::new(address(target), port);
        let socket = client
            .inside(|| Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP)))
            .expect("a TCP socket");
        socket.bind(&SocketAddr::new(address(source), 0).into()).expect("to bind to the source");
        socket.connect_timeout(&target.into(), SILENCE).map_err(failure)?;
        socket.set_read_timeout(Some(ANSWER_TIMEOUT)).expect("a time-out");
        Ok(Connection(socket.into()))
    }

    /// Shortens the wait for an answer, where none is expected.
    pub fn expecting_silence(self) -> Connection {
        self.0.set_read_timeout(Some(SILENCE)).expect("a time-out");
        self
    }

    /// Sends a few bytes and waits for the echo.
    pub fn echo(&mut self) -> Answer {
        let mut answer = [0; 4];
        let sent = self.0.write_all(b"ping");
        sent.and_then(|()| self.0.read_exact(&mut answer)).map_or_else(failure, success)
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Starts a system call again that was interrupted: the kernel does not where a time-out is set.
fn restarted<T>(mut call: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn success<T>(_: T) -> Answer {
    Answer::Answered
}

fn failure(error: std::io::Error) -> Answer {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Answer::TimedOut,
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::HostUnreachable
        | ErrorKind::PermissionDenied
        | ErrorKind::UnexpectedEof => Answer::Refused,
        _ => panic!("an attempt to connect: {error}"),
    }
}
