//! Source lists that other programs write while they are watched: half-written, emptied, shrunk,
//! replaced by something else, and replaced below a bind mount.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::support::{Files, Namespace, Publisher, Reply, Watch, companion, wait_for};
use super::{host, is_in_force, wait_until_in_force};

/// How long a file without a line feed at its end must stay unchanged.
const UNFINISHED_PERIOD: Duration = Duration::from_secs(5);

/// Allows the sources in a list, with these options, to reach a port.
fn listed(options: &str) -> String {
    allowing(&format!("{{ file = \"list.txt\"{options} }}"))
}

/// Allows the sources in this TOML value to reach a port.
fn allowing(list: &str) -> String {
    format!("[sources]\nlist = {list}\n\n[[allow]]\nports = [\"8080/tcp\"]\nfrom = [\"list\"]\n")
}

/// Allows the hosts `192.0.2.N`.
fn hosts(numbers: &[u8]) -> String {
    let hosts: Vec<String> = numbers.iter().map(|number| format!("192.0.2.{number}")).collect();
    allowing(&format!("{hosts:?}"))
}

/// A watch of a list with the hosts `192.0.2.1` to `192.0.2.4`.
fn watch(host: &Namespace, options: &str) -> Watch {
    let files = Files::new(&listed(options));
    fs::write(files.etc("list.txt"), "192.0.2.1\n192.0.2.2\n192.0.2.3\n192.0.2.4\n")
        .expect("a list");
    let watch = Watch::start_with(host, files, &[]);
    assert!(is_in_force(host, &hosts(&[1, 2, 3, 4])));
    watch
}

/// Replaces the list by renaming a new one.
fn replace(watch: &Watch, list: &str) {
    let new = watch.files().etc("list.new");
    fs::write(&new, list).expect("a list");
    fs::rename(new, watch.files().etc("list.txt")).expect("to rename");
}

#[test]
fn a_half_written_list_is_not_taken_until_it_is_finished() {
    let host = host();
    let watch = watch(&host, "");
    let started = Instant::now();
    let mut list = File::create(watch.files().etc("list.txt")).expect("the list");
    list.write_all(b"192.0.2.5\n192.0.2.1").expect("to write");
    // Much longer than it takes to apply a list that is finished.
    while started.elapsed() < Duration::from_millis(500) {
        assert!(is_in_force(&host, &hosts(&[1, 2, 3, 4])), "{}", watch.log());
    }
    list.write_all(b"00\n").expect("to write");
    watch.logged("policy reloaded");
    assert!(is_in_force(&host, &hosts(&[5, 100])), "{}", watch.log());
    assert!(started.elapsed() < UNFINISHED_PERIOD, "{:?}", started.elapsed());
    assert!(!watch.log().contains("may be incomplete"), "{}", watch.log());
}

#[test]
fn an_unfinished_list_is_taken_once_it_is_quiet_or_replaced() {
    let host = host();
    let watch = watch(&host, "");
    let started = Instant::now();
    fs::write(watch.files().etc("list.txt"), "192.0.2.5\n192.0.2.6").expect("to write");
    watch.logged("the last line has no line feed");
    assert!(started.elapsed() >= UNFINISHED_PERIOD, "{:?}", started.elapsed());
    wait_until_in_force(&host, &hosts(&[5, 6]), "the quiet list");

    let started = Instant::now();
    replace(&watch, "192.0.2.7");
    wait_until_in_force(&host, &hosts(&[7]), "the replaced list");
    assert!(started.elapsed() < UNFINISHED_PERIOD, "{:?}", started.elapsed());
}

/// A list that is truncated before it is written again allows nobody only if it stays empty.
#[test]
fn an_emptied_list_allows_nobody() {
    let host = host();
    let watch = watch(&host, "");
    let started = Instant::now();
    File::create(watch.files().etc("list.txt")).expect("the list");
    watch.logged("group `list` has no sources, so it matches nobody");
    assert!(started.elapsed() >= UNFINISHED_PERIOD, "{:?}", started.elapsed());
    assert!(is_in_force(&host, &hosts(&[])));
    replace(&watch, "# none today\n");
    replace(&watch, "192.0.2.9\n");
    wait_until_in_force(&host, &hosts(&[9]), "the list with a source");
}

