//! The stored policies: `policy.applied` is the policy in force, `policy.previous` the one before its
//! last change.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dwnl::Policy;
use dwnl::engine::KnownSets;
use dwnl::policy::Diagnostics;
use dwnl::state::{Metadata, NewPolicy, STATE_MAX, StateError, StoredPolicy, fingerprint};
use nix::fcntl::Flock;
use nix::unistd::getuid;

use super::known_containers::KnownContainers;
use super::location::{STATE_DIRECTORY, StateOptions};
use crate::directory::Directory;

const APPLIED: &str = "policy.applied";
const PREVIOUS: &str = "policy.previous";
const CONTAINERS: &str = "containers.known";
/// The maximum size of the stored containers in bytes.
const CONTAINERS_MAX: usize = 64 << 20;
const STAMP: &str = "policy.stamp";
/// The maximum size of a stamp in bytes: that of a path, and some numbers.
const STAMP_MAX: usize = 8192;
const SETS: &str = "sets.known";
/// The maximum size of what is stored of the sets in bytes.
const SETS_MAX: usize = 256 << 20;
/// The mode of a state directory that the program itself creates.
const PRIVATE: u32 = 0o700;
/// The login ID of a process that was not started from a login.
const NO_LOGIN: u32 = u32::MAX;

/// The state directory.
#[derive(Debug)]
pub struct Store {
    directory: Directory,
}

/// The fingerprint of a policy may be another one in each version.
const VERSION: &[u8] = concat!(env!("CARGO_PKG_VERSION"), "\n").as_bytes();

/// By which a touched file is known: its inode, size and time of change.
type FileNumbers = [[u8; 8]; 4];

/// What the stored policy is to the one that is put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    /// The same one from the same source.
    Same,
    /// Another one, or from another source, or none.
    Older,
}

/// What the stored policy is.
#[derive(PartialEq, Eq)]
struct Stamp {
    fingerprint: [u8; 32],
    source: PathBuf,
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory or a file cannot be used.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Its path.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// A file is damaged, or another version of dwnl wrote it.
    #[error("{}: {error}", .path.display())]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// The reason.
        error: StateError,
    },
    /// The stored containers are damaged, or another version of dwnl wrote them.
    #[error("{}: {reason}", .path.display())]
    Containers {
        /// The path of the file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A stored policy has errors.
    #[error("{0}")]
    Policy(Diagnostics),
}

impl Store {
    /// Opens the state directory; `None` if no state is kept. Has to precede the loss of capabilities,
    /// with which the network namespace of the host could not be recognised any more.
    ///
    /// # Errors
    /// If the directory cannot be opened, or if others may write to it.
    pub fn open(options: StateOptions) -> Result<Option<Store>, StoreError> {
        options.path().map(|path| Store::open_path(&path)).transpose()
    }

    /// The state directory, if it exists and can be used: for a command that changes nothing.
    pub fn find(options: StateOptions) -> Option<Store> {
        let path = options.path().filter(|path| path.is_dir())?;
        Store::open_path(&path).ok()
    }

    pub(super) fn open_path(path: &Path) -> Result<Store, StoreError> {
        let failed = |error| StoreError::Io { path: path.to_owned(), error };
        if path == Path::new(STATE_DIRECTORY) {
            create(path).map_err(failed)?;
        }
        let directory = Directory::open(path).map_err(failed)?;
        directory.require_private().map_err(failed)?;
        Ok(Store { directory })
    }

