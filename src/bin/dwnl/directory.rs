//! Files that are replaced as a whole. Every file is opened by its name in an open directory, and never
//! through a link.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, open, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat};
use nix::unistd::{UnlinkatFlags, fsync, geteuid, linkat, unlinkat};

/// The flags for every file: neither links nor FIFOs without a reader are waited for or followed.
const SAFE: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);
/// The pause between two attempts to lock a directory, and their number.
const LOCK_PAUSE: Duration = Duration::from_millis(20);
const LOCK_ATTEMPTS: u32 = 50;

/// An open directory.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    directory: OwnedFd,
}

impl Directory {
    /// Opens the directory at `path`, which may be reached through links.
    pub fn open(path: &Path) -> io::Result<Directory> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let directory = open(path, flags, Mode::empty())?;
        Ok(Directory { path: path.to_owned(), directory })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if users other than root, the program's user and the directory's group can change what is
    /// in it.
    pub fn require_private(&self) -> io::Result<()> {
        let found = fstat(&self.directory)?;
        if found.st_uid != 0 && found.st_uid != geteuid().as_raw() {
            let user = found.st_uid;
            return Err(io::Error::other(format!("the directory belongs to user {user}")));
        }
        if found.st_mode & Mode::S_IWOTH.bits() != 0 {
            return Err(io::Error::other("every user may write to the directory"));
        }
        Ok(())
    }

