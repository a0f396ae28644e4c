use std::process::Command as Process;

use toml::de::{DeTable, DeValue};

use super::*;

const DATE: &str = "2026-01-31";

/// groff's output for a page as plain text, and its warnings.
fn groff(page: &Path) -> (String, String) {
    let output = Process::new("groff")
        .args(["-man", "-ww", "-Tutf8", "-rLL=80n", "-P-cbou"])
        .arg(page)
        .output()
        .expect("groff");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr))
}

/// The text of dwnl-policy(5) for a reference in Markdown, without head and foot.
fn rendered(markdown: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("page");
    fs::write(&path, policy::page(markdown, DATE, SOURCE).expect("a page")).expect("a page");
    let (text, warnings) = groff(&path);
    assert_eq!(warnings, "");
    let (_, text) = text.split_once("DESCRIPTION\n").expect("a description");
    let (text, _) = text.rsplit_once('\n').expect("a foot");
    let (text, _) = text.rsplit_once("dwnl 0").expect("a foot");
    text.trim_end().to_owned()
}

#[test]
fn groff_prints_every_page_without_a_warning() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = Cli::command();
    program.build();
    write_pages(&program, DATE, directory.path()).expect("pages");
    let pages: Vec<_> = fs::read_dir(directory.path()).expect("pages").collect();
    assert_eq!(pages.len(), program.get_subcommands().count() + 2);
    for page in pages {
        let page = page.expect("a page").path();
        let (text, warnings) = groff(&page);
        assert_eq!(warnings, "", "{}", page.display());
        assert!(text.contains("\nNAME\n"), "{}:\n{text}", page.display());
    }
}

/// `examples/policy.toml` uses every key.
#[test]
fn the_page_of_the_policy_describes_every_key() {
    let text = rendered(REFERENCE);
    let example = fs::read_to_string("examples/policy.toml").expect("the example");
    let example = DeTable::parse(&example).expect("TOML").into_inner();
    for (table, value) in &example {
        let (title, tables) = match value.as_ref() {
            DeValue::Array(entries) => {
                (format!("[[{}]]", table.as_ref()), entries.iter().collect())
            }
            _ => (format!("[{}]", table.as_ref()), vec![value]),
        };
        assert!(text.contains(&format!("\n   {title}\n")), "{title}");
        if title == "[sources]" {
            // The names of groups are not keys.
            continue;
        }
        for key in
            tables.iter().filter_map(|table| table.as_ref().as_table()).flat_map(DeTable::keys)
        {
            let described = |line: &str| line.trim().split(' ').next() == Some(key.as_ref());
            assert!(text.lines().any(described), "{title} {}", key.as_ref());
        }
    }
}

#[test]
fn markdown_becomes_a_page() {
    let markdown = "\
# Title
<!-- comment -->
Some *text*,
[a link](other.md) and **`code`**.

## `[table]`
```toml
# ^~`'\\
.key = \"value\"
```
- one
- two

| key | meaning | default |
|---|---|---|
| `a` | first | 1 |
| `longer-name` | second | 2 |

Text.

## Files
Text.";
    let expected = "       Some text, a link and code.

   [table]
           # ^~`'\\
           .key = \"value\"

       • one

       • two

       a      first
              Default: 1

       longer-name
              second
              Default: 2

       Text.

FILES
       Text.";
    assert_eq!(rendered(markdown), expected);
}

#[test]
fn unsupported_markdown_is_an_error() {
    for markdown in ["1. a list", "### a heading", "- a\n  - b", "- a\n\n  b", "> quote", "<p>"] {
        assert!(policy::page(markdown, DATE, SOURCE).is_err(), "{markdown}");
    }
}