#[test]
fn a_list_that_must_not_be_empty_is_refused() {
    let host = host();
    let watch = watch(&host, ", allow-empty = false");
    replace(&watch, "# none\n");
    watch.logged("group `list` has no sources");
    assert!(is_in_force(&host, &hosts(&[1, 2, 3, 4])), "the last valid policy");
}

#[test]
fn a_list_that_shrinks_too_much_is_refused() {
    let host = host();
    let watch = watch(&host, ", max-shrink = \"50%\"");
    replace(&watch, "192.0.2.1\n");
    watch.logged("group `list` has lost 3 of its 4 sources, more than the 50% permitted");
    assert!(is_in_force(&host, &hosts(&[1, 2, 3, 4])), "the last valid policy");
    replace(&watch, "192.0.2.1\n192.0.2.2\n");
    wait_until_in_force(&host, &hosts(&[1, 2]), "a list that lost half");
    replace(&watch, "192.0.2.2\n192.0.2.8\n192.0.2.9\n");
    wait_until_in_force(&host, &hosts(&[2, 8, 9]), "a list compared with the last one in force");
    // The operator accepts the next one by raising the limit.
    replace(&watch, "192.0.2.7\n");
    watch.logged("group `list` has lost 3 of its 3 sources");
    fs::write(watch.files().policy(), listed(", max-shrink = \"100%\"")).expect("the policy");
    wait_until_in_force(&host, &hosts(&[7]), "the accepted list");
}

#[test]
fn a_list_that_becomes_a_fifo_does_not_block_the_watch() {
    let host = host();
    let watch = watch(&host, "");
    let list = watch.files().etc("list.txt");
    fs::remove_file(&list).expect("to remove it");
    mkfifo(&list, Mode::S_IRWXU).expect("a FIFO");
    watch.logged("it is a FIFO, not a regular file");
    host.run(&["nft", "flush", "ruleset"]);
    wait_until_in_force(&host, &hosts(&[1, 2, 3, 4]), "a repair with the last valid list");
    replace(&watch, "192.0.2.5\n");
    wait_until_in_force(&host, &hosts(&[5]), "the list in place of the FIFO");
}

/// In a container, a file that is mounted by itself keeps its old content when it is replaced.
#[test]
fn a_list_that_is_replaced_below_a_bind_mount_is_warned_of() {
    let host = host();
    let files = Files::new(&listed(""));
    let (list, mounted) = (files.path("list.txt"), files.etc("list.txt"));
    fs::write(&list, "192.0.2.1\n").expect("a list");
    fs::write(&mounted, "").expect("a mount point");
    let log = files.path("mounted.log");
    let script = "mount --bind \"$1\" \"$2\" && exec \"$3\" watch -f \"$4\"";
    let mut watch = companion(&host.path())
        .args(["unshare", "-m", "sh", "-ec", script, "sh"])
        .args([&list, &mounted, Path::new(env!("CARGO_BIN_EXE_dwnl")), &files.policy()])
        .stderr(File::create(&log).expect("a log"))
        .spawn()
        .expect("dwnl");
    let logged = |text: &str| {
        let log = || fs::read_to_string(&log).expect("the log");
        wait_for(text, || log().contains(text).then_some(()));
    };
    logged("watching");
    fs::write(files.path("new"), "192.0.2.2\n").expect("a list");
    fs::rename(files.path("new"), &list).expect("to rename");
    logged("the file has been deleted or replaced, and this is its old content");
    logged("mount its directory instead");
    watch.kill().and_then(|()| watch.wait()).expect("to end it");
}

/// A download replaces a list as a whole, which the watch applies. A bad one changes nothing.
#[test]
fn a_list_that_is_downloaded_is_applied() {
    let host = host();
    let watch = watch(&host, "");
    let list = watch.files().etc("list.txt");
    let publisher = Publisher::start(list.parent().expect("a directory"));
    publisher.reply(Reply::list("; a list\n192.0.2.3 ; SBL1\n192.0.2.4 ; SBL2\n"));
    publisher.fetch(&[]).succeeded();
    wait_until_in_force(&host, &hosts(&[3, 4]), "the list that was downloaded");
    publisher.reply(Reply::list("<html>"));
    publisher.fetch(&[]).failed(1);
    publisher.reply(Reply::list("192.0.2.3\n192.0.2.4\n192.0.2.9\n"));
    publisher.fetch(&[]).succeeded();
    wait_until_in_force(&host, &hosts(&[3, 4, 9]), "the next list");
    assert!(!watch.log().contains("error"), "{}", watch.log());
}
