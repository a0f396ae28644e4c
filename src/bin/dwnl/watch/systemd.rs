//! Notifications for systemd (sd_notify(3)). Without `NOTIFY_SOCKET` they do nothing.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Maximum time to wait for systemd where it must receive a notification.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// The connection to systemd, and the watchdog.
///
/// systemd may be slow, or stopped in a debugger. Notifications that it can miss do not wait, so that
/// repairs are never delayed.
pub struct Notifier {
    notifications: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Watchdog>,
}

struct Watchdog {
    interval: Duration,
    next: Instant,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET` and `WATCHDOG_USEC` from the environment.
    ///
    /// # Errors
    /// If the address is invalid or no socket can be opened.
    pub fn from_env(now: Instant) -> io::Result<Notifier> {
        let address = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty());
        let notifications = address.map(|address| notifications(&address)).transpose()?;
        // Twice in the watchdog interval, as sd_watchdog_enabled(3) recommends.
        let interval = sd_notify::watchdog_enabled().map(|timeout| timeout / 2);
        let interval = interval.filter(|interval| notifications.is_some() && !interval.is_zero());
        let watchdog = interval.map(|interval| Watchdog { interval, next: now + interval });
        Ok(Notifier { notifications, watchdog })
    }

    /// Startup or a reload is complete; `systemctl status` shows `status`.
    pub fn ready(&self, status: &str) -> io::Result<()> {
        self.notify(&[NotifyState::Ready, NotifyState::Status(status)], Wait::Bounded)
    }

    /// A reload begins; [`Notifier::ready`] ends it.
    pub fn reloading(&self) -> io::Result<()> {
        let now = NotifyState::monotonic_usec_now()?;
        self.notify(&[NotifyState::Reloading, now], Wait::Bounded)
    }

    /// The program ends.
    pub fn stopping(&self) -> io::Result<()> {
        self.notify(&[NotifyState::Stopping], Wait::Bounded)
    }

    /// Updates the status in `systemctl status`.
    pub fn status(&self, status: &str) -> io::Result<()> {
        self.notify(&[NotifyState::Status(status)], Wait::Not)
    }

    /// When the next watchdog ping is due, if the watchdog is enabled.
    pub fn due(&self) -> Option<Instant> {
        self.watchdog.as_ref().map(|watchdog| watchdog.next)
    }

    /// Sends a watchdog ping.
    pub fn ping(&mut self, now: Instant) -> io::Result<()> {
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.next = now + watchdog.interval;
        }
        self.notify(&[NotifyState::Watchdog], Wait::Not)
    }

    fn notify(&self, states: &[NotifyState], wait: Wait) -> io::Result<()> {
        let Some((socket, address)) = &self.notifications else { return Ok(()) };
        let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
        socket.set_nonblocking(wait == Wait::Not)?;
        socket.send_to_addr(lines.as_bytes(), address)?;
        Ok(())
    }
}

/// Whether to wait while systemd does not receive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Not,
    Bounded,
}

/// A socket for `NOTIFY_SOCKET`, which is a path, or `@` and a name in the abstract namespace. The
/// socket is not connected, because systemd may be restarted and listen at the same address again.
fn notifications(address: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match address.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    Ok((socket, address))
}
