//! Network namespaces.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use super::command::{Output, output};

/// An anonymous network namespace. It exists as long as this value and the processes in it, so that
/// no test leaves anything behind.
pub struct Namespace {
    handle: File,
}

impl Namespace {
    /// A new namespace, in which only the loopback interface is up.
    pub fn new() -> Namespace {
        let namespace = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .expect("a network namespace (run the tests as root or under `unshare -rn`)");
            Namespace::open(Path::new("/proc/thread-self/ns/net"))
        });
        let namespace = namespace.join().unwrap_or_else(|panic| resume_unwind(panic));
        namespace.run(&["ip", "link", "set", "lo", "up"]);
        namespace
    }

    /// Opens the namespace that a file of the kernel refers to.
    pub fn open(path: &Path) -> Namespace {
        let handle = File::open(path);
        Namespace { handle: handle.unwrap_or_else(|e| panic!("{}: {e}", path.display())) }
    }

    /// A path of the namespace, valid as long as this value exists.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.handle.as_raw_fd())
    }

    /// Calls a function on a thread in the namespace. Sockets that it opens and processes that it
    /// starts stay in the namespace.
    pub fn inside<T: Send>(&self, function: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.handle, CloneFlags::CLONE_NEWNET).expect("to enter the namespace");
                function()
            });
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Runs a command in the namespace and returns its standard output; panics if it fails.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        self.try_run(args, "").succeeded()
    }

    /// Runs a command in the namespace with this input.
    pub fn try_run(&self, args: &[&str], stdin: &str) -> Output {
        self.inside(|| output(args, stdin))
    }
}
