//! Unusual policy files: missing files, directories, binary data, files that are not regular, and files
//! that others can change.

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use dwnl::Policy;
use dwnl::policy::{LoadedPolicy, PolicyWarning};
use tempfile::TempDir;

/// The help for a policy that is not a regular file.
const REGULAR_POLICY: &str = "  = help: a policy must be a regular file: write it to one, or pass it to standard input: `-f -`";

/// A directory with these files.
fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let directory = TempDir::new().expect("a directory");
    for (name, content) in files {
        fs::write(directory.path().join(name), content).expect("a file");
    }
    directory
}

/// Reads `policy.toml` among these files.
fn read(files: &[(&str, &[u8])]) -> Result<Policy, String> {
    let directory = directory(files);
    Policy::read(&directory.path().join("policy.toml")).map_err(|errors| errors.to_string())
}

/// The messages for the policy at `path`, without the path of its directory.
fn messages(path: &Path) -> String {
    let errors = Policy::read(path).expect_err("the policy is invalid").to_string();
    let directory = format!("{}/", path.parent().expect("a directory").display());
    errors.replace(&directory, "")
}

/// The messages for a policy with this content.
fn messages_of(content: &[u8]) -> String {
    let directory = directory(&[("policy.toml", content)]);
    messages(&directory.path().join("policy.toml"))
}

/// The messages for a policy whose source file is a link to `target`.
fn messages_of_source_file(target: &str) -> String {
    let policy = b"[sources]\ncdn = { file = \"cdn.txt\" }\n";
    let directory = directory(&[("policy.toml", policy)]);
    symlink(target, directory.path().join("cdn.txt")).expect("a link");
    messages(&directory.path().join("policy.toml"))
}

fn fifo(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    path
}

#[test]
fn a_missing_policy_is_an_error() {
    let directory = directory(&[]);
    assert_eq!(
        messages(&directory.path().join("policy.toml")),
        "cannot read policy.toml: no such file"
    );
}

#[test]
fn a_directory_is_an_error() {
    let directory = directory(&[]);
    fs::create_dir(directory.path().join("policy.toml")).expect("a directory");
    assert_eq!(
        messages(&directory.path().join("policy.toml")),
        "cannot read policy.toml: it is a directory"
    );
}

#[test]
fn a_byte_that_is_not_utf8_is_an_error() {
    assert_eq!(
        messages_of(b"# a comment\nname = \"caf\xe9\" # \xc3\xa9\n"),
        "policy.toml:2:12: invalid UTF-8: byte 0xe9\n\
         \x20 |\n\
         2 | name = \"caf\u{fffd}\" # é\n\
         \x20 |            ^\n\
         \x20 = help: a policy must be UTF-8 text of at most 4 MiB"
    );
}

#[test]
fn a_nul_byte_is_an_error() {
    assert_eq!(
        messages_of(b"[guard]\nmark = 1\0 \xff\n"),
        "policy.toml:2:9: not a text file: it contains a NUL byte\n\
         \x20 |\n\
         2 | mark = 1␀ \u{fffd}\n\
         \x20 |         ^\n\
         \x20 = help: a policy must be UTF-8 text of at most 4 MiB"
    );
}

