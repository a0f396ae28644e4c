//! Watches the files and symlinks that a policy depends on.
//!
//! Resolving a path crosses directories and symlinks. Where a directory entry decides the next step (a
//! symlink, the file itself, or a missing name), that name is watched. Other directories are only
//! watched for being moved or deleted. So a swapped symlink is noticed at any depth, and other changes
//! in these directories rarely wake the program.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

/// Events of a watched file or directory that is deleted or moved itself.
const SELF_MASK: AddWatchFlags = AddWatchFlags::IN_DELETE_SELF.union(AddWatchFlags::IN_MOVE_SELF);
/// Events that change what is read from a file, or under a name in a directory.
const CONTENT_MASK: AddWatchFlags = SELF_MASK
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_ATTRIB);

/// Maximum number of symlinks in a path, as in the kernel.
const SYMLINKS_MAX: usize = 40;
/// Maximum number of attempts for a step that changes concurrently.
const ATTEMPTS_MAX: usize = 16;

/// Maximum number of reads in one turn of the event loop. A busy directory always has more events.
const READS_MAX: usize = 16;

/// The paths to some files, watched.
pub struct Files {
    inotify: Inotify,
    watched: Watched,
}

/// The watches, and the names of interest in each directory.
type Watched = BTreeMap<WatchDescriptor, BTreeSet<OsString>>;

impl Files {
    /// Watches nothing yet.
    pub fn new() -> io::Result<Files> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Files { inotify, watched: Watched::new() })
    }

    /// Watches the paths to these files and no others. Returns whether anything was not watched
    /// before and may have changed since it was read.
    ///
    /// # Errors
    /// If a part of a path cannot be watched; the other parts are.
    pub fn follow(&mut self, files: &[PathBuf]) -> io::Result<bool> {
        let mut walker =
            PathWalker { inotify: &self.inotify, places: BTreeMap::new(), error: None };
        let mut watched = Watched::new();
        for file in files {
            walker.follow(&std::path::absolute(file)?);
        }
        for (descriptor, names) in walker.places.into_values() {
            watched.entry(descriptor).or_default().extend(names);
        }
        let error = walker.error;
        let known = std::mem::replace(&mut self.watched, watched);
        for descriptor in known.keys().filter(|known| !self.watched.contains_key(known)) {
            // The kernel has already removed the watch of a deleted directory.
            let _ = self.inotify.rm_watch(*descriptor);
        }
        let is_known = |(descriptor, names): (&WatchDescriptor, &BTreeSet<OsString>)| {
            known.get(descriptor).is_some_and(|known| known.is_superset(names))
        };
        error.map_or(Ok(!self.watched.iter().all(is_known)), |errno| Err(errno.into()))
    }

    /// How the files have changed since the last call, if at all. Never blocks; further events stay for
    /// the next call.
    pub fn changed(&self) -> io::Result<Option<Change>> {
        let mut changed = None;
        for _ in 0..READS_MAX {
            match self.inotify.read_events() {
                Ok(events) => {
                    let watched = events.iter().filter(|event| self.is_watched(event));
                    changed = changed.max(watched.map(|event| Change::of(event.mask)).max());
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(changed)
    }

    fn is_watched(&self, event: &InotifyEvent) -> bool {
        let names = self.watched.get(&event.wd);
        event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW)
            || names.is_some_and(|names| match &event.name {
                Some(name) => names.contains(name),
                None => true,
            })
    }
}

impl AsFd for Files {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// How files have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// They were replaced or removed.
    Replaced,
    /// At least one was created or written to in place, perhaps not to its end.
    Written,
}

impl Change {
    fn of(events: AddWatchFlags) -> Change {
        let written = AddWatchFlags::IN_CREATE
            .union(AddWatchFlags::IN_MODIFY)
            .union(AddWatchFlags::IN_Q_OVERFLOW);
        if events.intersects(written) { Change::Written } else { Change::Replaced }
    }
}

/// The kind of a directory entry.
#[derive(PartialEq, Eq)]
enum PathKind {
    Directory,
    Symlink(PathBuf),
    File,
    Nothing,
}

impl PathKind {
    fn at(path: &Path) -> PathKind {
        match fs::symlink_metadata(path).map(|found| found.file_type()) {
            Ok(kind) if kind.is_dir() => PathKind::Directory,
            Ok(kind) if kind.is_symlink() => {
                fs::read_link(path).map_or(PathKind::Nothing, PathKind::Symlink)
            }
            Ok(_) => PathKind::File,
            Err(_) => PathKind::Nothing,
        }
    }
}

/// Resolves paths and watches their parts.
struct PathWalker<'a> {
    inotify: &'a Inotify,
    /// The watches by path without symlinks, and the names of interest in each directory.
    places: BTreeMap<PathBuf, (WatchDescriptor, BTreeSet<OsString>)>,
    error: Option<Errno>,
}

impl PathWalker<'_> {
    /// Follows an absolute path as far as it exists.
    fn follow(&mut self, path: &Path) {
        let mut place = PathBuf::from("/");
        let mut rest = names(path);
        let mut symlinks = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                place.pop();
                continue;
            }
            match self.step(&place, &name, rest.is_empty()) {
                PathKind::Directory => place.push(name),
                PathKind::Symlink(target) if symlinks < SYMLINKS_MAX => {
                    symlinks += 1;
                    if target.is_absolute() {
                        place = PathBuf::from("/");
                    }
                    let mut names = names(&target);
                    names.append(&mut rest);
                    rest = names;
                }
                PathKind::Symlink(_) | PathKind::File | PathKind::Nothing => return,
            }
        }
    }

    /// Watches a name, and returns its kind as found after the watch was in place.
    fn step(&mut self, place: &Path, name: &OsStr, is_last: bool) -> PathKind {
        let path = place.join(name);
        let mut found = PathKind::at(&path);
        for _ in 0..ATTEMPTS_MAX {
            let watched = match found {
                PathKind::Directory if !is_last => self.watch(&path, SELF_MASK),
                _ => self.watch_name(place, name),
            };
            if found == PathKind::File {
                // For writes through another hard link. The directory reports whether it exists.
                let _ = self.watch(&path, CONTENT_MASK);
            }
            let found_again = PathKind::at(&path);
            match watched {
                Ok(()) if found_again == found => break,
                // It changes at this moment.
                Ok(()) | Err(Errno::ENOENT | Errno::ENOTDIR) => found = found_again,
                Err(errno) => {
                    self.error.get_or_insert(errno);
                    break;
                }
            }
        }
        found
    }

    fn watch_name(&mut self, directory: &Path, name: &OsStr) -> Result<(), Errno> {
        self.watch(directory, CONTENT_MASK)?;
        if let Some((_, names)) = self.places.get_mut(directory) {
            names.insert(name.to_owned());
        }
        Ok(())
    }

    /// Watches for at least these events.
    fn watch(&mut self, path: &Path, events: AddWatchFlags) -> Result<(), Errno> {
        let names = self.places.get(path).map(|(_, names)| names);
        if names.is_some_and(|names| events == SELF_MASK || !names.is_empty()) {
            return Ok(());
        }
        let events = events | AddWatchFlags::IN_DONT_FOLLOW;
        let descriptor = self.inotify.add_watch(path, events)?;
        self.places.insert(path.to_owned(), (descriptor, BTreeSet::new()));
        Ok(())
    }
}

/// The names in a path, without the root and `.`.
fn names(path: &Path) -> VecDeque<OsString> {
    let components = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    components.collect()
}

#[cfg(test)]
mod tests;
