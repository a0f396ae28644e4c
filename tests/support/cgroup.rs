//! Cgroups of version 2.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::command::output;

/// Where nft looks for cgroups.
const CGROUPS: &str = "/sys/fs/cgroup";

/// A cgroup of this test's own, with another in it. It goes with this value, when no process is left
/// in it.
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Where the hierarchy is mounted: at [`CGROUPS`] itself, or beneath it beside the hierarchies of
    /// version 1.
    pub fn hierarchy() -> PathBuf {
        let mounts = output(&["findmnt", "--noheadings", "--output=TARGET", "--types=cgroup2"], "");
        mounts.succeeded().lines().next().expect("a cgroup v2 hierarchy").trim_end().into()
    }

    /// The root, as nft names it.
    pub fn root_of_nft() -> String {
        let hierarchy = Cgroup::hierarchy();
        format!("./{}", hierarchy.strip_prefix(CGROUPS).expect("a path that nft finds").display())
    }

    /// A new one.
    pub fn new() -> Cgroup {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = Cgroup::hierarchy().join(format!("dwnl-test-{}-{number}", process::id()));
        fs::create_dir_all(path.join("inner")).expect("a cgroup");
        Cgroup(path)
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        fs::metadata(&self.0).expect("the cgroup").ino()
    }

    /// Its path, as nft lists it.
    pub fn path_of_nft(&self) -> String {
        self.0.strip_prefix(CGROUPS).expect("a path that nft finds").display().to_string()
    }

    /// The file that moves a process into the inner one.
    pub fn inner_processes(&self) -> String {
        self.0.join("inner/cgroup.procs").display().to_string()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0.join("inner"));
        let _ = fs::remove_dir(&self.0);
    }
}
