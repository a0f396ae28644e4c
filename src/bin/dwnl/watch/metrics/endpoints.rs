//! Where metrics can be read: a file that is replaced atomically, and a socket.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, umask};

use crate::directory::Directory;

/// The time between two writes of the file without events.
const INTERVAL: Duration = Duration::from_secs(60);

/// A file with metrics.
pub struct MetricsFile {
    path: PathBuf,
    /// When it is due next.
    next: Instant,
}

impl MetricsFile {
    /// The file at `path`, due at `now`.
    pub fn new(path: PathBuf, now: Instant) -> MetricsFile {
        MetricsFile { path, next: now }
    }

    /// When it is due next without an event.
    pub fn due(&self) -> Instant {
        self.next
    }

    /// Replaces the file atomically: a reader sees the old text or the new one.
    pub fn write(&mut self, text: &str, now: Instant) -> io::Result<()> {
        self.next = now + INTERVAL;
        let name = self.path.file_name().and_then(OsStr::to_str);
        let name = name.ok_or_else(|| io::Error::other("the path does not end in a file name"))?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = Directory::open(parent.unwrap_or(Path::new(".")))?;
        // The textfile collector ignores the file that is renamed, because its name ends in `.new`.
        directory.replace(name, text.as_bytes())
    }
}

/// A Unix socket that answers every connection with the metrics.
pub struct MetricsSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The inode of the socket, to recognise it at the path.
    inode: u64,
}

impl MetricsSocket {
    /// Listens at `path`, for the program's user and group. An existing socket is replaced, any other
    /// file is an error.
    pub fn listen(path: &Path) -> io::Result<MetricsSocket> {
        if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let listener = bind(path)?;
        listener.set_nonblocking(true)?;
        let inode = fs::symlink_metadata(path)?.ino();
        Ok(MetricsSocket { listener, path: path.to_owned(), inode })
    }

    /// The next waiting connection.
    pub fn accept(&self) -> Option<UnixStream> {
        // With too many open files, the connection keeps waiting.
        self.listener.accept().ok().map(|(connection, _)| connection)
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

/// Answers a connection and closes it, without waiting for the client: the answer is shorter than a
/// socket's send buffer.
pub fn respond(connection: &mut UnixStream, text: &str) {
    let _ = connection.set_nonblocking(true).and_then(|()| connection.write_all(text.as_bytes()));
}

impl AsFd for MetricsSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for MetricsSocket {
    fn drop(&mut self) {
        let inode = fs::symlink_metadata(&self.path).map(|found| found.ino());
        if inode.is_ok_and(|inode| inode == self.inode) {
            // On an error, the next start replaces the socket.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_file_is_replaced_atomically() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("dwnl.prom");
        let now = Instant::now();
        let mut file = MetricsFile::new(path.clone(), now);
        assert_eq!(file.due(), now);
        file.write("old 1\n", now).expect("to write");
        assert_eq!(file.due(), now + INTERVAL);
        let old = fs::File::open(&path).expect("the file");
        file.write("new 2\n", now).expect("to write");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "new 2\n");
        assert_eq!(io::read_to_string(old).expect("the old file"), "old 1\n");
        assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 1);
    }

    #[test]
    fn links_are_not_written_through() {
        let directory = TempDir::new().expect("a directory");
        let (path, victim) = (directory.path().join("dwnl.prom"), directory.path().join("victim"));
        fs::write(&victim, "precious").expect("to write");
        for name in [".dwnl.prom.new", "dwnl.prom.new", "dwnl.prom"] {
            symlink(&victim, directory.path().join(name)).expect("a link");
        }
        let now = Instant::now();
        MetricsFile::new(path.clone(), now).write("new 2\n", now).expect("to write");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "new 2\n");
        assert_eq!(fs::read_to_string(&victim).expect("the victim"), "precious");
        assert!(MetricsSocket::listen(&directory.path().join("dwnl.prom.new")).is_err());
    }

    #[test]
    fn the_socket_answers_and_is_removed() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("socket");
        for _ in 0..2 {
            // The second finds the socket of the first, as after a crash.
            std::mem::forget(MetricsSocket::listen(&path).expect("to listen"));
        }
        let socket = MetricsSocket::listen(&path).expect("to listen");
        assert_eq!(fs::metadata(&path).expect("the socket").permissions().mode() & 0o777, 0o660);
        assert!(socket.accept().is_none());
        let mut client = UnixStream::connect(&path).expect("to connect");
        respond(&mut socket.accept().expect("a connection"), "text\n");
        let mut text = String::new();
        client.read_to_string(&mut text).expect("an answer");
        assert_eq!(text, "text\n");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_not_a_socket_is_not_replaced() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "precious").expect("to write");
        assert!(MetricsSocket::listen(&path).is_err());
        assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
    }

    #[test]
    fn a_socket_of_another_program_is_not_removed() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("socket");
        let first = MetricsSocket::listen(&path).expect("to listen");
        let _second = MetricsSocket::listen(&path).expect("to listen");
        drop(first);
        assert!(path.exists());
    }
}
