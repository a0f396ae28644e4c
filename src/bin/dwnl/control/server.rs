//! The socket of a running `watch`: it is the lock of the network namespace, and takes requests
//! without ever blocking the watch.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::client::{WATCH, running_watch};
use super::peer::Peer;
use super::protocol::{REQUEST_MAX, Reply, Request, send};

/// Maximum number of connections that have not sent their request yet.
const CLIENTS_MAX: usize = 16;
/// How long a client may take to send its request, or to read a part of the reply.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The socket of a `watch`. Without a listener, another program holds the name.
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
pub struct PendingRequest {
    /// The request.
    pub request: Request,
    stream: UnixStream,
}

impl ControlSocket {
    /// Takes the lock of a network namespace (`None`: that of the program), and listens. Returns a
    /// warning as well if a program that is no `watch` holds the name: that does not stop a watch.
    ///
    /// # Errors
    /// If another `watch` runs in the namespace.
    pub fn open(namespace: Option<&Path>) -> anyhow::Result<(ControlSocket, Option<String>)> {
        let error = match WATCH.bind(namespace) {
            Ok(listener) => {
                listener.set_nonblocking(true).context("cannot listen for requests")?;
                let listener = Some(listener);
                return Ok((ControlSocket { listener, ..ControlSocket::default() }, None));
            }
            Err(error) => error,
        };
        if error.kind() != io::ErrorKind::AddrInUse {
            return Err(error).context("cannot listen for requests");
        }
        let (watch, warning) = running_watch(namespace);
        if let Some(watch) = watch {
            bail!("{watch} is already running in this network namespace; stop it first");
        }
        Ok((ControlSocket::default(), warning))
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
    pub fn requests(&mut self, now: Instant) -> Vec<PendingRequest> {
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
    fn read(&mut self) -> io::Result<Option<Request>> {
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

impl PendingRequest {
    /// Sends the reply, on a thread: it may be longer than the socket's buffer. If it cannot be sent,
    /// the client sees the end of the connection.
    pub fn reply(self, reply: Reply) {
        let mut stream = self.stream;
        let _ = thread::Builder::new().spawn(move || {
            let _ = stream
                .set_nonblocking(false)
                .and_then(|()| stream.set_write_timeout(Some(CLIENT_TIMEOUT)))
                .and_then(|()| send(&mut stream, &reply));
        });
    }
}
