//! Exchanges of messages with one server: over UDP, and over TCP for answers that do not fit.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::error::LookupError;
use super::message::{Query, Reply};

/// The largest datagram that is read. Servers send at most 512 bytes to those who do not ask for more.
const DATAGRAM_MAX: usize = 4_096;
/// How many datagrams that answer no question are ignored before the server is given up.
const UNRELATED_MAX: usize = 1_000;

/// Asks a server all questions at once, and hands over each answer, an error of the server among them.
/// Questions without an answer by the deadline have the error that is returned.
pub(super) fn ask(
    server: SocketAddr,
    queries: &[Query],
    deadline: Instant,
    mut answered: impl FnMut(&Query, Result<&[u8], LookupError>),
) -> Result<(), LookupError> {
    let unreachable =
        |error: io::Error| LookupError::Unreachable { server, reason: error.to_string() };
    // A socket of its own for each exchange: its port is random, and as connected it takes datagrams from
    // the server alone.
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).map_err(unreachable)?;
    socket.connect(server).map_err(unreachable)?;
    for query in queries {
        socket.send(query.bytes()).map_err(unreachable)?;
    }
    let mut open: Vec<&Query> = queries.iter().collect();
    let mut buffer = [0; DATAGRAM_MAX];
    let mut unrelated = 0;
    while !open.is_empty() && unrelated < UNRELATED_MAX {
        socket.set_read_timeout(Some(remaining(deadline, server)?)).map_err(unreachable)?;
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if is_timeout(&error) => return Err(LookupError::Timeout(server)),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreachable(error)),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        let is_related = |query: &&Query| !matches!(query.reply(bytes), Reply::Unrelated);
        let Some(index) = open.iter().position(is_related) else {
            unrelated += 1;
            continue;
        };
        let query = open.remove(index);
        match query.reply(bytes) {
            Reply::Truncated => {
                let answer = ask_by_tcp(server, query, deadline);
                answered(query, answer.as_deref().map_err(Clone::clone));
            }
            _ => answered(query, Ok(bytes)),
        }
    }
    if open.is_empty() { Ok(()) } else { Err(LookupError::Timeout(server)) }
}

/// One question over a connection, where each message follows its length in two bytes.
fn ask_by_tcp(
    server: SocketAddr,
    query: &Query,
    deadline: Instant,
) -> Result<Vec<u8>, LookupError> {
    let failed = |error: io::Error| match is_timeout(&error) {
        true => LookupError::Timeout(server),
        false => LookupError::Unreachable { server, reason: error.to_string() },
    };
    let mut stream = TcpStream::connect_timeout(&server, remaining(deadline, server)?);
    let stream = stream.as_mut().map_err(|error| failed(io::Error::from(error.kind())))?;
    stream.set_write_timeout(Some(remaining(deadline, server)?)).map_err(failed)?;
    let length = u16::try_from(query.bytes().len()).unwrap_or_default();
    let message = [&length.to_be_bytes(), query.bytes()].concat();
    stream.write_all(&message).map_err(failed)?;
    let mut length = [0; 2];
    read_exact(stream, &mut length, server, deadline)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    read_exact(stream, &mut answer, server, deadline)?;
    match query.reply(&answer) {
        Reply::Unrelated => Err(LookupError::Malformed("it answers another question")),
        Reply::Truncated => Err(LookupError::Malformed("it is cut off")),
        _ => Ok(answer),
    }
}

/// Fills the buffer. A server that sends one byte after the other gains no time.
fn read_exact(
    stream: &mut TcpStream,
    mut buffer: &mut [u8],
    server: SocketAddr,
    deadline: Instant,
) -> Result<(), LookupError> {
    let unreachable = |reason: String| LookupError::Unreachable { server, reason };
    while !buffer.is_empty() {
        let timeout = remaining(deadline, server)?;
        stream.set_read_timeout(Some(timeout)).map_err(|error| unreachable(error.to_string()))?;
        match stream.read(buffer) {
            Ok(0) => return Err(unreachable("it closed the connection".to_owned())),
            Ok(length) => buffer = buffer.get_mut(length..).unwrap_or_default(),
            Err(error) if is_timeout(&error) => return Err(LookupError::Timeout(server)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(unreachable(error.to_string())),
        }
    }
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The time that is left, never zero: that would stand for no limit.
fn remaining(deadline: Instant, server: SocketAddr) -> Result<Duration, LookupError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(LookupError::Timeout(server)) } else { Ok(left) }
}