    /// The policy that was put in force last; `None` if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn applied(&self) -> Result<Option<StoredPolicy>, StoreError> {
        self.read(APPLIED)
    }

    /// The policy that was in force before the last change of the policy; `None` if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn previous(&self) -> Result<Option<StoredPolicy>, StoreError> {
        self.read(PREVIOUS)
    }

    /// The policy that was put in force last, read; `None` if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged, or its policy has errors.
    pub fn last_valid(&self) -> Result<Option<(Policy, Metadata)>, StoreError> {
        let Some(stored) = self.applied()? else { return Ok(None) };
        let name = self.path(APPLIED).to_string_lossy().into_owned();
        let policy = stored.policy(&name).map_err(StoreError::Policy)?;
        Ok(Some((policy, stored.metadata().clone())))
    }

    /// Notes that `command` has put a policy in force that was read from `source`. If it is not the
    /// policy that was in force before, that one becomes the previous one.
    ///
    /// # Errors
    /// If the files cannot be written. They are then as before.
    pub fn record(&self, policy: &Policy, source: &Path, command: &str) -> Result<(), StoreError> {
        let source = std::path::absolute(source).ok().filter(|_| source != Path::new("-"));
        let stamp = Stamp {
            fingerprint: fingerprint(policy),
            source: source.unwrap_or_else(|| "-".into()),
        };
        if self.stamped().is_some_and(|stored| stored == stamp) {
            return Ok(());
        }
        let metadata = Metadata::new(&stamp.source, command, SystemTime::now(), getuid().as_raw());
        let new = NewPolicy::new(policy, metadata.with_login_uid(login_uid()));
        let _lock = self.lock()?;
        if self.keep_previous(&new, &stamp)? == Stored::Older {
            let written = self.directory.replace_durably(APPLIED, |file| new.write_to(file));
            written.map_err(|error| self.io(APPLIED, error))?;
        }
        if let Some(stamp) = self.stamp_bytes(&stamp) {
            // Without it the stored policy is read again.
            let _ = self.directory.replace(STAMP, &stamp);
        }
        Ok(())
    }

    /// Makes the stored policy the previous one, if it is another one than the new one.
    fn keep_previous(&self, new: &NewPolicy, stamp: &Stamp) -> Result<Stored, StoreError> {
        if let Some(stored) = self.stamped() {
            let is_same = stored.fingerprint == stamp.fingerprint;
            // fs.protected_hardlinks forbids links to other users' files. They are copied.
            if is_same || self.directory.link(APPLIED, PREVIOUS).is_ok() {
                return Ok(Stored::Older);
            }
        }
        // A damaged file is replaced, and does not become the previous policy.
        let Some(stored) = self.applied().unwrap_or_default() else { return Ok(Stored::Older) };
        if !new.is_stored_as(&stored) {
            self.write_file(PREVIOUS, stored.as_bytes())?;
        } else if stored.metadata().source == stamp.source {
            return Ok(Stored::Same);
        }
        Ok(Stored::Older)
    }

    /// What the stored policy is, as far as can be told without reading it: it was when the stamp was
    /// written, and nobody has touched the file since.
    fn stamped(&self) -> Option<Stamp> {
        let bytes = self.directory.read_own(STAMP, STAMP_MAX).ok().flatten()?;
        let (fingerprint, rest) = bytes.split_first_chunk::<32>()?;
        let source = rest.get(size_of::<FileNumbers>()..)?.strip_prefix(VERSION)?;
        let source = PathBuf::from(OsStr::from_bytes(source));
        let stamp = Stamp { fingerprint: *fingerprint, source };
        let is_untouched = self.stamp_bytes(&stamp).is_some_and(|it| it == bytes);
        is_untouched.then_some(stamp)
    }

    /// The stamp, and which file holds the policy.
    fn stamp_bytes(&self, stamp: &Stamp) -> Option<Vec<u8>> {
        let file = fs::symlink_metadata(self.path(APPLIED)).ok()?;
        let size = file.size().cast_signed();
        let numbers = [file.ino().cast_signed(), size, file.ctime(), file.ctime_nsec()];
        let numbers: FileNumbers = numbers.map(i64::to_le_bytes);
        let source = stamp.source.as_os_str().as_bytes();
        Some([&stamp.fingerprint, numbers.as_flattened(), VERSION, source].concat())
    }

    /// When a file was written last; `None` if there is none.
    pub(super) fn modified(&self, name: &str) -> Option<SystemTime> {
        fs::symlink_metadata(self.path(name)).ok()?.modified().ok()
    }

    /// Keeps other commands from changing the directory.
    pub(super) fn lock(&self) -> Result<Flock<OwnedFd>, StoreError> {
        self.directory.lock().map_err(|error| self.io(".", error))
    }

    /// The containers that were known last; `None` if there are none.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn known_containers(&self) -> Result<Option<KnownContainers>, StoreError> {
        let bytes = self.directory.read(CONTAINERS, CONTAINERS_MAX);
        let bytes = bytes.map_err(|error| self.io(CONTAINERS, error))?;
        let known = bytes.map(|bytes| KnownContainers::from_bytes(&bytes)).transpose();
        known.map_err(|reason| StoreError::Containers { path: self.path(CONTAINERS), reason })
    }

    /// Stores the containers, unless the same are stored already. They need not survive a loss of power.
    ///
    /// # Errors
    /// If the file cannot be written. It is then as before.
    pub fn record_containers(&self, found: &KnownContainers) -> Result<(), StoreError> {
        // A damaged file is replaced.
        let known = self.known_containers().unwrap_or_default();
        if known.is_some_and(|known| known.containers == found.containers) {
            return Ok(());
        }
        let _lock = self.lock()?;
        let written = self.directory.replace(CONTAINERS, &found.to_bytes());
        written.map_err(|error| self.io(CONTAINERS, error))
    }

    /// What was known last of the kernel's sets. It only saves time: where it cannot be read, or others
    /// than root and the program's user may have written it, the sets are read.
    pub fn known_sets(&self) -> Option<KnownSets> {
        self.directory.read_own(SETS, SETS_MAX).ok().flatten().and_then(KnownSets::from_bytes)
    }

    /// Stores what is known of the kernel's sets. It need not survive a loss of power, and if it cannot be
    /// written, the file is of another generation than the kernel.
    pub fn record_sets(&self, known: &KnownSets) {
        if let Ok(_lock) = self.directory.lock() {
            let _ = self.directory.replace(SETS, known.as_bytes());
        }
    }

    fn read(&self, name: &str) -> Result<Option<StoredPolicy>, StoreError> {
        let stored = self.read_file(name, STATE_MAX)?.map(StoredPolicy::from_bytes).transpose();
        stored.map_err(|error| self.invalid(name, error))
    }

    /// The content of a file of at most `max` bytes; `None` if there is none.
    pub(super) fn read_file(&self, name: &str, max: usize) -> Result<Option<Vec<u8>>, StoreError> {
        self.directory.read(name, max).map_err(|error| self.io(name, error))
    }

    /// Replaces a file.
    pub(super) fn write_file(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let written = self.directory.replace_durably(name, |file| file.write_all(content));
        written.map_err(|error| self.io(name, error))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn io(&self, name: &str, error: io::Error) -> StoreError {
        StoreError::Io { path: self.path(name), error }
    }

    fn invalid(&self, name: &str, error: StateError) -> StoreError {
        StoreError::Invalid { path: self.path(name), error }
    }
}

