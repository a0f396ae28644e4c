//! Takes requests at an abstract socket, without ever blocking the process that serves them.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{Backlog, listen};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::endpoint::Endpoint;
use super::peer::Peer;
use super::protocol::{REQUEST_MAX, send};

/// Maximum number of connections that have not sent their request yet.
const CLIENTS_MAX: usize = 16;
/// How long a client may take to send its request, or to read a part of the reply.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// A socket that takes requests. By default it has no listener, and takes none.
#[derive(Default)]
pub struct ControlSocket {
    listener: Option<UnixListener>,
    clients: Vec<Client>,
}

/// A client that has not sent its whole request yet.
struct Client {
    stream: UnixStream,
    received: Vec<u8>,
    since: Instant,
}

/// A request that waits for its reply.
pub struct PendingRequest<R> {
    /// The request.
    pub request: R,
    stream: UnixStream,
}

impl ControlSocket {
    /// Takes a name in a network namespace (`None`: that of the program), and listens.
    ///
    /// # Errors
    /// EADDRINUSE if another process holds the name.
    pub fn bind(endpoint: Endpoint, namespace: Option<&Path>) -> io::Result<ControlSocket> {
        let listener = endpoint.bind(namespace)?;
        listener.set_nonblocking(true)?;
        Ok(ControlSocket { listener: Some(listener), clients: Vec::new() })
    }

    /// Makes this process the one that clients see at the other end, after a fork.
    pub fn adopt(&self) {
        if let Some(listener) = &self.listener {
            // The kernel records the process that called listen(2) last. A failure changes nothing else.
            let _ = listen(listener, Backlog::MAXCONN);
        }
    }

    /// The file descriptors to poll for reading.
    pub fn poll_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let listener = self.listener.as_ref().map(AsFd::as_fd);
        listener.into_iter().chain(self.clients.iter().map(|client| client.stream.as_fd()))
    }

    /// When the oldest client has taken too long.
    pub fn due(&self) -> Option<Instant> {
        self.clients.iter().map(|client| client.since + CLIENT_TIMEOUT).min()
    }

    /// The requests that have arrived.
    pub fn requests<R: DeserializeOwned>(&mut self, now: Instant) -> Vec<PendingRequest<R>> {
        self.accept(now);
        let mut requests = Vec::new();
        for mut client in std::mem::take(&mut self.clients) {
            match client.read() {
                Ok(Some(request)) => {
                    requests.push(PendingRequest { request, stream: client.stream });
                }
                Ok(None) if client.since + CLIENT_TIMEOUT > now => self.clients.push(client),
                Ok(None) | Err(_) => {}
            }
        }
        requests
    }

    fn accept(&mut self, now: Instant) {
        // With too many open files, the connection keeps waiting.
        while let Some(Ok((stream, _))) = self.listener.as_ref().map(UnixListener::accept) {
            let is_served = Peer::of(&stream).is_ok_and(Peer::may_request);
            if is_served && self.clients.len() < CLIENTS_MAX && stream.set_nonblocking(true).is_ok()
            {
                self.clients.push(Client { stream, received: Vec::new(), since: now });
            }
        }
    }
}

impl Client {
    /// Reads what has arrived; returns the request once it is complete.
    fn read<R: DeserializeOwned>(&mut self) -> io::Result<Option<R>> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if self.received.last() == Some(&b'\n') {
                return Ok(Some(serde_json::from_slice(&self.received)?));
            }
            if self.received.len() > REQUEST_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

impl<R> PendingRequest<R> {
    /// Sends the reply. If it cannot be sent, the client sees the end of the connection.
    pub fn reply(mut self, reply: &impl Serialize) {
        let _ = self
            .stream
            .set_nonblocking(false)
            .and_then(|()| self.stream.set_write_timeout(Some(CLIENT_TIMEOUT)))
            .and_then(|()| send(&mut self.stream, reply));
    }

    /// Sends the reply on a thread, because it may be longer than the socket's buffer.
    pub fn reply_later(self, reply: impl Serialize + Send + 'static)
    where
        R: Send + 'static,
    {
        let _ = thread::Builder::new().spawn(move || self.reply(&reply));
    }
}
