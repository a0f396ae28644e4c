//! Connections from a client, and whether the container answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::Namespace;

/// How long silence has to last to count as such.
const SILENCE: Duration = Duration::from_millis(1500);

/// How long an answer over a connection that was let in may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The container sent back what it was sent.
    Answered,
    /// The connection was refused or closed.
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

    /// Sends a datagram and waits for it to come back.
    pub fn echo(&self) -> Answer {
        let mut answer = [0; 4];
        self.0.send(b"ping").and_then(|_| self.0.recv(&mut answer)).map_or_else(failure, success)
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
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Ok(Connection(socket.into()))
    }

    /// Gives up waiting for an answer soon, where it is expected not to come.
    pub fn expecting_silence(self) -> Connection {
        self.0.set_read_timeout(Some(SILENCE)).expect("a time-out");
        self
    }

    /// Sends a few bytes and waits for them to come back.
    pub fn echo(&mut self) -> Answer {
        let mut answer = [0; 4];
        let sent = self.0.write_all(b"ping");
        sent.and_then(|()| self.0.read_exact(&mut answer)).map_or_else(failure, success)
    }
}

/// A UDP server that sends back what it is sent, for as long as the value lives.
pub struct UdpEcho {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Serves UDP in the namespace, which may be a container's: the image has no server of its own.
pub fn udp_echo(namespace: &Namespace, port: u16) -> UdpEcho {
    udp_echo_at(namespace, "::", port)
}

/// Serves UDP at one address of the namespace: with several of IPv6, the answer would come from any.
pub fn udp_echo_at(namespace: &Namespace, at: &str, port: u16) -> UdpEcho {
    let socket = namespace.inside(|| UdpSocket::bind((address(at), port))).expect("a UDP socket");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    let thread = thread::spawn(move || {
        let mut buffer = [0; 64];
        while !stop.load(Ordering::Relaxed) {
            if let Ok((length, client)) = socket.recv_from(&mut buffer) {
                // A client that is gone by now does not matter.
                let _ = socket.send_to(&buffer[..length], client);
            }
        }
    });
    UdpEcho { stopped, thread: Some(thread) }
}

impl Drop for UdpEcho {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A TCP server that sends back what it is sent, for as long as the value lives.
pub struct TcpEcho {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Serves TCP in the namespace.
pub fn tcp_echo(namespace: &Namespace, port: u16) -> TcpEcho {
    let listener = namespace.inside(|| TcpListener::bind(("::", port))).expect("a TCP listener");
    let listener = Socket::from(listener);
    listener.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    let thread = thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            if let Ok((connection, _)) = listener.accept() {
                let connection = TcpStream::from(connection);
                connection.set_read_timeout(None).expect("to wait for as long as it takes");
                // It ends with its client.
                thread::spawn(move || std::io::copy(&mut &connection, &mut &connection));
            }
        }
    });
    TcpEcho { stopped, thread: Some(thread) }
}

impl Drop for TcpEcho {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn success<T>(_: T) -> Answer {
    Answer::Answered
}

fn failure(error: std::io::Error) -> Answer {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Answer::TimedOut,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => {
            Answer::Refused
        }
        _ => panic!("an attempt to connect: {error}"),
    }
}
