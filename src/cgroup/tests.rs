//! Tests with a tree of directories instead of the hierarchy: their inode numbers serve as IDs.

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

const SERVICES: [&str; 2] = ["docker.service", "snap.docker.dockerd.service"];

/// A hierarchy with these cgroups.
fn hierarchy(paths: &[&str]) -> (TempDir, Hierarchy) {
    let directory = TempDir::new().expect("a directory");
    for path in paths {
        fs::create_dir_all(directory.path().join(path)).expect("a directory");
    }
    fs::write(directory.path().join("cgroup.procs"), "").expect("a file");
    let hierarchy = Hierarchy::at(directory.path().to_owned()).expect("a hierarchy");
    (directory, hierarchy)
}

fn id(directory: &TempDir, path: &str) -> u64 {
    fs::metadata(directory.path().join(path)).expect("a directory").ino()
}

fn paths(cgroups: impl IntoIterator<Item = Cgroup>) -> Vec<String> {
    cgroups.into_iter().map(|cgroup| cgroup.path).collect()
}

#[test]
fn a_cgroup_is_found_by_its_path() {
    let (directory, hierarchy) = hierarchy(&["system.slice/docker.service"]);
    for (path, level) in [("system.slice", 1), ("system.slice/docker.service", 2)] {
        let cgroup = hierarchy.find(path).expect("a cgroup");
        assert_eq!((cgroup.path.as_str(), cgroup.id), (path, id(&directory, path)));
        assert_eq!(cgroup.level(), level);
    }
}

#[test]
fn only_a_plain_path_is_found() {
    let (directory, hierarchy) = hierarchy(&["a/b", "c"]);
    symlink(directory.path().join("a"), directory.path().join("link")).expect("a link");
    symlink(directory.path().join("a/b"), directory.path().join("c/b")).expect("a link");
    let absolute = directory.path().join("a").to_string_lossy().into_owned();
    let tricks = [
        "",
        "/",
        ".",
        "..",
        "a/",
        "/a",
        "a//b",
        "a/.",
        "./a",
        "a/../a",
        "../etc",
        "a\0",
        "none",
        "link",
        "link/b",
        "c/b",
        "cgroup.procs",
        "a/b/c",
        &absolute,
    ];
    for path in tricks {
        assert_eq!(hierarchy.find(path), None, "{path:?}");
    }
}

#[test]
fn a_file_system_mounted_over_the_hierarchy_is_not_part_of_it() {
    let root = Hierarchy::at("/".into()).expect("a hierarchy");
    assert_eq!(root.find("proc"), None);
    assert_eq!(root.find("proc/self"), None);
}

#[test]
fn services_are_found_by_name_down_to_the_second_level() {
    let (directory, hierarchy) = hierarchy(&[
        "docker.service",
        "other.slice/deeper.slice/docker.service",
        "system.slice/docker.service.d",
        "system.slice/docker.service",
        "system.slice/snap.docker.dockerd.service",
    ]);
    symlink(directory.path().join("system.slice"), directory.path().join("x")).expect("a link");
    let expected = [
        "docker.service",
        "system.slice/docker.service",
        "system.slice/snap.docker.dockerd.service",
    ];
    let services = hierarchy.services(&SERVICES);
    assert_eq!(paths(services.clone()), expected);
    for service in services {
        assert_eq!(service.id, id(&directory, &service.path));
    }
}

#[test]
fn ids_are_resolved_to_paths() {
    let all = ["a", "a/b", "a/b/c", "d"];
    let (directory, hierarchy) = hierarchy(&all);
    let ids = |paths: &[&str]| paths.iter().map(|path| id(&directory, path)).collect();
    for some in [&all[..], &["a/b/c"], &["", "d"], &[]] {
        let mut found = paths(hierarchy.paths(&ids(some)).into_values());
        found.sort();
        assert_eq!(found, some);
    }
    assert_eq!(paths(hierarchy.paths(&BTreeSet::from([u64::MAX])).into_values()), [""; 0]);
    let root = hierarchy.paths(&ids(&[""])).into_values().next().expect("the root");
    assert_eq!(root.level(), 0);
}

#[test]
fn a_hierarchy_that_vanishes_is_empty() {
    let (directory, hierarchy) = hierarchy(&["a"]);
    let ids = BTreeSet::from([id(&directory, "a")]);
    drop(directory);
    assert_eq!(hierarchy.find("a"), None);
    assert_eq!(paths(hierarchy.services(&SERVICES)), [""; 0]);
    assert_eq!(paths(hierarchy.paths(&ids).into_values()), [""; 0]);
}
