//! `packaging/fetch`, which `dwnl-fetch@.service` runs: a list is replaced by a good one, and by nothing
//! that a publisher, or whoever answers in its place, can send instead.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use tempfile::TempDir;

use super::support::{Publisher, Reply, output};

/// The list that is there before.
const OLD: &str = "192.0.2.1\n192.0.2.2\n";

struct Site {
    publisher: Publisher,
    lists: TempDir,
}

impl Site {
    /// A publisher of a list that was downloaded before.
    fn new() -> Site {
        let lists = TempDir::new().expect("a directory");
        let site = Site { publisher: Publisher::start(lists.path()), lists };
        fs::write(site.list(), OLD).expect("a list");
        site
    }

    fn list(&self) -> PathBuf {
        self.lists.path().join("list.txt")
    }

    /// Asserts that the reply is refused for this reason, and that the old list stays.
    #[track_caller]
    fn refuses(&self, reply: Reply, settings: &[&str], reason: &str) {
        self.publisher.reply(reply);
        let errors = self.publisher.fetch(settings).failed(1);
        assert!(errors.contains(reason), "{errors}");
        assert_eq!(fs::read_to_string(self.list()).expect("the list"), OLD);
    }
}

#[test]
fn a_good_list_replaces_the_old_one() {
    let site = Site::new();
    let new = "; a list\n192.0.2.0/30 ; SBL1\n2001:db8::/32 ; SBL2\n";
    site.publisher.reply(Reply::list(new));
    let output = site.publisher.fetch(&[]).succeeded();
    assert!(output.contains("2 sources, no errors"), "{output}");
    assert!(output.ends_with("list.txt is replaced\n"), "{output}");
    assert_eq!(fs::read_to_string(site.list()).expect("the list"), new);
    let found = fs::metadata(site.list()).expect("the list");
    assert_eq!(found.permissions().mode() & 0o777, 0o644);

    // The same list once more is no change for those who watch it.
    let output = site.publisher.fetch(&[]).succeeded();
    assert!(output.ends_with("list.txt is up to date\n"), "{output}");
    assert_eq!(fs::metadata(site.list()).expect("the list").ino(), found.ino());

    fs::remove_file(site.list()).expect("to remove it");
    site.publisher.fetch(&[]).succeeded();
    assert_eq!(fs::read_to_string(site.list()).expect("the first list"), new);
}

#[test]
fn lists_in_other_forms_are_taken() {
    let site = Site::new();
    let json = r#"{"prefixes": [{"v4": "192.0.2.0/30", "on": "a"}, {"v6": "2001:db8::/32"}]}"#;
    site.publisher.reply(Reply::list(json));
    let paths = "JSON_PATHS=prefixes[on=a].v4 prefixes[].v6?";
    let output = site.publisher.fetch(&["FILE=list.json", paths]).succeeded();
    assert!(output.contains("2 sources, no errors"), "{output}");
    site.publisher.fetch(&["FILE=list.json"]).failed(1);

    let text = site.lists.path().join("plain");
    fs::write(&text, "192.0.2.7\n").expect("a list");
    output_of_gzip(&text);
    let gzip = fs::read(text.with_extension("gz")).expect("the compressed list");
    site.publisher.reply(Reply::body(&gzip));
    let output = site.publisher.fetch(&["FILE=list.gz"]).succeeded();
    assert!(output.contains("1 source, no errors"), "{output}");
    site.publisher.fetch(&[]).failed(1);
    site.publisher.reply(Reply::body(&gzip[..gzip.len() - 1]));
    site.publisher.fetch(&["FILE=list.gz"]).failed(1);
}

fn output_of_gzip(path: &std::path::Path) {
    output(&["gzip", "-k", path.to_str().expect("UTF-8")], "").succeeded();
}

