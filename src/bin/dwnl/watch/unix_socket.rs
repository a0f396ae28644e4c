//! A Unix socket at a path.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, lchown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use nix::unistd::Gid;

/// A Unix socket that listens, and that is removed in the end.
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The inode of the socket, to recognise it at the path.
    inode: u64,
}

/// Who may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The program's user, and root.
    User,
    /// They and the program's group.
    OwnGroup,
    /// They and this group.
    Group(Gid),
}

impl UnixSocket {
    /// Listens at `path`. An existing socket is replaced, any other file is an error.
    ///
    /// # Errors
    /// If it cannot be created, or cannot be given to the group.
    pub fn listen(path: &Path, reach: Reach) -> io::Result<UnixSocket> {
        if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let listener = bind(path, reach)?;
        listener.set_nonblocking(true)?;
        let inode = fs::symlink_metadata(path)?.ino();
        let socket = UnixSocket { listener, path: path.to_owned(), inode };
        if let Reach::Group(group) = reach {
            lchown(path, None, Some(group.as_raw()))?;
        }
        Ok(socket)
    }

    /// The next waiting connection, which does not block.
    pub fn accept(&self) -> Option<UnixStream> {
        // With too many open files, the connection keeps waiting.
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(true).ok().map(|()| stream)
    }
}

/// Binds a socket. The mode is set by the mask: once the socket is at its path, something else may be
/// there. No other thread creates files meanwhile.
fn bind(path: &Path, reach: Reach) -> io::Result<UnixListener> {
    let others = match reach {
        Reach::User => Mode::S_IRWXG,
        Reach::OwnGroup | Reach::Group(_) => Mode::S_IXGRP,
    };
    let mask = umask(Mode::S_IXUSR | Mode::S_IRWXO | others);
    let listener = UnixListener::bind(path);
    umask(mask);
    listener
}

impl AsFd for UnixSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("the socket").permissions().mode() & 0o777
    }

    #[test]
    fn a_socket_is_replaced_and_removed() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("socket");
        for _ in 0..2 {
            // The second finds the socket of the first, as after a crash.
            std::mem::forget(UnixSocket::listen(&path, Reach::OwnGroup).expect("to listen"));
        }
        let listener = UnixSocket::listen(&path, Reach::OwnGroup).expect("to listen");
        assert_eq!(mode(&path), 0o660);
        assert!(listener.accept().is_none());
        let _client = UnixStream::connect(&path).expect("to connect");
        assert!(listener.accept().is_some());
        drop(listener);
        assert!(!path.exists());
        let _listener = UnixSocket::listen(&path, Reach::User).expect("to listen");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_file_that_is_not_a_socket_is_not_replaced() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "precious").expect("to write");
        assert!(UnixSocket::listen(&path, Reach::User).is_err());
        assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
    }

    #[test]
    fn a_socket_of_another_program_is_not_removed() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("socket");
        let first = UnixSocket::listen(&path, Reach::User).expect("to listen");
        let _second = UnixSocket::listen(&path, Reach::User).expect("to listen");
        drop(first);
        assert!(path.exists());
    }
}
