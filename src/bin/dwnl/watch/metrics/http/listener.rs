//! Where clients connect: a Unix socket or a TCP port.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};

/// A socket that clients connect to.
pub enum Listener {
    /// At a path.
    Unix(UnixSocket),
    /// At an IP address and port.
    Tcp(TcpListener),
}

/// A Unix socket, which is removed in the end.
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The inode of the socket, to recognise it at the path.
    inode: u64,
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
        if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let listener = bind(path)?;
        listener.set_nonblocking(true)?;
        let inode = fs::symlink_metadata(path)?.ino();
        Ok(Listener::Unix(UnixSocket { listener, path: path.to_owned(), inode }))
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
            Listener::Unix(UnixSocket { listener, .. }) => {
                let (stream, _) = listener.accept().ok()?;
                stream.set_nonblocking(true).ok().map(|()| Connection::Unix(stream))
            }
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().ok()?;
                stream.set_nonblocking(true).ok().map(|()| Connection::Tcp(stream))
            }
        }
    }
}

/// Binds a socket for the program's user and group. The mode is set by the mask: once the socket is at
/// its path, something else may be there. No other thread creates files meanwhile.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let mask = umask(Mode::S_IXUSR | Mode::S_IXGRP | Mode::S_IRWXO);
    let listener = UnixListener::bind(path);
    umask(mask);
    listener
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Unix(socket) => socket.listener.as_fd(),
            Listener::Tcp(listener) => listener.as_fd(),
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        let inode = fs::symlink_metadata(&self.path).map(|found| found.ino());
        if inode.is_ok_and(|inode| inode == self.inode) {
            // On an error, the next start replaces the socket.
            let _ = fs::remove_file(&self.path);
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_socket_is_replaced_and_removed() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("socket");
        for _ in 0..2 {
            // The second finds the socket of the first, as after a crash.
            std::mem::forget(Listener::unix(&path).expect("to listen"));
        }
        let listener = Listener::unix(&path).expect("to listen");
        assert_eq!(fs::metadata(&path).expect("the socket").permissions().mode() & 0o777, 0o660);
        assert!(listener.accept().is_none());
        let _client = UnixStream::connect(&path).expect("to connect");
        assert!(listener.accept().is_some());
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_not_a_socket_is_not_replaced() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "precious").expect("to write");
        assert!(Listener::unix(&path).is_err());
        assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
    }

    #[test]
    fn a_socket_of_another_program_is_not_removed() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("socket");
        let first = Listener::unix(&path).expect("to listen");
        let _second = Listener::unix(&path).expect("to listen");
        drop(first);
        assert!(path.exists());
    }
}
