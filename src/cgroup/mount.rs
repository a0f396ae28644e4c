//! Where the cgroup v2 hierarchy is mounted, read from `/proc/PID/mountinfo` (proc(5)).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The inode number of the initial cgroup namespace: `PROC_CGROUP_INIT_INO` (`linux/proc_ns.h`).
const INITIAL_NAMESPACE: u64 = 0xefff_fffb;
/// Where systemd mounts it: alone, or alongside the hierarchies of cgroup v1.
const USUAL: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// A mount of the whole hierarchy.
#[derive(Debug, PartialEq, Eq)]
pub struct Mount {
    /// The path at which it is mounted.
    pub point: PathBuf,
    /// The device of its file system.
    pub device: Device,
}

/// A device by its major and minor number.
#[derive(Debug, PartialEq, Eq)]
pub struct Device(u32, u32);

impl Device {
    /// Whether `st_dev` is this device.
    pub fn is_number(&self, number: u64) -> bool {
        (libc::major(number), libc::minor(number)) == (self.0, self.1)
    }
}

/// Whether the calling thread is in the initial cgroup namespace.
pub fn is_in_initial_namespace() -> bool {
    let namespace = fs::metadata("/proc/thread-self/ns/cgroup");
    namespace.is_ok_and(|namespace| namespace.ino() == INITIAL_NAMESPACE)
}

/// The mounts of the whole hierarchy, the usual ones first.
pub fn candidates(mountinfo: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = mountinfo.lines().filter_map(mount).collect();
    mounts.sort_by_key(|mount| {
        let usual = USUAL.iter().position(|usual| mount.point.as_os_str() == *usual);
        usual.unwrap_or(USUAL.len())
    });
    mounts
}

/// `41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw`: the device, the
/// directory of the file system that is mounted, the path at which it is, and behind the hyphen the
/// type of the file system.
fn mount(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    if file_system.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = mount.split(' ').skip(2);
    let (major, minor) = fields.next()?.split_once(':')?;
    if fields.next() != Some("/") {
        return None;
    }
    let point = unescape(fields.next()?);
    Some(Mount { point, device: Device(major.parse().ok()?, minor.parse().ok()?) })
}

/// The path that mountinfo writes so: blanks, line feeds and backslashes are a backslash and three
/// octal digits.
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

/// The byte of which these are the octal digits.
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

    fn points(mountinfo: &str) -> Vec<String> {
        let points = candidates(mountinfo).into_iter();
        points.map(|mount| mount.point.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_mount_is_found_among_others() {
        let device = Device(0, 38);
        assert!(device.is_number(libc::makedev(0, 38)) && !device.is_number(libc::makedev(1, 38)));
        let point = PathBuf::from("/sys/fs/cgroup/unified");
        assert_eq!(candidates(HYBRID), [Mount { point, device }]);
        assert_eq!(points("23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"), [""; 0]);
    }

    #[test]
    fn the_usual_places_come_first() {
        let line = |point| format!("41 31 0:38 / {point} rw - cgroup2 none rw\n");
        let others = ["/mnt/my\\040cgroups\\134", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        let expected = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/mnt/my cgroups\\"];
        assert_eq!(points(&others.map(line).concat()), expected);
    }

    #[test]
    fn a_part_of_the_hierarchy_is_no_candidate() {
        for root in ["/docker/0123", "/..", "/../.."] {
            let line = format!("41 31 0:38 {root} /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
            assert_eq!(points(&line), [""; 0]);
        }
    }

    #[test]
    fn an_escape_that_is_none_stays() {
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
            candidates(&words.join(" "));
        }
    }
}
