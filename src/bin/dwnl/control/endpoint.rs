//! Abstract Unix sockets in a network namespace.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

/// Maximum time to send a request.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The name of an abstract socket, without the leading NUL.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint(pub &'static str);

impl Endpoint {
    /// Binds the name in this network namespace (`None`: that of the thread) and listens.
    ///
    /// # Errors
    /// EADDRINUSE if a process holds the name.
    pub fn bind(self, namespace: Option<&Path>) -> io::Result<UnixListener> {
        inside(namespace, || UnixListener::bind_addr(&SocketAddr::from_abstract_name(self.0)?))
    }

    /// Connects to the process that holds the name; `None` if there is none.
    ///
    /// # Errors
    /// EAGAIN if that process accepts no connections. This does not wait.
    pub fn connect(self, namespace: Option<&Path>) -> io::Result<Option<UnixStream>> {
        let stream = match inside(namespace, || Ok(self.connect_here()?)) {
            Ok(stream) => UnixStream::from(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(None),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(SEND_TIMEOUT))?;
        Ok(Some(stream))
    }

    fn connect_here(self) -> Result<OwnedFd, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(stream.as_raw_fd(), &UnixAddr::new_abstract(self.0.as_bytes())?)?;
        Ok(stream)
    }
}

/// Calls a function in a network namespace.
fn inside<T: Send>(
    namespace: Option<&Path>,
    function: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    match namespace {
        Some(path) => dwnl::in_netns(path, function)?,
        None => function(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_until_its_socket_is_closed() {
        let endpoint = Endpoint("dwnl-test-endpoint");
        assert!(endpoint.connect(None).expect("no error").is_none());
        let listener = endpoint.bind(None).expect("to bind");
        let error = endpoint.bind(None).expect_err("the name is held");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(endpoint.connect(None).expect("no error").is_some());
        drop(listener);
        assert!(endpoint.connect(None).expect("no error").is_none());
    }
}
