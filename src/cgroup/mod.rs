//! The cgroup v2 hierarchy: the IDs and paths of its cgroups, which identify the owner of a socket.
//!
//! A cgroup's ID is the inode number of its directory. A cgroup that is removed and created again gets
//! another ID.

mod mount;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, DirEntry};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::PathBuf;

use crate::model::Cgroup;

/// Maximum number of directories that [`Hierarchy::paths`] reads.
const DIRECTORIES_MAX: usize = 65_536;

/// The cgroup v2 hierarchy, as it is mounted.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    root: PathBuf,
    /// The device number of its file system. A directory with another one is a mount point.
    device: u64,
}

impl Hierarchy {
    /// Finds the mount of the whole hierarchy. `None` if there is none, or if the calling thread is
    /// outside the initial cgroup namespace, where levels count from another root. On 32-bit
    /// machines inode numbers are not IDs, and there is none either.
    pub fn open() -> Option<Hierarchy> {
        if cfg!(target_pointer_width = "32") || !mount::is_in_initial_namespace() {
            return None;
        }
        Hierarchy::at(mount::find()?)
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

    /// The directory of the cgroup at a path.
    pub fn directory(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The cgroup of the calling thread.
    pub fn own(&self) -> Option<Cgroup> {
        let cgroups = fs::read("/proc/thread-self/cgroup").ok()?;
        // The lines of the hierarchies of cgroup v1 begin with other numbers.
        let path = String::from_utf8_lossy(&cgroups);
        let path = path.lines().find_map(|line| line.strip_prefix("0::/"))?;
        if path.is_empty() { self.cgroup(String::new()) } else { self.find(path) }
    }

    /// The cgroups of these names at the top of the hierarchy or in a top-level slice, sorted.
    pub fn services(&self, names: &[&str]) -> Vec<Cgroup> {
        let children = self.children("");
        let slices = children.iter().filter(|child| child.path.ends_with(".slice"));
        let services = slices.flat_map(|child| {
            let names = names.iter();
            names.filter_map(|name| self.cgroup(format!("{}/{name}", child.path)))
        });
        let mut found: Vec<Cgroup> = services.collect();
        let is_named = |child: &Cgroup| names.contains(&child.path.as_str());
        found.extend(children.into_iter().filter(is_named));
        found.sort();
        found
    }

    /// The cgroups with these IDs. Searches from the root downwards and stops when all are found. Does not
    /// find cgroups that were removed.
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

    /// The cgroups one level below a cgroup; none if it was removed.
    pub(crate) fn children(&self, parent: &str) -> Vec<Cgroup> {
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

/// The cgroup of an entry in its parent's directory. The entry holds its type and its ID, so that nothing
/// more has to be read. A name that is not UTF-8 can be neither named in a policy nor printed.
fn child(parent: &str, entry: &DirEntry) -> Option<Cgroup> {
    if !entry.file_type().ok()?.is_dir() {
        return None;
    }
    let name = entry.file_name().into_string().ok()?;
    let path = if parent.is_empty() { name } else { format!("{parent}/{name}") };
    Some(Cgroup { path, id: entry.ino() })
}

#[cfg(test)]
mod tests;
