//! Echo servers, which run until they are dropped. A container's network namespace is served from
//! outside, because the image has no UDP server and no fast TCP server.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::{Namespace, busybox, companion, wait_for};

/// A TCP server with a thread for each connection.
pub struct TcpEcho {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

/// Serves TCP in the namespace, over IPv4 and IPv6.
pub fn tcp_echo(namespace: &Namespace, port: u16) -> TcpEcho {
    tcp_echo_at(namespace, "::", port)
}

/// Serves TCP at one address of the namespace.
pub fn tcp_echo_at(namespace: &Namespace, at: &str, port: u16) -> TcpEcho {
    let listener = Arc::new(bound(namespace, || TcpListener::bind((at, port))));
    let accepting = Arc::clone(&listener);
    let thread = thread::spawn(move || {
        for connection in accepting.incoming().map_while(Result::ok) {
            // It does not matter if the client is gone.
            thread::spawn(move || io::copy(&mut &connection, &mut &connection));
        }
    });
    TcpEcho { listener, thread: Some(thread) }
}

impl Drop for TcpEcho {
    fn drop(&mut self) {
        // This ends the wait for the next connection.
        let _ = SockRef::from(&*self.listener).shutdown(Shutdown::Both);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A UDP server.
pub struct UdpEcho {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Serves UDP in the namespace, over IPv4 and IPv6.
pub fn udp_echo(namespace: &Namespace, port: u16) -> UdpEcho {
    udp_echo_at(namespace, "::", port)
}

/// Serves UDP at one address of the namespace. On the unspecified address, answers could come from
/// another IPv6 address of the namespace.
pub fn udp_echo_at(namespace: &Namespace, at: &str, port: u16) -> UdpEcho {
    let socket = bound(namespace, || UdpSocket::bind((at, port)));
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    let thread = thread::spawn(move || {
        let mut buffer = [0; 64];
        while !stop.load(Ordering::Relaxed) {
            if let Ok((length, client)) = socket.recv_from(&mut buffer) {
                // It does not matter if the client is gone.
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

/// A socket bound in the namespace. Its port can still be in use by a socket that the test has
/// closed: a process that another test is starting holds a copy of it until it executes its program.
fn bound<T: Send>(namespace: &Namespace, bind: impl Fn() -> io::Result<T> + Sync) -> T {
    wait_for("a free port", || match namespace.inside(&bind) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => None,
        result => Some(result.expect("a socket")),
    })
}

/// A program that echoes TCP on a port. It is killed on drop.
pub struct Server(Child);

impl Server {
    /// Starts the server in the cgroup of this directory.
    pub fn start(host: &Namespace, cgroup: &Path, port: u16) -> Server {
        let script = r#"echo 0 >"$0/cgroup.procs" && exec "$1" nc -ll -p "$2" -e cat"#;
        let server = companion(&host.path())
            .args(["sh", "-c", script])
            .args([cgroup, &busybox()])
            .arg(port.to_string())
            .spawn();
        Server(server.expect("a server"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}
