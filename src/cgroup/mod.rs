//! The cgroup v2 hierarchy: the IDs and paths of its cgroups, by which a socket's owner is known.
//!
//! A cgroup's ID is the inode number of its directory. A cgroup that was removed and made again has
//! another one.

mod mount;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, DirEntry};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::PathBuf;

/// The names of the cgroups that dockerd has as a service of systemd: that of the packages, and that
/// of the snap.
const DAEMONS: [&str; 2] = ["docker.service", "snap.docker.dockerd.service"];
/// Maximum number of directories that [`Hierarchy::paths`] reads.
const DIRECTORIES_MAX: usize = 65_536;

/// The cgroup v2 hierarchy, as it is mounted.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    root: PathBuf,
    /// The device number of its file system. Directories of another one are mounts upon it.
    device: u64,
}

/// A cgroup v2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cgroup {
    /// Its path below the mount, without a leading slash: `system.slice/docker.service`. That of the
    /// root is empty.
    pub path: String,
    /// Its ID.
    pub id: u64,
}

impl Cgroup {
    /// How many levels it lies below the root.
    pub fn level(&self) -> u32 {
        let components = self.path.split('/').filter(|component| !component.is_empty());
        components.count().try_into().unwrap_or(u32::MAX)
    }
}

impl Hierarchy {
    /// Finds the mount of the whole hierarchy. `None` if there is none, or if the calling thread is
    /// outside the initial cgroup namespace, where levels count from another root. On 32-bit
    /// machines inode numbers are not IDs, and there is none either.
    pub fn open() -> Option<Hierarchy> {
        if cfg!(target_pointer_width = "32") || !mount::is_in_initial_namespace() {
            return None;
        }
        let mounts = fs::read("/proc/thread-self/mountinfo").ok()?;
        mount::candidates(&String::from_utf8_lossy(&mounts)).into_iter().find_map(|mount| {
            let hierarchy = Hierarchy::at(mount.point)?;
            // Something else may be mounted over it.
            mount.device.is_number(hierarchy.device).then_some(hierarchy)
        })
    }

    fn at(root: PathBuf) -> Option<Hierarchy> {
        let device = fs::metadata(&root).ok()?.dev();
        Some(Hierarchy { root, device })
    }

    /// The cgroup at a path that is relative to the root. `None` unless it exists and the path is
    /// plain: no empty component, `.` or `..`, and no symbolic link.
    pub fn find(&self, path: &str) -> Option<Cgroup> {
        let is_plain = |component: &str| !matches!(component, "" | "." | "..");
        if !path.split('/').all(is_plain) {
            return None;
        }
        let parents = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        let are_cgroups = parents.map(|parent| self.id(parent)).all(|id| id.is_some());
        self.cgroup(path.to_owned()).filter(|_| are_cgroups)
    }

    /// The cgroups that dockerd may have as a service: at the root or one level below it, by their
    /// names, sorted.
    pub fn daemons(&self) -> Vec<Cgroup> {
        let children = self.children("");
        let services = children.iter().flat_map(|child| {
            let names = DAEMONS.iter();
            names.filter_map(|name| self.cgroup(format!("{}/{name}", child.path)))
        });
        let mut daemons: Vec<Cgroup> = services.collect();
        let is_daemon = |child: &Cgroup| DAEMONS.contains(&child.path.as_str());
        daemons.extend(children.into_iter().filter(is_daemon));
        daemons.sort();
        daemons
    }

    /// The cgroups that have these IDs. Looks from the root downwards, and stops when all are found.
    /// IDs of cgroups that were removed are not found.
    pub fn paths(&self, ids: &BTreeSet<u64>) -> BTreeMap<u64, Cgroup> {
        let mut found = BTreeMap::new();
        let mut waiting: VecDeque<Cgroup> = self.cgroup(String::new()).into_iter().collect();
        let mut seen = waiting.len();
        while let Some(cgroup) = waiting.pop_front() {
            if ids.contains(&cgroup.id) {
                found.insert(cgroup.id, cgroup.clone());
            }
            if found.len() == ids.len() {
                break;
            }
            let mut children = self.children(&cgroup.path);
            children.truncate(DIRECTORIES_MAX - seen);
            seen += children.len();
            waiting.extend(children);
        }
        found
    }

    /// The cgroups one level below one; none if it has been removed meanwhile.
    fn children(&self, parent: &str) -> Vec<Cgroup> {
        let entries = fs::read_dir(self.root.join(parent)).into_iter().flatten().flatten();
        entries.filter_map(|entry| child(parent, &entry)).collect()
    }

    fn cgroup(&self, path: String) -> Option<Cgroup> {
        let id = self.id(&path)?;
        Some(Cgroup { path, id })
    }

    /// The inode number of a directory of the hierarchy.
    fn id(&self, path: &str) -> Option<u64> {
        let metadata = fs::symlink_metadata(self.root.join(path)).ok()?;
        (metadata.is_dir() && metadata.dev() == self.device).then(|| metadata.ino())
    }
}

/// The cgroup that an entry of its parent's directory is. The entry has its type and its ID, so that
/// nothing more has to be read. A name that is not UTF-8 can be neither named in a policy nor printed.
fn child(parent: &str, entry: &DirEntry) -> Option<Cgroup> {
    if !entry.file_type().ok()?.is_dir() {
        return None;
    }
    let name = entry.file_name().into_string().ok()?;
    let path = if parent.is_empty() { name } else { format!("{parent}/{name}") };
    Some(Cgroup { path, id: entry.ino() })
}

/// Whether Docker gives a container this path: `…/docker-ID.scope` with systemd as its cgroup driver,
/// `…/docker/ID` with cgroupfs, and `PARENT/ID` where `--cgroup-parent` names another parent.
pub fn is_container(path: &str) -> bool {
    let mut above = "";
    let mut last_is_id = false;
    for component in path.split('/') {
        last_is_id = is_container_id(component);
        if is_scope(component) || (above == "docker" && last_is_id) {
            return true;
        }
        above = component;
    }
    last_is_id
}

fn is_scope(component: &str) -> bool {
    let id = component.strip_prefix("docker-").and_then(|rest| rest.strip_suffix(".scope"));
    id.is_some_and(is_container_id)
}

fn is_container_id(component: &str) -> bool {
    component.len() == 64 && component.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