#[test]
fn a_binary_file_has_one_short_message() {
    let binary: Vec<u8> =
        (0..1u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let message = messages_of(&binary);
    assert!(message.starts_with("policy.toml:1:1: not a text file"), "{message}");
    assert!(message.len() < 1000, "{message}");
    assert!(message.chars().all(|c| c == '\n' || !c.is_control()), "{message:?}");
}

/// Opening a device or a FIFO could block or have side effects.
#[test]
fn only_regular_files_are_read() {
    let directory = directory(&[]);
    let fifo = fifo(&directory);
    assert_eq!(
        messages(&fifo),
        format!("cannot read fifo: it is a FIFO, not a regular file\n{REGULAR_POLICY}")
    );
    let message = messages_of_source_file(&fifo.to_string_lossy());
    assert!(message.contains("source file `cdn.txt`: it is a FIFO, not a regular file"));
    assert!(
        message.ends_with("= help: a source file must be a regular file: write it to one"),
        "{message}"
    );
    let message = messages_of_source_file("/dev/zero");
    assert!(message.contains("it is a device, not a regular file"), "{message}");
    let socket = directory.path().join("socket");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    assert!(messages(&socket).contains("it is a socket, not a regular file"));
}

#[test]
fn an_empty_list_allows_nobody_and_is_warned_of() {
    let policy = b"[sources]\ncdn = { file = 'cdn.txt' }\nnone = []\n\
        [[allow]]\nports = ['443']\nfrom = ['cdn', 'none']\n";
    let directory = directory(&[("policy.toml", policy), ("cdn.txt", b"# nobody\n")]);
    let loaded = LoadedPolicy::load(&directory.path().join("policy.toml"));
    let lines: Vec<String> = loaded.warnings.iter().map(PolicyWarning::to_line).collect();
    let directory = format!("{}/", directory.path().display());
    assert_eq!(
        lines.join("\n").replace(&directory, ""),
        "policy.toml:2:1: group `cdn` has no sources, so it matches nobody\n\
         policy.toml:3:1: group `none` has no sources, so it matches nobody"
    );
    let blocked = Policy::parse("[[allow]]\nports = ['443']\n", "", Path::new("")).expect("valid");
    let rules = |policy: &Policy| -> usize {
        dwnl::compile(policy).chains.iter().map(|chain| chain.rules.len()).sum()
    };
    let nobody = loaded.policy.expect("a valid policy");
    assert_eq!(rules(&nobody), rules(&Policy::default()));
    assert!(rules(&blocked) > rules(&nobody));
}

#[test]
fn a_list_that_shrinks_too_much_is_refused() {
    let load = |limit: &str, list: &str| {
        let policy = format!(
            "[sources]\ncdn = {{ file = 'cdn.txt', max-shrink = '{limit}' }}\n\
             [[allow]]\nports = ['443']\nfrom = ['cdn']\n"
        );
        let files = [("policy.toml", policy.as_bytes()), ("cdn.txt", list.as_bytes())];
        let directory = directory(&files);
        LoadedPolicy::load(&directory.path().join("policy.toml"))
    };
    let list: String = (0..10).map(|host| format!("192.0.2.{host}\n")).collect();
    let previous = load("50%", &list).policy.expect("a policy");
    let is_refused = |limit: &str, list: &str| {
        let mut loaded = load(limit, list);
        loaded.check_shrink(&previous);
        loaded.policy.err().map(|errors| errors.0[0].message.clone())
    };
    assert_eq!(is_refused("50%", &list), None);
    assert_eq!(is_refused("50%", "192.0.2.0/29\n"), None, "eight of ten are covered");
    assert_eq!(is_refused("40%", "192.0.2.0/30\n192.0.2.8\n192.0.2.9\n"), None);
    let message = |lost, limit| {
        Some(format!(
            "group `cdn` has lost {lost} of its 10 sources, more than the {limit}% permitted"
        ))
    };
    assert_eq!(is_refused("50%", "192.0.2.0/30\n"), message(6, 50));
    assert_eq!(is_refused("99%", ""), message(10, 99));
    assert_eq!(is_refused("100%", ""), None);
    let mut first = load("0%", "");
    first.check_shrink(&Policy::default());
    assert!(first.policy.is_ok(), "no entry used the group before");
}

#[test]
fn a_large_file_is_an_error() {
    let directory = directory(&[("policy.toml", &[b'#'; (4 << 20) + 1])]);
    assert_eq!(
        messages(&directory.path().join("policy.toml")),
        "cannot read policy.toml: the file is larger than 4 MiB\n  = help: a policy must be UTF-8 text of at most 4 MiB"
    );
}

/// The kinds of the warnings about the policy in this directory.
fn warnings(directory: &TempDir) -> Vec<String> {
    let loaded = LoadedPolicy::load(&directory.path().join("policy.toml"));
    assert!(loaded.policy.is_ok(), "{:?}", loaded.policy);
    loaded.warnings.iter().map(|warning| warning.kind().id().to_owned()).collect()
}

#[test]
fn files_that_others_can_change_are_warned_of() {
    let directory = directory(&[("policy.toml", b"# empty\n")]);
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("to change the mode");
    };
    let (file, shared) = (directory.path().join("policy.toml"), 12_345);
    chmod(&file, 0o666);
    assert_eq!(warnings(&directory), ["writable_file"]);
    chmod(&file, 0o664);
    assert!(warnings(&directory).is_empty(), "the group is that of this process");
    chown(&file, None, Some(shared)).expect("to change the group");
    assert_eq!(warnings(&directory), ["writable_file"]);
    chmod(&file, 0o644);
    chmod(directory.path(), 0o777);
    assert_eq!(warnings(&directory), ["writable_directory"]);
    chmod(directory.path(), 0o1777);
    assert!(warnings(&directory).is_empty());
}

