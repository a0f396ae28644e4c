//! The sources of JSON documents, and what is said of those that are not as the path says.

use proptest::prelude::*;

use super::*;
use crate::policy::FILE_SOURCES_MAX;
use crate::policy::diag::IssueList;

/// The sources with their positions, or the errors.
fn read(text: &str, paths: &[&str]) -> Result<Vec<String>, Vec<String>> {
    let paths: Vec<JsonPath> = paths.iter().map(|path| path.parse().expect(path)).collect();
    let mut errors = IssueList::default();
    let read = parse(text, &paths, &"list".into(), FILE_SOURCES_MAX, &mut errors);
    let errors: Vec<String> = errors.into_vec().iter().map(ToString::to_string).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let place =
        |source: &Source| format!("{} {}", source.addresses(), source.at().expect("a position"));
    Ok(read.sources.iter().map(place).collect())
}

/// The first line of the only error.
fn error(text: &str, path: &str) -> String {
    let errors = read(text, &[path]).expect_err(path);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].lines().next().unwrap_or_default().to_owned()
}

/// The help of the only error.
fn help(text: &str, path: &str) -> String {
    let errors = read(text, &[path]).expect_err(path);
    errors[0].split_once("= help: ").map_or_else(String::new, |(_, help)| help.to_owned())
}

const AWS: &str = r#"{
  "syncToken": "1",
  "prefixes": [
    { "ip_prefix": "192.0.2.0/25", "region": "eu-west-1", "service": "AMAZON" },
    { "ip_prefix": "192.0.2.128/25", "region": "GLOBAL", "service": "CLOUDFRONT" },
    { "ip_prefix": "198.51.100.7\/32", "region": "eu-west-1", "service": "CLOUDFRONT" }
  ],
  "ipv6_prefixes": [
    { "ipv6_prefix": "2001:db8::/32", "service": "CLOUDFRONT" }
  ]
}
"#;

#[test]
fn sources_have_their_positions() {
    assert_eq!(
        read(AWS, &["prefixes[].ip_prefix", "ipv6_prefixes[].ipv6_prefix"]).expect("sources"),
        [
            "192.0.2.0/25 list:4:20",
            "192.0.2.128/25 list:5:20",
            "198.51.100.7 list:6:20",
            "2001:db8::/32 list:9:22",
        ]
    );
    let found = read("\u{feff}[[\"192.0.2.1\"],[\"::1\"]]", &["[][]"]).expect("sources");
    assert_eq!(found, ["192.0.2.1 list:1:3", "::1 list:1:17"]);
    assert!(read("\"192.0.2.1\"", &["[]"]).is_err());
}

#[test]
fn conditions_select_elements() {
    let prefixes = |conditions: &str| read(AWS, &[&format!("prefixes[{conditions}].ip_prefix")]);
    let cloudfront = prefixes("service=CLOUDFRONT").expect("sources");
    assert_eq!(cloudfront, ["192.0.2.128/25 list:5:20", "198.51.100.7 list:6:20"]);
    let both = prefixes("service=CLOUDFRONT,region=GLOBAL").expect("sources");
    assert_eq!(both, ["192.0.2.128/25 list:5:20"]);
    let none = prefixes("service=cloudfront").expect_err("none");
    assert!(none[0].contains("nothing in the file matches the path"), "{none:?}");
    let typed = r#"[{"id": 4, "on": true, "ip": "192.0.2.4"}, {"id": "6", "ip": "192.0.2.6"}, 7]"#;
    assert_eq!(read(typed, &["[id=4].ip"]).expect("one"), ["192.0.2.4 list:1:30"]);
    assert_eq!(read(typed, &["[id=6].ip"]).expect("one").len(), 1);
    assert_eq!(read(typed, &["[on=true].ip"]).expect("one").len(), 1);
}

#[test]
fn optional_keys_may_be_missing_but_not_everywhere() {
    let google = r#"{"prefixes":[{"ipv4Prefix":"192.0.2.0/24"},{"ipv6Prefix":"2001:db8::/32"}]}"#;
    let both = ["prefixes[].ipv4Prefix?", "prefixes[].ipv6Prefix?"];
    assert_eq!(read(google, &both).expect("sources").len(), 2);
    assert_eq!(
        error(google, "prefixes[].ipv4Prefix"),
        "list:1:44: `prefixes[1]` has no key `ipv4Prefix`"
    );
    assert_eq!(
        help(google, "prefixes[].ipv4Prefix"),
        "did you mean the key `ipv6Prefix`, or `ipv4Prefix?`, which may be missing?"
    );
    assert!(error(google, "prefixes[].v4?").ends_with("matches the path prefixes[].v4?"));
    assert!(error(google, "ranges?[].v4").ends_with("matches the path ranges?[].v4"));
}

