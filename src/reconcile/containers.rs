//! Watches for containers that are started in the host's network: before such a container listens,
//! nothing but its cgroup exists.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::cgroup::Hierarchy;
use crate::engine::Error;
use crate::policy::Guard;

/// A cgroup was created or removed.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_CREATE.union(AddWatchFlags::IN_DELETE);

/// Watches the cgroups below which containers may be started.
pub(super) struct Containers {
    inotify: Inotify,
}

impl Containers {
    /// Watches nothing yet.
    pub fn open() -> Result<Containers, Error> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        match Inotify::init(flags) {
            Ok(inotify) => Ok(Containers { inotify }),
            Err(errno) => Err(error("cannot watch cgroups", errno)),
        }
    }

    /// Watches the cgroups in which containers may be started whose ports this guard judges. Does
    /// nothing without a cgroup v2 hierarchy.
    pub fn follow(&self, guard: &Guard) {
        let Some(hierarchy) = Hierarchy::open().filter(|_| guard.host_network()) else { return };
        let docker = guard.docker_cgroup().into_iter().filter_map(|path| path.rsplit_once('/'));
        let named = guard.host_cgroups().iter().map(AsRef::as_ref);
        let paths = Guard::HOST_CGROUPS.into_iter().chain(named).chain(docker.map(|(it, _)| it));
        for path in paths.chain([""]) {
            // One that does not exist will be created below the root, which is watched.
            let _ = self.inotify.add_watch(&hierarchy.directory(path), CHANGES);
        }
    }

    /// Whether anything has changed since the last call. Never blocks.
    pub fn read(&self) -> Result<bool, Error> {
        match self.inotify.read_events() {
            Ok(events) => Ok(!events.is_empty()),
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(error("cannot read cgroup events", errno)),
        }
    }
}

fn error(action: &'static str, errno: Errno) -> Error {
    Error::Cgroups { action, source: errno.into() }
}

impl AsFd for Containers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
