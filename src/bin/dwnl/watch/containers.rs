//! Being told when a container may have been started in the host's network: nothing but its cgroup is
//! there before it listens.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use dwnl::cgroup::Hierarchy;
use dwnl::policy::Guard;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// A cgroup has been made or removed.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_CREATE.union(AddWatchFlags::IN_DELETE);

/// The cgroups below which containers may be started, watched.
pub struct Containers {
    inotify: Inotify,
}

impl Containers {
    /// Watches nothing yet.
    pub fn new() -> io::Result<Containers> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        Ok(Containers { inotify: Inotify::init(flags)? })
    }

    /// Watches where containers may be started whose ports this guard judges. Where there is no
    /// hierarchy of cgroup v2 nothing can be seen.
    pub fn follow(&self, guard: &Guard) {
        let Some(hierarchy) = Hierarchy::open().filter(|_| guard.host_network()) else { return };
        let docker = guard.docker_cgroup().into_iter().filter_map(|path| path.rsplit_once('/'));
        let named = guard.host_cgroups().iter().map(AsRef::as_ref);
        let paths = Guard::HOST_CGROUPS.into_iter().chain(named).chain(docker.map(|(it, _)| it));
        for path in paths.chain([""]) {
            // One that does not exist is made below the root, which is watched.
            let _ = self.inotify.add_watch(&hierarchy.directory(path), CHANGES);
        }
    }

    /// Whether anything has changed since this was last asked; never blocks.
    pub fn read(&self) -> io::Result<bool> {
        match self.inotify.read_events() {
            Ok(events) => Ok(!events.is_empty()),
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Containers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
