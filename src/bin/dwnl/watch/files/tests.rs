//! Changes to a policy file that must be noticed, and changes that must not.

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
    /// Follows `policy.toml` after `prepare` has filled the directory.
    fn new(prepare: impl FnOnce(&Path)) -> Site {
        let directory = TempDir::new().expect("a directory");
        prepare(directory.path());
        let mut site = Site { directory, files: Files::new().expect("inotify") };
        assert!(site.follow());
        assert!(site.files.changed().expect("events").is_none());
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn follow(&mut self) -> bool {
        let file = self.path("policy.toml");
        self.files.follow(&[file]).expect("to watch")
    }

    /// A change is noticed after all other events are read.
    #[track_caller]
    fn notices_eventually(&self) {
        let mut rest = std::iter::repeat_with(|| self.files.changed().expect("events").is_some());
        assert!(rest.by_ref().take(100).any(|changed| changed), "it is not noticed");
    }

    /// Writes other files in the directory many times.
    fn write_others(&self) {
        for name in ["a", "b"].iter().cycle().take(4_000) {
            fs::write(self.path(name), "x").expect("to write");
        }
    }

    /// The change is noticed once, and following the paths again finds nothing new.
    #[track_caller]
    fn notices(&mut self, change: impl FnOnce(&Site)) {
        change(self);
        assert!(self.files.changed().expect("events").is_some(), "it is not noticed");
        assert!(self.files.changed().expect("events").is_none(), "it is noticed twice");
        self.follow();
        assert!(self.files.changed().expect("events").is_none(), "following is no change");
        assert!(!self.follow(), "there is nothing new");
    }

    #[track_caller]
    fn ignores(&mut self, change: impl FnOnce(&Site)) {
        change(self);
        assert!(self.files.changed().expect("events").is_none());
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
fn a_busy_directory_does_not_block() {
    let site = Site::new(plain);
    site.write_others();
    fs::write(site.path("policy.toml"), "2").expect("to write");
    assert!(site.files.changed().expect("events").is_none(), "it reads all events at once");
    site.notices_eventually();
}

#[test]
fn a_file_that_is_written_to() {
    let mut site = Site::new(plain);
    site.notices(|site| write(&site.path("policy.toml")));
    let mut file = File::options().append(true).open(site.path("policy.toml")).expect("it");
    site.notices(|_| file.write_all(b"# more").expect("to write"));
}

#[test]
fn reading_the_file_is_not_a_change() {
    let mut site = Site::new(plain);
    site.ignores(|site| drop(fs::read(site.path("policy.toml")).expect("to read")));
}

#[test]
fn a_file_that_an_editor_replaces() {
    let mut site = Site::new(plain);
    for _ in 0..2 {
        site.ignores(|site| write(&site.path(".policy.toml.swp")));
        site.notices(|site| rename(&site.path(".policy.toml.swp"), &site.path("policy.toml")));
    }
    site.notices(|site| rename(&site.path("policy.toml"), &site.path("policy.toml~")));
    site.notices(|site| write(&site.path("policy.toml")));
    site.ignores(|site| write(&site.path("policy.toml~")));
}

#[test]
fn a_file_that_is_removed_and_created_again() {
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
        site.ignores(|site| {
            fs::create_dir(site.path(version)).expect("a directory");
            write(&site.path(version).join("policy.toml"));
            link(version, &site.path("..data_tmp"));
        });
        site.notices(|site| rename(&site.path("..data_tmp"), &site.path("..data")));
        site.notices(|site| write(&site.path(version).join("policy.toml")));
    }
    site.ignores(|site| write(&site.path("..1/policy.toml")));
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
    site.ignores(|site| write(&site.path("versions/2/policy.toml")));
    site.notices(|site| {
        fs::remove_file(site.path("current")).expect("to remove the symlink");
        link("versions/2", &site.path("current"));
    });
    site.notices(|site| write(&site.path("versions/2/policy.toml")));
}

#[test]
fn directories_that_are_moved_or_created_later() {
    let mut site = Site::new(|directory| link("a/b/c.toml", &directory.join("policy.toml")));
    site.notices(|site| fs::create_dir(site.path("a")).expect("a directory"));
    site.ignores(|site| write(&site.path("a/other")));
    site.notices(|site| fs::create_dir(site.path("a/b")).expect("a directory"));
    site.notices(|site| write(&site.path("a/b/c.toml")));
    site.ignores(|site| write(&site.path("a/other")));
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
fn files_that_are_no_longer_followed() {
    let mut site = Site::new(plain);
    site.ignores(|site| write(&site.path("list")));
    let files = [site.path("policy.toml"), site.path("list")];
    assert!(site.files.follow(&files).expect("to watch"), "the list may have changed before");
    site.notices(|site| write(&site.path("list")));
    assert!(!site.follow());
    site.ignores(|site| write(&site.path("list")));
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
    site.notices_eventually();
}

#[test]
fn a_file_that_is_renamed_into_place_was_not_written_to() {
    let site = Site::new(plain);
    write(&site.path("new"));
    rename(&site.path("new"), &site.path("policy.toml"));
    assert_eq!(site.files.changed().expect("events"), Some(Change::Replaced));
    write(&site.path("policy.toml"));
    assert_eq!(site.files.changed().expect("events"), Some(Change::Written));
}
