//! Which files and symlinks a policy hangs on, and being told when one of them is changed, replaced,
//! removed or put there.
//!
//! A path leads from directory to directory, and by each symlink on. Where it is decided how it goes on
//! from a directory, by a symlink, by the file at its end or because nothing is there, changes of
//! that one name in the directory matter; of any other directory on the way only whether it is moved or
//! deleted. So a swapped symlink is noticed however deep it lies, and what happens beside the way
//! hardly ever wakes anybody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

/// That what is watched goes itself.
const SELF_MASK: AddWatchFlags = AddWatchFlags::IN_DELETE_SELF.union(AddWatchFlags::IN_MOVE_SELF);
/// Whatever changes what is read under a name in a directory, or of a file.
const CONTENT_MASK: AddWatchFlags = SELF_MASK
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_ATTRIB);

/// So many symlinks are followed on one way, as the kernel does it.
const SYMLINKS_MAX: usize = 40;
/// So often a step is looked at anew because it changes at this very moment.
const LOOKS_MAX: usize = 16;

/// So often events are read before anything else is looked at again: where a directory never rests,
/// there are always more.
const READS_MAX: usize = 16;

/// The ways to some files, watched.
pub struct Files {
    inotify: Inotify,
    watched: Watched,
}

/// What is watched, and the names that matter there.
type Watched = BTreeMap<WatchDescriptor, BTreeSet<OsString>>;

