//! Opens sockets in another network namespace without moving the caller there.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;

use nix::sched::{CloneFlags, setns};

/// Runs `open` in the network namespace that `path` refers to, on a thread of its own that ends
/// with it. A socket stays in the namespace in which it was opened.
///
/// # Errors
/// If the path cannot be opened or the namespace cannot be entered (EPERM without CAP_SYS_ADMIN).
pub fn in_netns<T: Send>(path: &Path, open: impl FnOnce() -> T + Send) -> io::Result<T> {
    let namespace = File::open(path)?;
    let enter = move || {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        Ok(open())
    };
    thread::scope(|scope| {
        let opened = thread::Builder::new().spawn_scoped(scope, enter)?.join();
        opened.unwrap_or_else(|_| Err(io::Error::other("the thread that entered it has died")))
    })
}
