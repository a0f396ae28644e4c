//! Where clients connect: a Unix socket or a TCP port.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::watch::unix_socket::{Reach, UnixSocket};

/// A socket that clients connect to.
pub enum Listener {
    /// At a path.
    Unix(UnixSocket),
    /// At an IP address and port.
    Tcp(TcpListener),
}

/// A connection to a client, which does not block.
pub enum Connection {
    /// Over a Unix socket.
    Unix(UnixStream),
    /// Over TCP.
    Tcp(TcpStream),
}

impl Listener {
    /// Listens at `path`, for the program's user and group. An existing socket is replaced, any other
    /// file is an error.
    pub fn unix(path: &Path) -> io::Result<Listener> {
        UnixSocket::listen(path, Reach::OwnGroup).map(Listener::Unix)
    }

    /// Listens at an IP address and port.
    pub fn tcp(address: SocketAddr) -> io::Result<Listener> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Listener::Tcp(listener))
    }

    /// The next waiting connection.
    pub fn accept(&self) -> Option<Connection> {
        // With too many open files, the connection keeps waiting.
        match self {
            Listener::Unix(socket) => socket.accept().map(Connection::Unix),
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().ok()?;
                stream.set_nonblocking(true).ok().map(|()| Connection::Tcp(stream))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Unix(socket) => socket.as_fd(),
            Listener::Tcp(listener) => listener.as_fd(),
        }
    }
}

impl Connection {
    /// Tells the client that the answer is complete.
    pub fn finish(&self) -> io::Result<()> {
        match self {
            Connection::Unix(stream) => stream.shutdown(Shutdown::Write),
            Connection::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Connection::Unix(stream) => stream.read(buffer),
            Connection::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Connection::Unix(stream) => stream.write(bytes),
            Connection::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Connection::Unix(stream) => stream.as_fd(),
            Connection::Tcp(stream) => stream.as_fd(),
        }
    }
}