impl Files {
    /// Watches nothing yet.
    pub fn new() -> io::Result<Files> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Files { inotify, watched: Watched::new() })
    }

    /// Watches the ways to these files and no others. Whether anything of it was not watched before:
    /// then it may have changed since it was read.
    ///
    /// # Errors
    /// If a part of it cannot be watched; the rest is.
    pub fn follow(&mut self, files: &[PathBuf]) -> io::Result<bool> {
        let mut ways = PathWalker { inotify: &self.inotify, places: BTreeMap::new(), error: None };
        let mut watched = Watched::new();
        for file in files {
            ways.follow(&std::path::absolute(file)?);
        }
        for (descriptor, names) in ways.places.into_values() {
            watched.entry(descriptor).or_default().extend(names);
        }
        let error = ways.error;
        let known = std::mem::replace(&mut self.watched, watched);
        for descriptor in known.keys().filter(|known| !self.watched.contains_key(known)) {
            // The kernel has done so already where the directory has gone.
            let _ = self.inotify.rm_watch(*descriptor);
        }
        let is_known = |(descriptor, names): (&WatchDescriptor, &BTreeSet<OsString>)| {
            known.get(descriptor).is_some_and(|known| known.is_superset(names))
        };
        error.map_or(Ok(!self.watched.iter().all(is_known)), |errno| Err(errno.into()))
    }

    /// Whether something on the ways has changed since this was last asked, as far as that can be told
    /// before anything else is looked at again.
    pub fn changed(&self) -> io::Result<bool> {
        let mut changed = false;
        for _ in 0..READS_MAX {
            match self.inotify.read_events() {
                Ok(events) => changed |= events.iter().any(|event| self.is_watched(event)),
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

/// What is found under a name.
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

/// Ways that are being followed.
struct PathWalker<'a> {
    inotify: &'a Inotify,
    /// What is watched on them, by paths without symlinks, and the names that matter there.
    places: BTreeMap<PathBuf, (WatchDescriptor, BTreeSet<OsString>)>,
    error: Option<Errno>,
}

impl PathWalker<'_> {
    /// Follows an absolute path as far as it leads.
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

    /// What is found under a name, which is watched from before it was found there.
    fn step(&mut self, place: &Path, name: &OsStr, is_last: bool) -> PathKind {
        let path = place.join(name);
        let mut found = PathKind::at(&path);
        for _ in 0..LOOKS_MAX {
            let watched = match found {
                PathKind::Directory if !is_last => self.watch(&path, SELF_MASK),
                _ => self.watch_name(place, name),
            };
            if found == PathKind::File {
                // For what is written to it by another path. Whether it is there the directory tells.
                let _ = self.watch(&path, CONTENT_MASK);
            }
            let found_again = PathKind::at(&path);
            match watched {
                Ok(()) if found_again == found => break,
                // It is going at this moment.
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

    /// Watches for these events, or for more.
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

/// The names on a way, without what leads nowhere else.
fn names(path: &Path) -> VecDeque<OsString> {
    let components = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    components.collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A directory with files, and one of them followed.
    struct Site {
        directory: TempDir,
        files: Files,
    }

    impl Site {
        /// Follows `policy.toml`, once `prepare` has made the directory what it is to be.
        fn new(prepare: impl FnOnce(&Path)) -> Site {
            let directory = TempDir::new().expect("a directory");
            prepare(directory.path());
            let mut site = Site { directory, files: Files::new().expect("inotify") };
            assert!(site.follow());
            assert!(!site.files.changed().expect("events"));
            site
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn follow(&mut self) -> bool {
            let file = self.path("policy.toml");
            self.files.follow(&[file]).expect("to watch")
        }

        /// Something is noticed before there are no more events.
        #[track_caller]
        fn notices_in_the_end(&self) {
            let mut rest = std::iter::repeat_with(|| self.files.changed().expect("events"));
            assert!(rest.by_ref().take(100).any(|changed| changed), "it is not noticed");
        }

        /// Lets somebody do a lot beside the policy.
        fn bustle(&self) {
            for name in ["a", "b"].iter().cycle().take(4_000) {
                fs::write(self.path(name), "x").expect("to write");
            }
        }

        /// What a change does is noticed, and so is another one once the ways are followed anew.
        #[track_caller]
        fn notices(&mut self, change: impl FnOnce(&Site)) {
            change(self);
            assert!(self.files.changed().expect("events"), "it is not noticed");
            assert!(!self.files.changed().expect("events"), "it is noticed twice");
            self.follow();
            assert!(!self.files.changed().expect("events"), "following is no change");
            assert!(!self.follow(), "there is nothing new");
        }

        #[track_caller]
        fn passes_over(&mut self, change: impl FnOnce(&Site)) {
            change(self);
            assert!(!self.files.changed().expect("events"));
        }
    }

    fn write(path: &Path) {
        fs::write(path, "# a policy").expect("to write");
    }

    fn link(target: &str, path: &Path) {
        symlink(target, path).expect("to make a symlink");
    }

    fn rename(from: &Path, to: &Path) {
        fs::rename(from, to).expect("to rename");
    }

    fn plain(directory: &Path) {
        write(&directory.join("policy.toml"));
    }

    /// `policy.toml` → `..data/policy.toml`, and `..data` → `..1`, as Kubernetes mounts a ConfigMap.
    fn config_map(directory: &Path) {
        fs::create_dir(directory.join("..1")).expect("a directory");
        write(&directory.join("..1/policy.toml"));
        link("..1", &directory.join("..data"));
        link("..data/policy.toml", &directory.join("policy.toml"));
    }

    #[test]
    fn a_directory_that_never_rests_holds_nothing_up() {
        let site = Site::new(plain);
        site.bustle();
        fs::write(site.path("policy.toml"), "2").expect("to write");
        assert!(!site.files.changed().expect("events"), "it reads to the end");
        site.notices_in_the_end();
    }

    #[test]
    fn a_file_that_is_written_to() {
        let mut site = Site::new(plain);
        site.notices(|site| write(&site.path("policy.toml")));
        let mut file = File::options().append(true).open(site.path("policy.toml")).expect("it");
        site.notices(|_| file.write_all(b"# more").expect("to write"));
    }

    #[test]
    fn reading_it_is_no_change() {
        let mut site = Site::new(plain);
        site.passes_over(|site| drop(fs::read(site.path("policy.toml")).expect("to read")));
    }

    #[test]
    fn a_file_that_an_editor_replaces() {
        let mut site = Site::new(plain);
        for _ in 0..2 {
            site.passes_over(|site| write(&site.path(".policy.toml.swp")));
            site.notices(|site| rename(&site.path(".policy.toml.swp"), &site.path("policy.toml")));
        }
        site.notices(|site| rename(&site.path("policy.toml"), &site.path("policy.toml~")));
        site.notices(|site| write(&site.path("policy.toml")));
        site.passes_over(|site| write(&site.path("policy.toml~")));
    }

    #[test]
    fn a_file_that_goes_and_comes_back() {
        let mut site = Site::new(plain);
        for _ in 0..2 {
            site.notices(|site| fs::remove_file(site.path("policy.toml")).expect("to remove it"));
            site.notices(|site| write(&site.path("policy.toml")));
        }
    }

    #[test]
    fn a_file_whose_permissions_change() {
        let mut site = Site::new(plain);
        site.notices(|site| {
            let mut permissions = fs::metadata(site.path("policy.toml")).expect("it").permissions();
            permissions.set_readonly(true);
            fs::set_permissions(site.path("policy.toml"), permissions).expect("to change it");
        });
    }

    #[test]
    fn a_file_that_is_written_to_under_another_name() {
        let mut site = Site::new(|directory| {
            plain(directory);
            fs::create_dir(directory.join("elsewhere")).expect("a directory");
            let other = directory.join("elsewhere/other.toml");
            fs::hard_link(directory.join("policy.toml"), other).expect("a link");
        });
        site.notices(|site| write(&site.path("elsewhere/other.toml")));
    }

    #[test]
    fn a_symlink_that_is_swapped() {
        let mut site = Site::new(config_map);
        for version in ["..2", "..3"] {
            site.passes_over(|site| {
                fs::create_dir(site.path(version)).expect("a directory");
                write(&site.path(version).join("policy.toml"));
                link(version, &site.path("..data_tmp"));
            });
            site.notices(|site| rename(&site.path("..data_tmp"), &site.path("..data")));
            site.notices(|site| write(&site.path(version).join("policy.toml")));
        }
        site.passes_over(|site| write(&site.path("..1/policy.toml")));
    }

    #[test]
    fn a_symlink_among_the_directories() {
        let mut site = Site::new(|directory| {
            for version in ["1", "2"] {
                fs::create_dir_all(directory.join("versions").join(version)).expect("directories");
                write(&directory.join("versions").join(version).join("policy.toml"));
            }
            let absolute = directory.join("versions/1");
            link(&absolute.to_string_lossy(), &directory.join("current"));
            link("versions/../current/policy.toml", &directory.join("policy.toml"));
        });
        site.notices(|site| write(&site.path("versions/1/policy.toml")));
        site.passes_over(|site| write(&site.path("versions/2/policy.toml")));
        site.notices(|site| {
            fs::remove_file(site.path("current")).expect("to remove the symlink");
            link("versions/2", &site.path("current"));
        });
        site.notices(|site| write(&site.path("versions/2/policy.toml")));
    }

    #[test]
    fn directories_that_are_moved_or_not_there_yet() {
        let mut site = Site::new(|directory| link("a/b/c.toml", &directory.join("policy.toml")));
        site.notices(|site| fs::create_dir(site.path("a")).expect("a directory"));
        site.passes_over(|site| write(&site.path("a/other")));
        site.notices(|site| fs::create_dir(site.path("a/b")).expect("a directory"));
        site.notices(|site| write(&site.path("a/b/c.toml")));
        site.passes_over(|site| write(&site.path("a/other")));
        site.notices(|site| rename(&site.path("a"), &site.path("old")));
        site.notices(|site| rename(&site.path("old"), &site.path("a")));
        site.notices(|site| write(&site.path("a/b/c.toml")));
        site.notices(|site| fs::remove_dir_all(site.path("a")).expect("to remove it"));
        site.notices(|site| fs::create_dir_all(site.path("a/b")).expect("directories"));
        site.notices(|site| write(&site.path("a/b/c.toml")));
    }

    #[test]
    fn a_symlink_that_leads_to_itself() {
        let mut site = Site::new(|directory| link("policy.toml", &directory.join("policy.toml")));
        site.notices(|site| {
            write(&site.path("new"));
            rename(&site.path("new"), &site.path("policy.toml"));
        });
        site.notices(|site| write(&site.path("policy.toml")));
    }

    #[test]
    fn files_that_are_followed_no_more() {
        let mut site = Site::new(plain);
        site.passes_over(|site| write(&site.path("list")));
        let files = [site.path("policy.toml"), site.path("list")];
        assert!(site.files.follow(&files).expect("to watch"), "the list may have changed before");
        site.notices(|site| write(&site.path("list")));
        assert!(!site.follow());
        site.passes_over(|site| write(&site.path("list")));
    }

    #[test]
    fn more_events_than_the_kernel_keeps() {
        let site = Site::new(plain);
        let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("a limit");
        let queue: usize = queue.trim().parse().expect("a number");
        let (one, other) = (site.path("one"), site.path("other"));
        for _ in 0..=queue / 2 {
            write(&one);
            write(&other);
        }
        site.notices_in_the_end();
    }
}
