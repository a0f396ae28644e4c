//! A file with metrics, which is replaced atomically.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::directory::Directory;

/// The time between two writes of the file without events.
const INTERVAL: Duration = Duration::from_secs(60);

/// A file with metrics.
pub struct MetricsFile {
    path: PathBuf,
    /// When it is due next.
    next: Instant,
}

impl MetricsFile {
    /// The file at `path`, due at `now`.
    pub fn new(path: PathBuf, now: Instant) -> MetricsFile {
        MetricsFile { path, next: now }
    }

    /// When it is due next without an event.
    pub fn due(&self) -> Instant {
        self.next
    }

    /// Replaces the file atomically: a reader sees the old text or the new one. A link, FIFO or file
    /// of another program is never opened: the new file has an unpredictable name and must not exist, and
    /// what is at the path is replaced.
    pub fn write(&mut self, text: &str, now: Instant) -> io::Result<()> {
        self.next = now + INTERVAL;
        let name = self.path.file_name().and_then(OsStr::to_str);
        let name = name.ok_or_else(|| io::Error::other("the path does not end in a file name"))?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = Directory::open(parent.unwrap_or(Path::new(".")))?;
        // The textfile collector ignores the file that is renamed, because its name ends in `.new`.
        directory.replace(name, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_file_is_replaced_atomically() {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("dwnl.prom");
        let now = Instant::now();
        let mut file = MetricsFile::new(path.clone(), now);
        assert_eq!(file.due(), now);
        file.write("old 1\n", now).expect("to write");
        assert_eq!(file.due(), now + INTERVAL);
        let old = fs::File::open(&path).expect("the file");
        file.write("new 2\n", now).expect("to write");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "new 2\n");
        assert_eq!(io::read_to_string(old).expect("the old file"), "old 1\n");
        assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 1);
    }

    #[test]
    fn links_are_not_written_through() {
        let directory = TempDir::new().expect("a directory");
        let (path, victim) = (directory.path().join("dwnl.prom"), directory.path().join("victim"));
        fs::write(&victim, "precious").expect("to write");
        for name in [".dwnl.prom.new", "dwnl.prom.new", "dwnl.prom"] {
            symlink(&victim, directory.path().join(name)).expect("a link");
        }
        let now = Instant::now();
        MetricsFile::new(path.clone(), now).write("new 2\n", now).expect("to write");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "new 2\n");
        assert_eq!(fs::read_to_string(&victim).expect("the victim"), "precious");
    }
}
