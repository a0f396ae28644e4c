//! What the service manager is told (sd_notify(3)); where there is none, nobody is told anything.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// How long a service manager that does not listen is waited for where it has to know.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager, and when it next wants to hear that we are alive.
///
/// It may be slow, or stopped in a debugger: what it need not know is not waited for, so that the rules
/// are never left alone for its sake.
pub struct Notifier {
    notifications: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Watchdog>,
}

struct Watchdog {
    interval: Duration,
    next: Instant,
}

impl Notifier {
    /// What the environment tells of the service manager.
    ///
    /// # Errors
    /// If it can never be reached.
    pub fn from_env(now: Instant) -> io::Result<Notifier> {
        let address = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty());
        let notifications = address.map(|address| notifications(&address)).transpose()?;
        // Twice in the time after which it thinks us dead, as sd_watchdog_enabled(3) recommends.
        let interval = sd_notify::watchdog_enabled().map(|timeout| timeout / 2);
        let interval = interval.filter(|interval| notifications.is_some() && !interval.is_zero());
        let watchdog = interval.map(|interval| Watchdog { interval, next: now + interval });
        Ok(Notifier { notifications, watchdog })
    }

    /// The policy is in force, or was read again; `status` is shown by `systemctl status`.
    pub fn ready(&self, status: &str) -> io::Result<()> {
        self.notify(&[NotifyState::Ready, NotifyState::Status(status)], Wait::Bounded)
    }

    /// The policy is being read again; [`Notifier::ready`] follows.
    pub fn reloading(&self) -> io::Result<()> {
        let now = NotifyState::monotonic_usec_now()?;
        self.notify(&[NotifyState::Reloading, now], Wait::Bounded)
    }

    /// The program is about to end.
    pub fn stopping(&self) -> io::Result<()> {
        self.notify(&[NotifyState::Stopping], Wait::Bounded)
    }

    /// Something has happened that `systemctl status` is to show.
    pub fn status(&self, status: &str) -> io::Result<()> {
        self.notify(&[NotifyState::Status(status)], Wait::Not)
    }

    /// When it next wants to hear that we are alive, if it does.
    pub fn due(&self) -> Option<Instant> {
        self.watchdog.as_ref().map(|watchdog| watchdog.next)
    }

    /// Tells it that we are alive.
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

/// Whether a service manager that does not listen is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Not,
    Bounded,
}

/// A socket for `NOTIFY_SOCKET`, a path or a name in the abstract namespace behind an `@`. It is not
/// connected: the service manager may listen anew at the same address.
fn notifications(address: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match address.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok((socket, address))
}