/// Creates the directory for the program's user alone, if it is missing. The package creates it for the
/// services' user too.
fn create(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(PRIVATE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// The user who has logged in to start the program, as the kernel's audit knows it.
fn login_uid() -> Option<u32> {
    let text = fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|uid| *uid != NO_LOGIN)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    fn policy(port: u16) -> Policy {
        let text = format!("[[allow]]\nports = [\"{port}/tcp\"]\n");
        Policy::parse(&text, "policy.toml", Path::new("")).expect("a policy")
    }

    fn store() -> (TempDir, Store) {
        let directory = TempDir::new().expect("a directory");
        let store = Store::open_path(directory.path()).expect("a store");
        (directory, store)
    }

    fn text(stored: Result<Option<StoredPolicy>, StoreError>) -> Option<String> {
        stored.expect("a store").map(|stored| stored.policy_text().to_owned())
    }

    fn record(store: &Store, port: u16) {
        store.record(&policy(port), Path::new("/p.toml"), "apply").expect("to write");
    }

    #[test]
    fn the_applied_and_the_previous_policy_are_kept() {
        let (_directory, store) = store();
        assert_eq!((text(store.applied()), text(store.previous())), (None, None));
        record(&store, 1);
        let first = Some(policy(1).to_toml());
        assert_eq!((text(store.applied()), text(store.previous())), (first.clone(), None));
        record(&store, 2);
        record(&store, 2);
        let second = Some(policy(2).to_toml());
        assert_eq!(
            (text(store.applied()), text(store.previous())),
            (second.clone(), first.clone())
        );
        record(&store, 1);
        assert_eq!((text(store.applied()), text(store.previous())), (first, second));
    }

    #[test]
    fn the_same_policy_from_another_file_keeps_the_previous_one() {
        let (_directory, store) = store();
        record(&store, 1);
        record(&store, 2);
        store.record(&policy(2), Path::new("other.toml"), "watch").expect("to write");
        assert_eq!(text(store.previous()), Some(policy(1).to_toml()));
        let (read, metadata) = store.last_valid().expect("a store").expect("a policy");
        assert_eq!(read.to_toml(), policy(2).to_toml());
        assert_eq!(metadata.command, "watch");
        assert!(metadata.source.is_absolute() && metadata.source.ends_with("other.toml"));
    }

    #[test]
    fn a_stored_policy_that_was_touched_is_read_again() {
        let (directory, store) = store();
        record(&store, 1);
        let path = directory.path().join(APPLIED);
        let intact = fs::read(&path).expect("the file");
        let inode = || fs::metadata(&path).expect("the file").ino();
        let before = inode();
        record(&store, 1);
        assert_eq!(inode(), before, "nothing is written");
        fs::write(&path, "damaged").expect("to write");
        record(&store, 1);
        assert_eq!(text(store.applied()), Some(policy(1).to_toml()), "not the same size");
        let mut damaged = intact;
        damaged[20] ^= 1;
        fs::write(&path, damaged).expect("to write");
        record(&store, 1);
        assert_eq!(text(store.applied()), Some(policy(1).to_toml()), "the same size");
        fs::remove_file(&path).expect("the file");
        record(&store, 1);
        assert_eq!(text(store.applied()), Some(policy(1).to_toml()), "missing");
    }

    #[test]
    fn a_damaged_file_is_reported_and_replaced() {
        let (directory, store) = store();
        record(&store, 1);
        record(&store, 2);
        let path = directory.path().join(APPLIED);
        let damaged = fs::read_to_string(&path).expect("the file").replace("2/tcp", "3/tcp");
        fs::write(&path, damaged).expect("to write");
        let error = store.last_valid().expect_err("an error").to_string();
        assert!(error.ends_with("policy.applied: wrong checksum"), "{error}");
        record(&store, 4);
        assert_eq!(text(store.applied()), Some(policy(4).to_toml()));
        assert_eq!(text(store.previous()), Some(policy(1).to_toml()));
    }

    #[test]
    fn links_are_neither_read_nor_written_through() {
        let (directory, store) = store();
        let victim = directory.path().join("victim");
        fs::write(&victim, "precious").expect("to write");
        symlink(&victim, directory.path().join(APPLIED)).expect("a link");
        assert!(store.applied().is_err());
        record(&store, 1);
        assert_eq!(text(store.applied()), Some(policy(1).to_toml()));
        assert_eq!(fs::read_to_string(&victim).expect("the victim"), "precious");
    }

    #[test]
    fn a_directory_of_others_is_refused() {
        let directory = TempDir::new().expect("a directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("the mode");
        let error = Store::open_path(directory.path()).expect_err("an error").to_string();
        assert!(error.ends_with("every user may write to the directory"), "{error}");
        assert!(Store::open_path(&directory.path().join("missing")).is_err());
    }
}
