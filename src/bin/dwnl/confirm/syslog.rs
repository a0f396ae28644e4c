//! The system log, for a process that has lost its terminal.

use std::os::unix::net::UnixDatagram;

/// The socket of the system's logger (syslog(3)).
const SOCKET: &str = "/dev/log";
/// Facility `daemon`, severity `warning`.
const PRIORITY: u8 = 3 << 3 | 4;

/// Writes a line to the system log, if there is one.
pub fn warn(line: &str) {
    let message = format!("<{PRIORITY}>dwnl[{}]: {line}", std::process::id());
    let Ok(socket) = UnixDatagram::unbound() else { return };
    let _ = socket.set_nonblocking(true).and_then(|()| socket.send_to(message.as_bytes(), SOCKET));
}
