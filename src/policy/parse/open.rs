//! Opens the files of a policy: regular files only, without blocking, and with warnings about files
//! that other users can change or that have been replaced.

use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::getegid;

use crate::policy::WarningKind;
use crate::policy::diag::Issue;

/// The permission bits of the group and of all other users to write.
const OTHERS_WRITE: u32 = 0o022;
const WORLD_WRITE: u32 = 0o002;
/// In a directory with this bit, only the owners of a file and of the directory can replace the file.
const STICKY: u32 = 0o1000;

/// Opens the file at `path`. `help` says what to pass in place of a FIFO, a socket or a device.
///
/// The type is checked before the file is opened, because opening a device or a FIFO can have side
/// effects, and again afterwards, because the file may have been replaced in between. `O_NONBLOCK`
/// keeps such a FIFO from blocking; it has no effect on a regular file.
pub(super) fn open(path: &Path, help: &str) -> Result<(File, Vec<WarningKind>), Issue> {
    let check = |found: &Metadata| match unsuitable(found.file_type()) {
        Some(what) if found.is_dir() => Err(Issue::new(what)),
        Some(what) => Err(Issue::new(what).help(help)),
        None => Ok(()),
    };
    check(&fs::metadata(path).map_err(|error| describe(&error))?)?;
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| describe(&error))?;
    let found = file.metadata().map_err(|error| describe(&error))?;
    check(&found)?;
    Ok((file, warnings(path, &found)))
}

/// What a file that cannot be a policy or a source file is.
fn unsuitable(file_type: FileType) -> Option<&'static str> {
    match file_type {
        it if it.is_dir() => Some("it is a directory"),
        it if it.is_fifo() => Some("it is a FIFO, not a regular file"),
        it if it.is_socket() => Some("it is a socket, not a regular file"),
        it if it.is_file() => None,
        _ => Some("it is a device, not a regular file"),
    }
}

/// The reason, without the path.
pub(super) fn describe(error: &io::Error) -> Issue {
    Issue::new(match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        // Only gzip knows where a file has to end, and what it has to be.
        io::ErrorKind::UnexpectedEof => "the compressed data have no end".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("it is not compressed by gzip, or damaged ({error})")
        }
        _ => error.to_string(),
    })
}

fn warnings(path: &Path, file: &Metadata) -> Vec<WarningKind> {
    let mut warnings = Vec::new();
    if file.nlink() == 0 {
        warnings.push(WarningKind::UnlinkedFile);
    }
    if others_write(file) {
        warnings.push(WarningKind::WritableFile { mode: file.mode() & 0o7777 });
    }
    // Without a parent, the path is relative to the current directory.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    if let Ok(found) = fs::metadata(directory)
        && found.mode() & STICKY == 0
        && others_write(&found)
        && !is_read_only(directory)
    {
        let mode = found.mode() & 0o7777;
        warnings.push(WarningKind::WritableDirectory { path: directory.to_owned(), mode });
    }
    warnings
}

/// Whether users can write that are neither the owner nor root nor in the group of this process.
fn others_write(found: &Metadata) -> bool {
    let is_trusted_group = found.gid() == 0 || found.gid() == getegid().as_raw();
    found.mode() & (if is_trusted_group { WORLD_WRITE } else { OTHERS_WRITE }) != 0
}

/// Whether nothing can be replaced by this mount, such as that of a ConfigMap in a container.
fn is_read_only(directory: &Path) -> bool {
    statvfs(directory).is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY))
}
