//! Source files in the forms in which publishers offer them. `tests/fixtures/lists` has short lists in
//! each form, with addresses for documentation.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dwnl::Policy;
use dwnl::policy::{Diagnostics, LoadedPolicy, PolicyWarning, SourceList};
use tempfile::TempDir;

const FIXTURES: &str = "tests/fixtures/lists";

/// The policy of one entry with a list that this TOML value describes.
fn policy(list: &str) -> String {
    format!("[sources]\nlist = {list}\n[[allow]]\nports = ['443']\nfrom = ['list']\n")
}

/// The sources of the list that this TOML value describes, in the order of the file.
fn sources(list: &str) -> Result<Vec<String>, Diagnostics> {
    let policy = Policy::parse(&policy(list), "policy.toml", Path::new(FIXTURES))?;
    let group = &policy.allow()[0].from().expect("sources")[0];
    Ok(group.sources().iter().map(|source| source.addresses().to_string()).collect())
}

/// Compresses data as `gzip` does.
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .args(["-c", "-1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip");
    let mut input = gzip.stdin.take().expect("a pipe");
    let data = data.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&data));
    let output = gzip.wait_with_output().expect("its output");
    writer.join().expect("a writer").expect("to write");
    assert!(output.status.success());
    output.stdout
}

/// A directory with a policy that names `list.gz`, and with that file.
fn compressed(data: &[u8], json: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("policy.toml");
    fs::write(&path, policy(&format!("{{ file = 'list.gz'{json} }}"))).expect("a policy");
    fs::write(directory.path().join("list.gz"), data).expect("a list");
    (directory, path)
}

#[test]
fn lists_of_every_publisher_are_read() {
    let cases: [(&str, &[&str]); 12] = [
        (
            "{ file = 'aws.json', json = ['prefixes[].ip_prefix', 'ipv6_prefixes[].ipv6_prefix'] }",
            &[
                "192.0.2.0/26",
                "198.51.100.0/24",
                "203.0.113.7",
                "2001:db8:10::/48",
                "2001:db8:20::/56",
            ],
        ),
        (
            "{ file = 'aws.json', json = 'prefixes[service=CLOUDFRONT].ip_prefix' }",
            &["198.51.100.0/24"],
        ),
        (
            "{ file = 'aws.json', json = 'prefixes[service=EC2,region=eu-central-1].ip_prefix' }",
            &["203.0.113.7"],
        ),
        (
            "{ file = 'google.json', json = ['prefixes[].ipv4Prefix?', 'prefixes[].ipv6Prefix?'] }",
            &["192.0.2.0/26", "198.51.100.0/24", "2001:db8:30::/44"],
        ),
        (
            "{ file = 'cloudflare.json', json = ['result.ipv4_cidrs[]', 'result.ipv6_cidrs[]'] }",
            &["192.0.2.0/26", "198.51.100.0/24", "2001:db8::/32"],
        ),
        ("{ file = 'github.json', json = 'hooks[]' }", &["192.0.2.0/26", "2001:db8:50::/48"]),
        (
            "{ file = 'azure.json', json = 'values[name=Storage].properties.addressPrefixes[]' }",
            &["198.51.100.0/24"],
        ),
        (
            "{ file = 'spamhaus-drop.txt' }",
            &["192.0.2.0/26", "198.51.100.0/24", "203.0.113.128/25"],
        ),
        ("{ file = 'spamhaus-dropv6.txt' }", &["2001:db8:70::/48"]),
        ("{ file = 'firehol.netset' }", &["192.0.2.0/26", "198.51.100.7", "203.0.113.0/30"]),
        ("{ file = 'firehol.ipset' }", &["192.0.2.7", "198.51.100.8"]),
        ("{ file = 'country.zone' }", &["192.0.2.0/26", "198.51.100.0/24"]),
    ];
    for (list, expected) in cases {
        assert_eq!(sources(list).map_err(|errors| errors.to_string()).expect(list), expected);
    }
}