#[test]
fn what_is_no_list_is_refused() {
    let site = Site::new();
    let page = "<!DOCTYPE html>\n<title>Please log in</title>\n";
    site.refuses(Reply::list(page), &[], "the file is HTML or XML");
    site.refuses(Reply::list(page), &["JSON_PATHS=a[]"], "HTML or XML, not JSON");
    site.refuses(Reply::list("192.0.2.1/24\n"), &[], "has host bits set");
    site.refuses(Reply::list(""), &[], "has no sources");
    site.refuses(Reply::list("# none\n"), &[], "has no sources");
    site.refuses(Reply::list("192.0.2.9\n"), &[], "has lost 2 of its 2 sources, more than the 50%");
    let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n192.0.2.1\n";
    site.refuses(Reply::Bytes(missing.to_vec()), &[], "cannot download");
    site.publisher.reply(Reply::list("192.0.2.9\n"));
    site.publisher.fetch(&["MAX_SHRINK=100%"]).succeeded();
    site.publisher.reply(Reply::list(""));
    site.publisher.fetch(&["MAX_SHRINK=100%", "ALLOW_EMPTY=yes"]).succeeded();
    assert_eq!(fs::read_to_string(site.list()).expect("the list"), "");
}

/// Of a list that is cut off, the last prefix can be a much larger one: `128.0.0.0/1`.
#[test]
fn what_is_not_whole_is_refused() {
    let site = Site::new();
    let cut = b"192.0.2.0/30\n128.0.0.0/1";
    site.refuses(Reply::of_length(1000, cut), &[], "cannot download");
    let of_unknown_length = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), cut].concat();
    site.refuses(Reply::Bytes(of_unknown_length), &[], "does not say where the list ends");
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n18\r\n192.0.2.0/30\n128.0.0.0/1";
    site.refuses(Reply::Bytes(chunked.to_vec()), &[], "cannot download");
    site.refuses(Reply::list("{\"a\": [\"192.0.2.1\","), &["JSON_PATHS=a[]"], "is not JSON");
}

#[test]
fn what_is_too_large_is_refused() {
    let site = Site::new();
    let small = "MAX_MIB=1";
    let reason = "it is larger than 1 MiB";
    for head in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        site.refuses(Reply::Endless(head.into()), &[small], reason);
    }
    let header = "HTTP/1.1 200 OK\r\nX: ";
    site.refuses(Reply::Endless(header.into()), &[small], "cannot download");
    for wrong in ["MAX_MIB=0", "MAX_MIB=65", "MAX_MIB=x", "MAX_MIB=999999999999999999999"] {
        site.refuses(Reply::list(OLD), &[wrong], "MAX_MIB must be a number from 1 to 64");
    }
}

#[test]
fn redirections_are_followed_within_limits() {
    let site = Site::new();
    site.refuses(Reply::Redirect(site.publisher.url()), &[], "curl: (47)");
    let secret = site.lists.path().join("secret");
    fs::write(&secret, "192.0.2.1\n192.0.2.2\n192.0.2.3\n").expect("a file");
    let url = format!("file://{}", secret.display());
    site.refuses(Reply::Redirect(url), &[], "cannot download");
    site.refuses(Reply::list("192.0.2.0/24\n"), &["ALLOW_HTTP=no"], "cannot download");
    let to_self = format!("URL=file://{}", secret.display());
    site.refuses(Reply::list(""), &[&to_self], "cannot download");

    let other = Publisher::start(site.lists.path());
    other.reply(Reply::list("192.0.2.0/24\n"));
    site.publisher.reply(Reply::Redirect(other.url()));
    site.publisher.fetch(&[]).succeeded();
    assert_eq!(fs::read_to_string(site.list()).expect("the list"), "192.0.2.0/24\n");
}

#[test]
fn the_settings_are_checked() {
    let site = Site::new();
    for file in ["", "../x", "a/b", ".x", "/etc/passwd"] {
        let setting = format!("FILE={file}");
        site.refuses(Reply::list(OLD), &[&setting], "must be a name without a directory");
    }
    site.refuses(Reply::list(OLD), &["URL="], "no URL in /etc/dwnl/fetch/list.conf");
    site.refuses(Reply::list(OLD), &["URL=-o/tmp/x"], "cannot download");
    site.refuses(Reply::list(OLD), &["JSON_PATHS=a["], "a[");
    site.refuses(Reply::list(OLD), &["MAX_SHRINK=half"], "half");
}
