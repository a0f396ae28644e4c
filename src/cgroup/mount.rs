//! Finds where the cgroup v2 hierarchy is mounted.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

/// The inode number of the initial cgroup namespace: `PROC_CGROUP_INIT_INO` (`linux/proc_ns.h`).
const INITIAL_NAMESPACE: u64 = 0xefff_fffb;
/// The ID of the root of the hierarchy.
const ROOT: u64 = 1;
/// Where systemd mounts it: alone, or together with the hierarchies of cgroup v1.
const USUAL: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Whether the calling thread is in the initial cgroup namespace.
pub fn is_in_initial_namespace() -> bool {
    let namespace = fs::metadata("/proc/thread-self/ns/cgroup");
    namespace.is_ok_and(|namespace| namespace.ino() == INITIAL_NAMESPACE)
}

/// The path at which the whole hierarchy is mounted. The list of mounts, which is long on a host with many
/// containers, is read only if it is at none of the usual paths.
pub fn find() -> Option<PathBuf> {
    USUAL.map(PathBuf::from).into_iter().find(|path| is_whole(path)).or_else(|| {
        let mounts = fs::read("/proc/thread-self/mountinfo").ok()?;
        points(&String::from_utf8_lossy(&mounts)).into_iter().find(|path| is_whole(path))
    })
}

/// Whether the root of the hierarchy is mounted here, with no other mount over it. A container may see
/// only a part of it at the usual path.
fn is_whole(path: &Path) -> bool {
    let is_cgroup2 = statfs(path).is_ok_and(|it| it.filesystem_type() == CGROUP2_SUPER_MAGIC);
    is_cgroup2 && fs::metadata(path).is_ok_and(|directory| directory.ino() == ROOT)
}

/// The mount points of the whole hierarchy that a `/proc/PID/mountinfo` lists (proc(5)).
fn points(mountinfo: &str) -> Vec<PathBuf> {
    mountinfo.lines().filter_map(point).collect()
}

/// `41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw`: the fourth field is
/// the mounted directory of the file system, the fifth the mount point; the type of the file system
/// follows the hyphen.
fn point(line: &str) -> Option<PathBuf> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let is_whole = file_system.split(' ').next() == Some("cgroup2") && fields.next() == Some("/");
    is_whole.then(|| fields.next().map(unescape)).flatten()
}

/// Decodes a path in mountinfo: whitespace and backslashes are written as a backslash and three octal
/// digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped =
            (*first == b'\\').then(|| behind.split_first_chunk().and_then(octal)).flatten();
        let (byte, after) = escaped.unwrap_or((*first, behind));
        bytes.push(byte);
        rest = after;
    }
    OsString::from_vec(bytes).into()
}

/// The byte with these octal digits.
fn octal<'a>((digits, after): (&[u8; 3], &'a [u8])) -> Option<(u8, &'a [u8])> {
    let byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok()?;
    Some((byte, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HYBRID: &str = "\
23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 master:2 - cgroup2 cgroup2 rw
";

    #[test]
    fn the_mount_is_found_among_others() {
        assert_eq!(points(HYBRID), [Path::new("/sys/fs/cgroup/unified")]);
        let escaped = "41 31 0:38 / /mnt/my\\040cgroups\\134 rw - cgroup2 none rw\n";
        assert_eq!(points(escaped), [Path::new("/mnt/my cgroups\\")]);
    }

    #[test]
    fn a_part_of_the_hierarchy_is_not_the_whole() {
        for root in ["/docker/0123", "/..", "/../.."] {
            let line = format!("41 31 0:38 {root} /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
            assert_eq!(points(&line), [""; 0].map(PathBuf::from));
        }
        assert!(!is_whole(Path::new("/")) && !is_whole(Path::new("/nonexistent")));
    }

    #[test]
    fn an_invalid_escape_is_kept() {
        for text in ["\\", "\\04", "\\999", "\\777", "a\\x40b"] {
            assert_eq!(unescape(text), PathBuf::from(text));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(words in prop::collection::vec(
            prop_oneof![r"[ -~]{0,6}", Just("-".into()), Just("/".into()), Just("cgroup2".into())],
            0..12,
        )) {
            points(&words.join(" "));
        }
    }
}