#[test]
fn a_source_in_json_has_its_position() {
    let list = "{ file = 'aws.json', json = 'prefixes[service=EC2].ip_prefix' }";
    let policy = Policy::parse(&policy(list), "p", Path::new(FIXTURES)).expect("a policy");
    let group = &policy.allow()[0].from().expect("sources")[0];
    let at = group.sources()[0].at().expect("a position").to_string();
    assert_eq!(at, "tests/fixtures/lists/aws.json:18:20");
}

#[test]
fn one_file_can_be_several_groups() {
    let text = "[sources]\n\
        hooks = { file = 'github.json', json = 'hooks[]' }\n\
        actions = { file = 'github.json', json = 'actions[]' }\n\
        [[allow]]\nports = ['443']\nfrom = ['hooks', 'actions']\n";
    let policy = Policy::parse(text, "p", Path::new(FIXTURES)).expect("a policy");
    let groups = policy.allow()[0].from().expect("groups");
    assert_eq!([groups[0].sources().len(), groups[1].sources().len()], [2, 2]);
    assert_ne!(groups[0].sources(), groups[1].sources());
}

#[test]
fn the_conditions_of_a_list_hold_in_every_form() {
    let lists = TempDir::new().expect("a directory");
    let (path, list) = (lists.path().join("policy.toml"), lists.path().join("list.json"));
    let options = "json = 'a[]', allow-empty = false, max-shrink = '50%'";
    fs::write(&path, policy(&format!("{{ file = 'list.json', {options} }}"))).expect("a policy");
    let load = |json: &str| {
        fs::write(&list, json).expect("a list");
        LoadedPolicy::load(&path)
    };
    let error = |loaded: LoadedPolicy| loaded.policy.expect_err("errors").0[0].message.clone();
    let first = load(r#"{"a": ["192.0.2.1", "192.0.2.2", "192.0.2.3"]}"#);
    assert!(!first.is_unfinished(), "JSON shows its end by itself");
    assert!(first.warnings.iter().all(|it| it.kind().id() != "unfinished_file"));
    assert_eq!(first.watch_paths.len(), 2);
    let first = first.policy.expect("a policy");
    assert_eq!(error(load(r#"{"a": []}"#)), "group `list` has no sources");
    let mut shrunk = load(r#"{"a": ["192.0.2.1"]}"#);
    shrunk.check_shrink(&first);
    assert_eq!(
        error(shrunk),
        "group `list` has lost 2 of its 3 sources, more than the 50% permitted"
    );
    let half = load(r#"{"a": ["192.0.2.1", "#);
    assert!(half.is_unfinished() && half.policy.is_err());
    let damaged = load(r#"{"a": ["192.0.2.1" "#.replace('"', "'").as_str());
    assert!(!damaged.is_unfinished() && damaged.policy.is_err());
}

#[test]
fn compressed_lists_are_read() {
    let text = b"; a list\n192.0.2.1\n2001:db8::/32 # x";
    let (_directory, path) = compressed(&gzip(text), "");
    let loaded = LoadedPolicy::load(&path);
    assert!(!loaded.is_unfinished(), "gzip shows the end of a file by itself");
    let ids: Vec<&str> = loaded.warnings.iter().map(|warning| warning.kind().id()).collect();
    assert_eq!(ids, [""; 0], "{:?}", loaded.warnings.iter().map(PolicyWarning::to_line).next());
    let policy = loaded.policy.expect("a policy");
    assert_eq!(policy.allow()[0].from().expect("sources")[0].sources().len(), 2);

    let (_directory, path) = compressed(&gzip(b"{\"a\": [\"192.0.2.1\"]}"), ", json = 'a[]'");
    assert!(LoadedPolicy::load(&path).policy.is_ok());

    // Files that are joined, as gzip permits.
    let joined = [gzip(b"192.0.2.1\n"), gzip(b"192.0.2.2\n")].concat();
    let (_directory, path) = compressed(&joined, "");
    let policy = LoadedPolicy::load(&path).policy.expect("a policy");
    assert_eq!(policy.allow()[0].from().expect("sources")[0].sources().len(), 2);
}

#[test]
fn damaged_compressed_lists_are_refused() {
    let whole = gzip(b"192.0.2.1\n192.0.2.2\n");
    let load = |data: &[u8]| {
        let (_directory, path) = compressed(data, "");
        let loaded = LoadedPolicy::load(&path);
        let is_unfinished = loaded.is_unfinished();
        let errors = loaded.policy.expect_err("an error");
        (is_unfinished, errors.0[0].message.clone())
    };
    for length in [0, 1, 5, whole.len() / 2, whole.len() - 1] {
        let (is_unfinished, message) = load(&whole[..length]);
        assert!(is_unfinished, "{length}: {message}");
        assert!(message.ends_with("the compressed data have no end"), "{length}: {message}");
    }
    let mut wrong = whole.clone();
    let end = wrong.len() - 6;
    wrong[end] ^= 1;
    for data in [&wrong, b"192.0.2.1\n".as_slice(), &[&whole[..], b"192.0.2.3\n"].concat()] {
        let (is_unfinished, message) = load(data);
        assert!(
            !is_unfinished && message.contains("not compressed by gzip, or damaged"),
            "{message}"
        );
    }
    let directory = TempDir::new().expect("a directory");
    fs::write(directory.path().join("list.txt"), &whole).expect("a list");
    let text = policy("{ file = 'list.txt' }");
    let errors = Policy::parse(&text, "p", directory.path()).expect_err("an error");
    assert_eq!(errors.0[0].message, "the file is compressed by gzip");
    assert_eq!(errors.0[0].help.as_deref(), Some("let its name end with `.gz`"));
}

/// What is small and grows is refused at the limit of a source file.
#[test]
fn a_bomb_is_refused() {
    let (_directory, path) = compressed(&gzip(&vec![b'\n'; (64 << 20) + 1]), "");
    let errors = LoadedPolicy::load(&path).policy.expect_err("an error");
    assert!(errors.0[0].message.ends_with("larger than 64 MiB"), "{errors}");
    // A file of empty members never yields a byte.
    let empty = gzip(b"").repeat((64 << 20) / gzip(b"").len() + 1);
    let (_directory, path) = compressed(&empty, "");
    assert!(LoadedPolicy::load(&path).policy.is_err());
}

#[test]
fn a_list_is_checked_by_itself() {
    let directory = TempDir::new().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a list");
        path
    };
    let error = |list: SourceList| {
        let errors = list.sources.expect_err("an error").to_string();
        errors.replace(&format!("{}/", directory.path().display()), "")
    };
    let old = write("old", "192.0.2.1\n192.0.2.2\n");
    let old = SourceList::load(&old, &[]).sources.expect("sources");
    let new = write("new", "192.0.2.1\n");
    let mut list = SourceList::load(&new, &[]);
    list.check_not_empty();
    list.check_shrink(&old, "50%".parse().expect("a share"));
    assert_eq!(list.sources.as_ref().map(Vec::len), Ok(1));
    list.check_shrink(&old, "49%".parse().expect("a share"));
    assert_eq!(error(list), "`new` has lost 1 of its 2 sources, more than the 49% permitted");
    let mut list = SourceList::load(&write("empty", "# none\n"), &[]);
    list.check_not_empty();
    assert_eq!(error(list), "`empty` has no sources");
    let list = SourceList::load(Path::new("/nowhere/list"), &[]);
    assert_eq!(error(list), "cannot read source file `/nowhere/list`: no such file");
    let json = write("json", r#"{"a": ["192.0.2.1/24"]}"#);
    let list = SourceList::load(&json, &["a[]".parse().expect("a path")]);
    assert!(error(list).starts_with("json:1:8: `192.0.2.1/24` has host bits set"));
}
