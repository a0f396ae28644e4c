//! A cgroup2 subtree for the processes of a test, laid out like systemd's services.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::cgroup::mount;
use super::wait::wait_if;

/// The subtree `NAME` and its services. Dropping it kills the remaining processes and removes the
/// subtree.
pub struct Slice {
    root: PathBuf,
    name: String,
}

impl Slice {
    /// Creates the subtree with these services. The name must be unique.
    pub fn new(name: &str, services: &[&str]) -> Slice {
        let slice = Slice { root: mount(), name: name.to_owned() };
        for path in services
            .iter()
            .map(|service| slice.directory().join(service))
            .chain([slice.directory()])
        {
            fs::create_dir_all(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
        slice
    }

    /// Its name, which is also its path from the root of the hierarchy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory of `docker.service`.
    pub fn service(&self) -> PathBuf {
        self.directory().join("docker.service")
    }

    fn directory(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    fn is_populated(&self) -> bool {
        let events = fs::read_to_string(self.directory().join("cgroup.events"));
        events.is_ok_and(|events| events.contains("populated 1"))
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        // Linux before 5.14 has no such file. Processes remain only if a test failed.
        let _ = fs::write(self.directory().join("cgroup.kill"), "1");
        wait_if(|| (!self.is_populated()).then_some(()));
        remove_tree(&self.directory());
    }
}

/// Removes a directory of a cgroup hierarchy and those below it, if it exists.
pub(super) fn remove_tree(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.for_each(|entry| remove_tree(&entry.path()));
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            eprintln!("{}: {error}", directory.display());
        }
        _ => {}
    }
}