    /// Keeps other programs that also lock the directory from changing it. Fails after a second.
    pub fn lock(&self) -> io::Result<Flock<OwnedFd>> {
        // The lock belongs to a descriptor that is opened for it alone.
        let mut directory = Directory::open(&self.path)?.directory;
        for _ in 0..LOCK_ATTEMPTS {
            match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((same, Errno::EWOULDBLOCK | Errno::EINTR)) => directory = same,
                Err((_, errno)) => return Err(errno.into()),
            }
            thread::sleep(LOCK_PAUSE);
        }
        Err(io::Error::other("another program has locked the directory"))
    }

    /// The content of a regular file of at most `max` bytes; `None` if there is no file.
    pub fn read(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        self.read_if(name, max, |_| true)
    }

    /// [`Directory::read`] of a file that nobody but root or the program's user has written or can write;
    /// `None` if it is not such a file.
    pub fn read_own(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let others_write = Mode::S_IWGRP.bits() | Mode::S_IWOTH.bits();
        self.read_if(name, max, |found| {
            (found.st_uid == 0 || found.st_uid == geteuid().as_raw())
                && found.st_mode & others_write == 0
        })
    }

    fn read_if(
        &self,
        name: &str,
        max: usize,
        is_wanted: impl FnOnce(&FileStat) -> bool,
    ) -> io::Result<Option<Vec<u8>>> {
        let file = match openat(&self.directory, name, OFlag::O_RDONLY | SAFE, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err(io::Error::other("it is a symbolic link")),
            file => file?,
        };
        let found = fstat(&file)?;
        if !is_regular(&found) {
            return Err(io::Error::other("not a regular file"));
        }
        if !is_wanted(&found) {
            return Ok(None);
        }
        let mut bytes =
            Vec::with_capacity(usize::try_from(found.st_size).unwrap_or(0).min(max) + 1);
        File::from(file).take(max as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > max {
            return Err(io::Error::other(format!("more than {max} bytes")));
        }
        Ok(Some(bytes))
    }

    /// Replaces a file by another one that every user may read: a reader finds the old content or the
    /// new one. What has the name is replaced itself, also if it is a link.
    pub fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.exchange(name, |file| file.write_all(content), |_| Ok(()))
    }

    /// [`Directory::replace`] for a file that has to survive a loss of power, the old content or the new
    /// one. `write` writes the content.
    pub fn replace_durably(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.exchange(name, write, |file| file.sync_all())?;
        Ok(fsync(&self.directory)?)
    }

    /// Gives a file a second name, in place of what has it. Later changes of one name do not touch the other.
    pub fn link(&self, name: &str, second: &str) -> io::Result<()> {
        let new = format!(".{second}.new");
        self.remove_left(&new)?;
        linkat(&self.directory, name, &self.directory, new.as_str(), AtFlags::empty())?;
        Ok(renameat(&self.directory, new.as_str(), &self.directory, second)?)
    }

    fn exchange(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
        sync: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let new = format!(".{name}.new");
        let file = self.create(&new)?;
        let written = fill(file, write)
            .and_then(|file| sync(&file))
            .and_then(|()| Ok(renameat(&self.directory, new.as_str(), &self.directory, name)?));
        if written.is_err() {
            // What is left is removed by the next attempt.
            let _ = unlinkat(&self.directory, new.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        written
    }

    /// Creates a file.
    fn create(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | SAFE;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        self.remove_left(name)?;
        Ok(openat(&self.directory, name, flags, mode)?)
    }

    /// Removes what has the name of a new file, and does not open it: it is from a program that was killed,
    /// or from a user who may write to the directory.
    fn remove_left(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Writes the content, for every user to read.
fn fill(
    file: OwnedFd,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<File> {
    let mut file = BufWriter::new(File::from(file));
    write(&mut file)?;
    let file = file.into_inner()?;
    let readable = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH;
    fchmod(file.as_fd(), readable)?;
    Ok(file)
}

fn is_regular(found: &FileStat) -> bool {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::sys::stat::{Mode, mode_t};
    use nix::unistd::mkfifo;
    use tempfile::TempDir;

    use super::*;

    fn directory() -> (TempDir, Directory) {
        let path = TempDir::new().expect("a directory");
        let directory = Directory::open(path.path()).expect("the directory");
        (path, directory)
    }

    fn mode(path: &Path) -> mode_t {
        fs::symlink_metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let (path, directory) = directory();
        assert_eq!(directory.read("file", 9).expect("no file"), None);
        directory.replace("file", b"old").expect("to write");
        let old = File::open(path.path().join("file")).expect("the file");
        directory.replace("file", b"new").expect("to write");
        assert_eq!(directory.read("file", 3).expect("the file").as_deref(), Some(&b"new"[..]));
        assert_eq!(io::read_to_string(old).expect("the old file"), "old");
        assert!(directory.read("file", 2).is_err());
        assert_eq!(mode(&path.path().join("file")), 0o644);
        assert_eq!(fs::read_dir(path.path()).expect("the directory").count(), 1);
    }

    #[test]
    fn names_that_others_have_put_there_are_no_weapon() {
        let (path, directory) = directory();
        let (victim, new) = (path.path().join("victim"), path.path().join(".file.new"));
        fs::write(&victim, "precious").expect("to write");
        let plants: [&dyn Fn(&Path); 4] = [
            &|path| symlink(&victim, path).expect("a link"),
            &|path| symlink("/nonexistent", path).expect("a link"),
            &|path| fs::hard_link(&victim, path).expect("a link"),
            &|path| mkfifo(path, Mode::S_IRWXU).expect("a FIFO"),
        ];
        for plant in plants {
            let name = path.path().join("file");
            plant(&new);
            plant(&name);
            directory.replace("file", b"content").expect("to write");
            let content = directory.read("file", 99).expect("the file");
            assert_eq!(content.as_deref(), Some(&b"content"[..]));
            assert_eq!(fs::read_to_string(&victim).expect("the victim"), "precious");
            assert!(!new.exists());
            fs::remove_file(name).expect("the file");
        }
        fs::create_dir(&new).expect("a directory");
        assert!(directory.replace("file", b"content").is_err());
    }

    #[test]
    fn only_regular_files_are_read() {
        let (path, directory) = directory();
        fs::write(path.path().join("file"), "content").expect("to write");
        symlink("file", path.path().join("link")).expect("a link");
        mkfifo(&path.path().join("fifo"), Mode::S_IRWXU).expect("a FIFO");
        fs::create_dir(path.path().join("directory")).expect("a directory");
        for name in ["link", "fifo", "directory"] {
            assert!(directory.read(name, 99).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_that_others_may_have_written_is_not_read() {
        let (path, directory) = directory();
        assert_eq!(directory.read_own("file", 9).expect("no file"), None);
        directory.replace("file", b"content").expect("to write");
        let file = path.path().join("file");
        for (mode, is_own) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false)] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).expect("the mode");
            assert_eq!(
                directory.read_own("file", 9).expect("the file").is_some(),
                is_own,
                "{mode:o}"
            );
        }
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let (path, directory) = directory();
        directory.require_private().expect("a private directory");
        for (mode, is_private) in [(0o2770, true), (0o755, true), (0o1777, false), (0o702, false)] {
            fs::set_permissions(path.path(), Permissions::from_mode(mode)).expect("the mode");
            assert_eq!(directory.require_private().is_ok(), is_private, "{mode:o}");
        }
    }

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let (_path, directory) = directory();
        let lock = directory.lock().expect("the lock");
        assert!(directory.lock().is_err());
        drop(lock);
        directory.lock().expect("the lock");
    }
}