/// As where a container mounts a single file that is then replaced on the host: the mount keeps the old
/// one, which has no name any more.
#[test]
fn a_replaced_file_is_warned_of() {
    let directory = directory(&[("policy.toml", b"# old\n"), ("new.toml", b"# new\n")]);
    let path = directory.path().join("policy.toml");
    let file = fs::File::open(&path).expect("the file");
    let mounted = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let messages = || -> Vec<String> {
        let loaded = LoadedPolicy::load(&mounted);
        assert!(loaded.policy.is_ok(), "{:?}", loaded.policy);
        loaded.warnings.iter().map(ToString::to_string).collect()
    };
    assert!(messages().is_empty());
    fs::rename(directory.path().join("new.toml"), &path).expect("to replace the file");
    let messages = messages().concat();
    assert!(messages.contains("the file has been deleted or replaced"), "{messages}");
    assert!(messages.contains("mount its directory instead"), "{messages}");
}

#[test]
fn unfinished_files_are_warned_of() {
    let policy = "[sources]\nlist = { file = \"list.txt\" }\n";
    let unfinished = |policy: &str, list: &str| {
        let files = [("policy.toml", policy.as_bytes()), ("list.txt", list.as_bytes())];
        let directory = directory(&files);
        let loaded = LoadedPolicy::load(&directory.path().join("policy.toml"));
        let kinds = loaded.warnings.iter().map(|it| it.kind().id());
        let is_warned = kinds.filter(|id| ["unfinished_file", "empty_file"].contains(id)).count();
        (loaded.is_unfinished(), is_warned)
    };
    assert_eq!(unfinished(policy, "192.0.2.1\n"), (false, 0));
    assert_eq!(unfinished(policy.trim_end(), "192.0.2.1\n"), (true, 1));
    assert_eq!(unfinished(policy, "192.0.2.1"), (true, 1));
    assert_eq!(unfinished("", "192.0.2.1"), (true, 1));
}

#[test]
fn an_unreadable_source_file_is_an_error() {
    assert_eq!(
        messages_of_source_file("/nowhere/cdn.txt"),
        "policy.toml:2:16: cannot read source file `cdn.txt`: no such file\n\
         \x20 |\n\
         2 | cdn = { file = \"cdn.txt\" }\n\
         \x20 |                ^^^^^^^^^"
    );
    assert!(messages_of_source_file("/").contains("it is a directory"));
}

#[test]
fn a_source_file_that_is_not_utf8_is_an_error() {
    let policy = b"[sources]\ncdn = { file = \"cdn.txt\" }\n";
    let directory = directory(&[("policy.toml", policy), ("cdn.txt", b"192.0.2.1 # caf\xe9\n")]);
    assert_eq!(
        messages(&directory.path().join("policy.toml")),
        "cdn.txt:1:16: invalid UTF-8: byte 0xe9\n\
         \x20 |\n\
         1 | 192.0.2.1 # caf\u{fffd}\n\
         \x20 |                ^\n\
         \x20 = help: a source file must be UTF-8 text of at most 64 MiB"
    );
}

#[test]
fn a_hundred_thousand_sources_have_locations() {
    let lines: Vec<String> =
        (0..100_000u32).map(|n| std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string()).collect();
    let policy = b"[sources]\ncdn = { file = \"cdn.txt\" }\n[[allow]]\nports = [\"443\"]\nfrom = [\"cdn\"]\n";
    let directory = directory(&[("policy.toml", policy), ("cdn.txt", lines.join("\n").as_bytes())]);
    let policy = Policy::read(&directory.path().join("policy.toml")).expect("a policy");
    let from = policy.allow()[0].from().expect("sources");
    assert_eq!(from[0].sources().len(), 100_000);
    let last = from[0].sources().last().expect("a source");
    assert_eq!(last.addresses().to_string(), lines[99_999]);
    assert_eq!(last.at().map(|at| (at.line, at.column)), Some((100_000, 1)));
}

