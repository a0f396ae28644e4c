//! Cgroups v2.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Namespace;
use super::command::output;
use super::wait::wait_if;

/// The directory in which nft looks for cgroups.
const CGROUPS: &str = "/sys/fs/cgroup";
/// The name of a test's child cgroup.
const INNER: &str = "inner";

/// A test's cgroup below the root. Dropping it waits for the end of its processes and removes it.
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Creates a cgroup (needs root).
    pub fn new() -> Cgroup {
        static CREATED: AtomicU32 = AtomicU32::new(0);
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let name = format!("dwnl-test-{}-{number}", std::process::id());
        let path = mount().join(name);
        fs::create_dir(&path).expect("to create a cgroup");
        Cgroup { path }
    }

    /// The ID of the cgroup that this process is in.
    pub fn own_id() -> u64 {
        let cgroups = fs::read_to_string("/proc/self/cgroup").expect("the cgroups");
        let path = cgroups.lines().find_map(|line| line.strip_prefix("0::/")).expect("one of v2");
        inode(&mount().join(path))
    }

    /// Its ID.
    pub fn id(&self) -> u64 {
        inode(&self.path)
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its path below the root.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).expect("a name")
    }

    /// The root of the hierarchy, as nft names it.
    pub fn nft_root() -> String {
        format!("./{}", below_nft(&mount()))
    }

    /// Its path, as nft lists it.
    pub fn nft_path(&self) -> String {
        below_nft(&self.path)
    }

    /// Creates the child cgroup and returns its directory.
    pub fn inner(&self) -> PathBuf {
        let inner = self.path.join(INNER);
        fs::create_dir_all(&inner).expect("to create a cgroup");
        inner
    }

    /// Creates the child cgroup and returns its path below the root.
    pub fn inner_path(&self) -> String {
        self.inner();
        format!("{}/{INNER}", self.name())
    }

    /// The root of the hierarchy.
    pub fn root() -> PathBuf {
        mount()
    }

    /// Moves all processes of the network namespace into the cgroup.
    pub fn move_processes_of(&self, namespace: &Namespace) {
        let namespace = inode(namespace.path().as_ref());
        for process in fs::read_dir("/proc").expect("the processes").flatten() {
            let other = fs::metadata(process.path().join("ns/net"));
            if other.is_ok_and(|other| other.ino() == namespace) {
                let number = process.file_name().into_encoded_bytes();
                fs::write(self.path.join("cgroup.procs"), number).expect("to move a process");
            }
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.path.join(INNER));
        wait_if(|| fs::remove_dir(&self.path).ok());
    }
}

/// A path as nft names it.
fn below_nft(path: &Path) -> String {
    path.strip_prefix(CGROUPS).expect("a path that nft finds").display().to_string()
}

/// Where cgroup v2 is mounted.
pub(super) fn mount() -> PathBuf {
    let mounts = output(&["findmnt", "--noheadings", "--output=TARGET", "-t", "cgroup2"], "");
    mounts.succeeded().lines().next().expect("a mount").trim().into()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").ino()
}
