//! The cgroup of the calling thread in the v2 hierarchy.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::ruleset::CgroupMatch;

/// The test that a socket of this thread passes. `None` if the hierarchy is not mounted as a whole,
/// or the cgroup is not in the part of it that this cgroup namespace sees.
pub(super) fn own() -> Option<CgroupMatch> {
    let (cgroups, mounts) = (read("/proc/thread-self/cgroup")?, read("/proc/self/mountinfo")?);
    let path = path(&cgroups)?;
    let directory = fs::metadata(mount_point(&mounts)?.join(path)).ok()?;
    Some(CgroupMatch { level: level(path)?, id: directory.ino(), negated: false })
}

/// Paths are not necessarily UTF-8; one that is not leads nowhere.
fn read(file: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(file).ok()?).into_owned())
}

/// The path in the v2 hierarchy, without its first slash, out of the lines `0::/system.slice`.
fn path(cgroups: &str) -> Option<&str> {
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    (!path.split('/').any(|name| name == "..")).then_some(path)
}

/// How deep a cgroup is beneath the root.
fn level(path: &str) -> Option<u8> {
    u8::try_from(path.split('/').filter(|name| !name.is_empty()).count()).ok()
}

/// Where the hierarchy is mounted, out of the lines of mountinfo: number, parent, device, root,
/// mount point, …, `-`, type, ….
fn mount_point(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let is_whole = root == "/" && kind.split(' ').next() == Some("cgroup2");
        is_whole.then(|| point.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_that_of_the_second_version() {
        let hybrid = "9:name=systemd:/\n4:memory:/a/b\n0::/system.slice/dwnl.service\n";
        assert_eq!(path(hybrid), Some("system.slice/dwnl.service"));
        assert_eq!(path("0::/\n"), Some(""));
        assert_eq!(path("4:memory:/\n"), None);
        assert_eq!(path("0::/../other\n"), None, "outside the cgroup namespace");
    }

    #[test]
    fn levels_count_from_the_root() {
        assert_eq!(level(""), Some(0));
        assert_eq!(level("system.slice/dwnl.service"), Some(2));
        assert_eq!(level(&"a/".repeat(256)), None);
    }

    #[test]
    fn the_hierarchy_is_found_where_all_of_it_is_mounted() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      40 31 0:38 /docker/1 /mnt rw - cgroup2 cgroup2 rw\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(mounts), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(mount_point(""), None);
    }
}
