//! The policy and its source lists, replaced by every method while they are watched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::support::{Files, Watch};
use super::{host, is_in_force, wait_until_in_force};

/// Allows one client to reach a port.
fn allowing(port: u16) -> String {
    format!("[[allow]]\nports = [\"{port}/tcp\"]\nfrom = [\"192.0.2.2\"]\n")
}

/// Allows the sources in a list to reach a port.
const LISTED: &str = "\
[sources]
list = { file = \"list.txt\" }

[[allow]]
ports = [\"8080/tcp\"]
from = [\"list\"]
";

/// The policy equivalent to [`LISTED`] with these sources.
fn listing(sources: &str) -> String {
    LISTED.replace("{ file = \"list.txt\" }", &format!("[{sources}]"))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("to write");
}

fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).expect("to rename");
}

#[test]
fn the_policy_is_reloaded_however_it_is_replaced() {
    let host = host();
    let watch = Watch::start(&host, &allowing(1));
    let (file, policy) = (watch.files().policy(), watch.files().etc("new"));
    let became = |port, what| wait_until_in_force(&host, &allowing(port), what);
    write(&file, &allowing(2));
    became(2, "a file that was written");
    write(&policy, &allowing(3));
    rename(&policy, &file);
    became(3, "a file that an editor replaced");
    fs::remove_file(&file).expect("to remove it");
    watch.logged("policy.toml: no such file");
    assert!(is_in_force(&host, &allowing(3)), "the last valid policy");
    write(&file, &allowing(4));
    became(4, "a recreated file");
    let elsewhere = watch.files().path("elsewhere");
    write(&elsewhere, &allowing(5));
    fs::remove_file(&file).expect("to remove it");
    symlink(&elsewhere, &file).expect("a symlink");
    became(5, "a symlink in its place");
    write(&elsewhere, &allowing(6));
    became(6, "the target of the symlink");
    // The directory is moved away and created again with another policy.
    let directory = watch.files().path("etc");
    rename(&directory, &watch.files().path("old"));
    watch.logged_times("policy.toml: no such file", 2);
    fs::create_dir(&directory).expect("a directory");
    write(&file, &allowing(7));
    became(7, "a directory that was replaced");
}

/// `policy.toml` → `..data/policy.toml`, and `..data` → a directory with a time in its name.
#[test]
fn the_policy_is_reloaded_when_a_config_map_is_swapped() {
    let publish = |files: &Files, port: u16| {
        let version = files.etc(&format!("..{port}"));
        fs::create_dir(&version).expect("a directory");
        write(&version.join("policy.toml"), &allowing(port));
        symlink(&version, files.etc("..data_tmp")).expect("a symlink");
        rename(&files.etc("..data_tmp"), &files.etc("..data"));
    };
    let (host, files) = (host(), Files::new(""));
    publish(&files, 1);
    fs::remove_file(files.policy()).expect("to remove it");
    symlink("..data/policy.toml", files.policy()).expect("a symlink");
    let watch = Watch::start_with(&host, files, &[]);
    assert!(is_in_force(&host, &allowing(1)));
    for port in 2..5 {
        let files = watch.files();
        publish(files, port);
        fs::remove_dir_all(files.etc(&format!("..{}", port - 1))).expect("to remove it");
        wait_until_in_force(&host, &allowing(port), "the swapped policy");
    }
}

#[test]
fn a_source_list_is_watched_too() {
    let host = host();
    let files = Files::new(LISTED);
    let (list, new) = (files.etc("list.txt"), files.etc("list.new"));
    write(&list, "192.0.2.2\n");
    let watch = Watch::start_with(&host, files, &[]);
    assert!(is_in_force(&host, &listing("\"192.0.2.2\"")));
    write(&new, "192.0.2.3\n192.0.2.5\n");
    rename(&new, &list);
    wait_until_in_force(&host, &listing("\"192.0.2.3\", \"192.0.2.5\""), "the replaced list");
    // A list that does not exist yet.
    write(&watch.files().policy(), &LISTED.replace("list.txt", "other.txt"));
    watch.logged("other.txt`: no such file");
    assert!(is_in_force(&host, &listing("\"192.0.2.3\", \"192.0.2.5\"")));
    write(&watch.files().etc("other.txt"), "2001:db8::7\n");
    wait_until_in_force(&host, &listing("\"2001:db8::7\""), "the created list");
}

#[test]
fn an_invalid_policy_keeps_the_last_valid_one_in_force() {
    let host = host();
    let watch = Watch::start(&host, &allowing(1));
    write(&watch.files().policy(), "[[allow]]\nports = [\"0\"]\nfrom = [\"ofice\"]\n");
    watch.logged("warning: policy has 2 errors; keeping the last valid policy\n  ");
    watch.logged("policy.toml:2:10: ");
    watch.logged("policy.toml:3:9: unknown group `ofice`");
    assert!(is_in_force(&host, &allowing(1)));
    host.run(&["nft", "flush", "ruleset"]);
    wait_until_in_force(&host, &allowing(1), "a repair with the last valid policy");
    write(&watch.files().policy(), &allowing(2));
    watch.logged(
        "policy reloaded (errors fixed)\n  + 2/tcp: 192.0.2.2 gained access\n  \
         - 1/tcp: 192.0.2.2 lost access\n  applied: ",
    );
    assert!(is_in_force(&host, &allowing(2)));
}

#[test]
fn an_unchanged_policy_is_not_applied_again() {
    let host = host();
    let watch = Watch::start(&host, &allowing(1));
    write(&watch.files().policy(), &allowing(1));
    write(&watch.files().policy(), &allowing(2));
    watch.logged("policy reloaded");
    write(&watch.files().etc("new"), &allowing(2));
    rename(&watch.files().etc("new"), &watch.files().policy());
    watch.signal(Signal::SIGHUP);
    watch.logged_times("policy reloaded", 2);
    write(&watch.files().policy(), &allowing(3));
    watch.logged_times("policy reloaded", 3);
    assert_eq!(watch.log().matches("policy reloaded").count(), 3);
}

#[test]
fn a_continuously_written_file_is_reloaded() {
    let host = host();
    let watch = Watch::start(&host, &allowing(1));
    let started = Instant::now();
    let mut port = 1;
    while !watch.log().contains("policy reloaded") {
        port = port % 1000 + 1;
        // Replaced atomically, because a partial file would be reported as an error.
        write(&watch.files().etc("new"), &allowing(port));
        rename(&watch.files().etc("new"), &watch.files().policy());
        assert!(started.elapsed().as_secs() < 60, "{}", watch.log());
    }
    write(&watch.files().policy(), &allowing(1001));
    wait_until_in_force(&host, &allowing(1001), "the last one");
}

#[test]
fn an_invalid_policy_prevents_the_start() {
    let host = host();
    let before = host.run(&["nft", "list", "ruleset"]);
    let mut watch = Files::new("[[allow]]\nports = [\"0\"]\n").launch(&host, &[], &[]);
    assert_eq!(watch.ended().code(), Some(2), "{}", watch.log());
    assert!(watch.log().contains("policy.toml:2:10: "), "{}", watch.log());

    let files = Files::new("");
    fs::remove_file(files.policy()).expect("to remove it");
    mkfifo(&files.policy(), Mode::S_IRWXU).expect("a FIFO");
    let mut watch = files.launch(&host, &[], &[]);
    assert_eq!(watch.ended().code(), Some(2), "{}", watch.log());
    assert!(watch.log().contains("it is a FIFO, not a regular file"), "{}", watch.log());
    assert_eq!(host.run(&["nft", "list", "ruleset"]), before);
}

/// Flushes all rules and creates a base chain with dwnl's name, to which no rule can jump.
const OBSTACLE: &str = "
flush ruleset
add table ip nat
add chain ip nat DOCKER-BLOCK { type nat hook prerouting priority -100; }
";

#[test]
fn a_rejected_policy_is_retried() {
    let host = host();
    let mut watch = Watch::start(&host, &allowing(1));
    host.try_run(&["nft", "-f", "-"], OBSTACLE).succeeded();
    watch.logged("warning: cannot repair the rules: chain ip nat DOCKER-BLOCK exists");
    write(&watch.files().policy(), &allowing(2));
    watch.logged("warning: cannot apply the policy: chain ip nat DOCKER-BLOCK exists");
    assert!(watch.is_running());
    host.run(&["nft", "delete chain ip nat DOCKER-BLOCK"]);
    wait_until_in_force(&host, &allowing(2), "the policy once it can be applied");
    for action in ["cannot repair the rules: ", "cannot apply the policy: "] {
        assert_eq!(watch.log().matches(action).count(), 1, "{}", watch.log());
    }
    host.run(&["nft", "flush", "ruleset"]);
    wait_until_in_force(&host, &allowing(2), "a repair afterwards");
}
