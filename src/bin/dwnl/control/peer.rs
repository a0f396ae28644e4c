//! Who is at the other end of a Unix socket, and whether to trust it.
//!
//! Every process in a network namespace can bind and connect to an abstract name, so the names alone
//! prove nothing.

use std::fmt;
use std::os::unix::net::UnixStream;

use caps::{CapSet, Capability};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{User, geteuid};

/// The user of the services.
const SERVICE_USER: &str = "dwnl";

/// The process at the other end: the one that connected, or the one that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its process ID; 0 if it is outside the PID namespace.
    pub pid: i32,
    /// Its effective user ID.
    pub uid: u32,
}

impl Peer {
    /// The process at the other end, when it connected or listened.
    pub fn of(stream: &UnixStream) -> nix::Result<Peer> {
        let credentials = getsockopt(stream, PeerCredentials)?;
        Ok(Peer { pid: credentials.pid(), uid: credentials.uid() })
    }

    /// Whether it may be a `watch`: it runs as root, as this program's user or as the user of the
    /// services, and has CAP_NET_ADMIN.
    pub fn may_be_watch(self) -> bool {
        let is_service = || {
            let user = User::from_name(SERVICE_USER).ok().flatten();
            user.is_some_and(|user| user.uid.as_raw() == self.uid)
        };
        (self.pid == 0 || self.has_net_admin()) && (self.is_root_or_same_user() || is_service())
    }

    /// Whether its requests are served: it runs as root or as this program's user, and has
    /// CAP_NET_ADMIN, which root in a container does not have by default.
    pub fn may_request(self) -> bool {
        self.is_root_or_same_user() && self.has_net_admin()
    }

    fn is_root_or_same_user(self) -> bool {
        self.uid == 0 || self.uid == geteuid().as_raw()
    }

    fn has_net_admin(self) -> bool {
        let has = |pid| caps::has_cap(Some(pid), CapSet::Effective, Capability::CAP_NET_ADMIN);
        self.pid > 0 && has(self.pid).unwrap_or(false)
    }
}

/// `process 4711`, or `a process outside this PID namespace`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            0 => write!(f, "a process outside this PID namespace"),
            pid => write!(f, "process {pid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_pair_are_this_process() {
        let (one, _other) = UnixStream::pair().expect("a pair");
        let peer = Peer::of(&one).expect("its credentials");
        assert_eq!(i64::from(peer.pid), i64::from(std::process::id()));
        assert_eq!(peer.uid, geteuid().as_raw());
        assert_eq!(peer.to_string(), format!("process {}", peer.pid));
    }

    #[test]
    fn other_users_and_unknown_processes_are_not_trusted() {
        let stranger = Peer { pid: 1, uid: 54_321 };
        assert!(!stranger.may_be_watch() && !stranger.may_request());
        assert!(!Peer { pid: 0, uid: 0 }.may_request());
    }
}