#[test]
fn the_number_of_printed_source_file_errors_is_limited() {
    let list = "example.com\n".repeat(100_000);
    let policy = b"[sources]\ncdn = { file = \"cdn.txt\" }\n";
    let directory = directory(&[("policy.toml", policy), ("cdn.txt", list.as_bytes())]);
    let message = messages(&directory.path().join("policy.toml"));
    assert!(message.starts_with("cdn.txt:1:1: `example.com` is not an address\n"), "{message}");
    assert!(message.ends_with("… and 951 more errors"), "{message}");
}

#[test]
fn a_hundred_thousand_sources_in_one_line_are_read() {
    let sources: Vec<String> =
        (0..100_000u32).map(|n| format!("'{}'", std::net::Ipv4Addr::from(n << 8))).collect();
    let text = format!("[[allow]]\nports = ['443']\nfrom = [{}]\n", sources.join(", "));
    let policy = Policy::parse(&text, "policy.toml", Path::new("")).expect("a policy");
    let from = policy.allow()[0].from().expect("sources");
    let last = from[0].sources().last().expect("a source").at().expect("a position");
    let column = text.lines().nth(2).and_then(|line| line.rfind(", '")).expect("a source") + 3;
    assert_eq!((last.line, last.column as usize), (3, column));
}

#[test]
fn line_endings_and_byte_order_marks_do_not_matter() {
    let policy = b"\xef\xbb\xbf[sources]\r\ncdn = { file = \"cdn.txt\" }\r\n\r\n[[allow]]\r\n\
        ports = [\"443\"]\r\nfrom = [\"cdn\"]";
    let list = b"\xef\xbb\xbf192.0.2.1\r\n\r\n# a comment\r\n2001:db8::/64 # another";
    let policy = read(&[("policy.toml", policy), ("cdn.txt", list)]).expect("a policy");
    let from = policy.allow()[0].from().expect("sources");
    let sources: Vec<_> = from[0].sources().iter().map(|s| s.addresses().to_string()).collect();
    assert_eq!(sources, ["192.0.2.1", "2001:db8::/64"]);
}

#[test]
fn a_source_file_is_read_once_for_all_groups_that_use_it() {
    let policy = b"[sources]\na = { file = 'l' }\nb = { file = 'l' }\n\
        [[allow]]\nports = ['1']\nfrom = ['a', 'b']\n";
    let errors = read(&[("policy.toml", policy), ("l", b"192.0.2.1/24")]);
    let message = errors.expect_err("an error");
    assert_eq!(message.matches("host bits").count(), 1, "{message}");

    let policy = read(&[("policy.toml", policy), ("l", b"192.0.2.1")]).expect("a policy");
    let from = policy.allow()[0].from().expect("sources");
    assert!(std::ptr::eq(from[0].sources(), from[1].sources()));
}

#[test]
fn a_loaded_policy_lists_its_files_even_with_errors() {
    let policy = b"[sources]\nb = { file = 'b.txt' }\na = { file = 'lists/a.txt' }\n\
        c = { file = 'b.txt' }\n[[allow]]\nports = ['443']\nfrom = ['a', 'b']\n";
    let directory = directory(&[("policy.toml", policy), ("b.txt", b"192.0.2.1\n")]);
    let path = |name| directory.path().join(name);
    let files = ["policy.toml", "b.txt", "lists/a.txt"].map(path);

    let missing = LoadedPolicy::load(&files[0]);
    assert!(missing.policy.is_err(), "a source file is missing");
    assert_eq!(missing.watch_paths, files);

    fs::create_dir(path("lists")).expect("a directory");
    fs::write(&files[2], "192.0.2.2\n").expect("a list");
    let fixed = LoadedPolicy::load(&files[0]);
    assert!(fixed.policy.is_ok());
    assert_eq!(fixed.watch_paths, files);
    assert_ne!(fixed, missing);
    assert_eq!(fixed, LoadedPolicy::load(&files[0]));

    let absent = LoadedPolicy::load(&path("absent.toml"));
    assert_eq!(absent.watch_paths, [path("absent.toml")]);
}