/// An empty list is what the publisher says. A path that leads nowhere is a mistake.
#[test]
fn only_an_array_can_be_empty() {
    assert_eq!(read(r#"{"a": [], "b": []}"#, &["a[].x", "b[y=z].x?"]), Ok(Vec::new()));
    assert_eq!(error(r#"{"a": {}}"#, "b[].x"), "list:1:1: the document has no key `b`");
    assert_eq!(help(r#"{"prefixes": []}"#, "prefix[]"), "did you mean the key `prefixes`?");
    assert_eq!(help(r#"{"x": [], "y": 1}"#, "prefixes[]"), "its keys are `x`, `y`");
    assert_eq!(
        help(r#"{"a": [{}]}"#, "a[].prefix"),
        "in the path, write `prefix?` if it may be missing"
    );
}

#[test]
fn values_of_other_kinds_are_errors() {
    let text = r#"{"a": {"b": ["192.0.2.1"], "c": null, "d": {}}}"#;
    assert_eq!(error(text, "a.b"), "list:1:13: the path leads to an array");
    assert_eq!(help(text, "a.b"), "in the path, write `a.b[]` for each of its elements");
    assert_eq!(
        error(text, "a.c"),
        "list:1:33: the path leads to a number, a boolean or null, not to a string"
    );
    assert_eq!(error(text, "a.d"), "list:1:44: the path leads to an object, not to a string");
    assert_eq!(error(text, "a[]"), "list:1:7: `a` is an object, but the path says an array");
    assert_eq!(error(text, "a.b.c"), "list:1:13: `a.b` is an array, but the path says an object");
    assert_eq!(error("[]", "a"), "list:1:1: the document is an array, but the path says an object");
    assert!(error(r#"["\ud800"]"#, "[]").ends_with("the string is not Unicode"));
}

#[test]
fn sources_are_as_strict_as_in_a_text() {
    let errors = read("[\n  \"192.0.2.1/24\",\n  \"ä\",\n  \"192.0.2.1\"\n]", &["[]"]);
    let errors = errors.expect_err("two errors");
    assert_eq!(
        errors[0],
        "list:2:3: `192.0.2.1/24` has host bits set\n  |\n2 |   \"192.0.2.1/24\",\n  |   ^^^^^^^^^^^^^^\n  \
         = help: write `192.0.2.0/24` for the network or `192.0.2.1` for the host"
    );
    assert!(errors[1].starts_with("list:3:3: `ä` is not an address"), "{}", errors[1]);
    let many = format!("[{}]", vec!["\"x\""; 5000].join(","));
    let errors = read(&many, &["[]"]).expect_err("errors");
    assert_eq!(errors.len(), IssueList::MAX + 1);
}

#[test]
fn what_is_not_json_is_one_error() {
    let cases = [
        ("<!DOCTYPE html>\n<html>", "list:1:1: the file is HTML or XML, not JSON"),
        ("", "`list` is empty, and not JSON"),
        ("192.0.2.0/24\n", "list:1:6: the file is not JSON: trailing characters"),
        ("[\n\"192.0.2.1\"\n\"x\"]", "list:3:1: the file is not JSON: expected `,` or `]`"),
        ("[] []", "list:1:4: the file is not JSON: trailing characters"),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text, "[]"), expected);
    }
    let is_unfinished = |text: &str| {
        let paths = ["[]".parse().expect("a path")];
        let mut errors = IssueList::default();
        parse(text, &paths, &"list".into(), 10, &mut errors).is_unfinished
    };
    for cut in ["", "[", "[\"192.0.2.1", "[\"192.0.2.1\"", "[\"192.0.2.1\",\n"] {
        assert!(is_unfinished(cut), "{cut}");
    }
    for whole in ["[\"192.0.2.1\"]", "[}", "[] "] {
        assert!(!is_unfinished(whole), "{whole}");
    }
}

#[test]
fn the_number_of_sources_is_bounded() {
    let paths = ["[]".parse().expect("a path")];
    let mut errors = IssueList::default();
    let text = "[\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\"]";
    let read = parse(text, &paths, &"list".into(), 2, &mut errors);
    assert_eq!(read.sources.len(), 2);
    let errors = errors.into_vec();
    assert_eq!((errors.len(), errors[0].at.column), (1, 28));
}

/// Documents nested deeper than the stack permits are read or refused.
#[test]
fn deep_documents_are_no_danger() {
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    assert!(read(&deep, &["[][][]"]).is_err());
    let deep = "{\"a\":".repeat(1 << 20);
    assert!(read(&deep, &["a.a.a"]).is_err());
}

proptest! {
    /// Any text and any path are read or refused.
    #[test]
    fn nothing_panics(text in "[\\[\\]{}\",:a-cä1.\\\\u \n]{0,40}", path in "[a-c.\\[\\]=,?]{1,12}") {
        if let Ok(path) = path.parse::<JsonPath>() {
            let mut errors = IssueList::default();
            parse(&text, &[path], &"list".into(), 5, &mut errors);
        }
    }
}
