//! The help of errors and warnings about policies: what it says to write is valid.

use std::fs;
use std::ops::Range;
use std::path::Path;

use dwnl::Policy;
use dwnl::model::{AddressSpec, Interface, Ports};
use dwnl::policy::{Diagnostic, LoadedPolicy, ParseError, PolicyWarning};
use proptest::prelude::*;
use tempfile::TempDir;

const FIXTURES: &str = "tests/policy";

/// A directory with the source files of `malformed.txt` and those that examples in the help name.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for file in fs::read_dir(FIXTURES).expect("the files") {
        let file = file.expect("a file");
        fs::copy(file.path(), directory.path().join(file.file_name())).expect("a copy");
    }
    for example in ["sources.txt", "cdn.txt"] {
        fs::write(directory.path().join(example), "192.0.2.1\n").expect("a list");
    }
    directory
}

fn errors(policy: &str, directory: &Path) -> Vec<Diagnostic> {
    Policy::parse(policy, "policy.toml", directory).map_or_else(|errors| errors.0, |_| Vec::new())
}

/// The parts of a text between pairs of this character.
fn between(text: &str, quote: char) -> Vec<&str> {
    text.split(quote).skip(1).step_by(2).collect()
}

/// What the help says to write in place of what is wrong, each a valid alternative.
fn suggestions(help: &str) -> Vec<String> {
    if let Some(list) = help.strip_prefix("list each separately: ") {
        vec![between(list, '`').join("\", \"")]
    } else if help.contains(" on a line of its own") {
        Vec::new()
    } else if help.starts_with("write `") || help.starts_with("did you mean `") {
        // What follows explains the suggestion.
        let ends = [
            " and set ",
            "; some programs",
            "; ports belong",
            ": a comment",
            ": the published",
            ": `+`",
            "; an entry",
        ];
        let end = ends.iter().filter_map(|end| help.find(end)).min().unwrap_or(help.len());
        between(&help[..end], '`').into_iter().map(str::to_owned).collect()
    } else if help.starts_with("write a string") || help.starts_with("write a name") {
        between(help, '"').into_iter().map(|it| format!("\"{it}\"")).collect()
    } else if help.starts_with("write a port") || help.starts_with("write an address") {
        between(help, '"').into_iter().map(str::to_owned).collect()
    } else if let Some((_, mark)) = help.split_once(" is 0x").or(help.split_once("such as 0x")) {
        vec![format!("0x{mark}")]
    } else {
        Vec::new()
    }
}

/// The span of what is wrong, in bytes.
fn span(text: &str, error: &Diagnostic) -> Range<usize> {
    let line = text.split_inclusive('\n').take(error.at.line as usize - 1).map(str::len).sum();
    let offset = |chars: usize| {
        let rest = &text[line..];
        line + rest.char_indices().nth(chars).map_or(rest.len(), |(offset, _)| offset)
    };
    let column = error.at.column as usize - 1;
    offset(column)..offset(column + error.width)
}

/// The text with the suggestion in place of what is wrong.
fn apply(text: &str, error: &Diagnostic, suggestion: &str) -> String {
    let Range { mut start, end } = span(text, error);
    let key = suggestion.split(" = ").next().filter(|_| suggestion.contains(" = ["));
    let key = key.or(suggestion.split(" = ").next().filter(|key| !key.contains('{')));
    if let Some(found) = key.filter(|_| suggestion.contains(" = ")) {
        start = text[..start].rfind(found).unwrap_or(start);
    }
    let is_bare = !suggestion.starts_with(['"', '[', '{']) && start == span(text, error).start;
    let quote = if is_bare && text[start..].starts_with(['"', '\'']) { "\"" } else { "" };
    format!("{}{quote}{suggestion}{quote}{}", &text[..start], &text[end..])
}

/// The line of a source file that is suggested, as a list of its own.
fn check_line(suggestion: &str, error: &Diagnostic) {
    let directory = tempfile::tempdir().expect("a directory");
    let text = suggestion.replace("\", \"", "\n") + "\n192.0.2.1\n";
    fs::write(directory.path().join("list.txt"), text).expect("a list");
    let policy = "[sources]\nlist = { file = \"list.txt\" }\n";
    assert_eq!(errors(policy, directory.path()), [], "{error}");
}

#[test]
fn what_the_help_suggests_is_valid() {
    let directory = directory();
    let table = fs::read_to_string(Path::new(FIXTURES).join("malformed.txt")).expect("the table");
    let mut count = 0;
    for case in table.split("=== ").skip(1) {
        let (_, rest) = case.split_once('\n').expect("a title");
        let (policy, _) = rest.split_once("---\n").expect("a line between");
        for error in errors(policy, directory.path()) {
            for suggestion in error.help.as_deref().map(suggestions).unwrap_or_default() {
                count += 1;
                if &*error.at.file != "policy.toml" {
                    check_line(&suggestion, &error);
                    continue;
                }
                let repaired = apply(policy, &error, &suggestion);
                let left = errors(&repaired, directory.path());
                let is_there = left.iter().any(|it| it.at == error.at);
                assert!(!is_there, "{error}\n\nbecomes\n\n{repaired}\n{left:#?}");
            }
        }
    }
    assert!(count >= 120, "only {count} suggestions");
}

/// The warnings about a policy in a file of this directory, without the path of the directory.
fn warnings(policy: &str, directory: &Path) -> Vec<PolicyWarning> {
    let path = directory.join("policy.toml");
    fs::write(&path, policy).expect("a policy");
    let loaded = LoadedPolicy::load(&path);
    assert_eq!(loaded.policy.err(), None);
    loaded.warnings
}

/// `lint.txt` holds policies with the exact warnings about them, as `malformed.txt` does errors.
#[test]
fn warnings_about_policies_have_their_exact_messages() {
    let directory = directory();
    let table = fs::read_to_string(Path::new(FIXTURES).join("lint.txt")).expect("the table");
    let mut wrong = String::new();
    for case in table.split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (policy, expected) = rest.split_once("---\n").expect("a line between");
        let found = warnings(policy, directory.path());
        let found: Vec<String> = found.iter().map(PolicyWarning::to_string).collect();
        let path = format!("{}/", directory.path().display());
        let found = found.join("\n\n").replace(&path, "");
        if found != expected.trim_end() {
            wrong += &format!("=== {title}\n{policy}---\n{found}\n\n");
        }
    }
    assert!(wrong.is_empty(), "unexpected messages:\n{wrong}");
}

/// What the help of a warning suggests ends it.
#[test]
fn what_the_help_of_a_warning_suggests_ends_it() {
    let directory = directory();
    let table = fs::read_to_string(Path::new(FIXTURES).join("lint.txt")).expect("the table");
    let mut count = 0;
    for case in table.split("=== ").skip(1) {
        let (policy, _) =
            case.split_once('\n').expect("a title").1.split_once("---\n").expect("a line");
        for warning in warnings(policy, directory.path()) {
            let diagnostic = warning.diagnostic();
            let suggestions = diagnostic.help.as_deref().map(suggestions).unwrap_or_default();
            for suggestion in suggestions.iter().filter(|_| !diagnostic.excerpt.is_empty()) {
                count += 1;
                let left = warnings(&apply(policy, diagnostic, suggestion), directory.path());
                assert!(left.iter().all(|it| it.diagnostic().at != diagnostic.at), "{warning}");
            }
        }
    }
    assert!(count >= 4, "only {count} suggestions");
}

/// The suggestions in an error of a value.
fn values(error: &ParseError) -> Vec<String> {
    let help = error.help().unwrap_or_default();
    let is_suggestion = help.starts_with("write `") || help.starts_with("list each");
    let help = help.split(" and set ").next().unwrap_or_default();
    let help = help.split("; ").next().unwrap_or_default();
    let values = if is_suggestion { between(help, '`') } else { Vec::new() };
    values.into_iter().map(str::to_owned).collect()
}

proptest! {
    #[test]
    fn every_suggested_port_is_valid(
        text in "([0-9]{1,5}|[-:/,. >+|]|->|\\.\\.|tcp|udp|TCP|tpc|any|\\*|0|[a-z]){1,9}",
    ) {
        for value in text.parse::<Ports>().as_ref().err().map(values).unwrap_or_default() {
            prop_assert!(value.parse::<Ports>().is_ok(), "{text}: {value}");
        }
    }

    #[test]
    fn every_suggested_source_is_valid(
        text in "(192\\.0\\.|[0-9]{1,3}|[-:/,. ;%]|::|ffff|2001:db8::|\\[|\\]|\\*|x|255\\.){1,9}",
    ) {
        for value in text.parse::<AddressSpec>().as_ref().err().map(values).unwrap_or_default() {
            prop_assert!(value.parse::<AddressSpec>().is_ok(), "{text}: {value}");
        }
    }

    #[test]
    fn every_suggested_interface_is_valid(text in "(eth|[0-9]|[-:/,. *+!'\"]){1,7}") {
        let policy = format!("[[allow]]\nports = ['1']\nin-interface = \"\"\"{text} \"\"\"\n");
        let help = errors(&policy, Path::new("")).first().and_then(|error| error.help.clone());
        let help = help.filter(|help| help.starts_with("write `")).unwrap_or_default();
        for value in between(&help, '`') {
            prop_assert!(value.parse::<Interface>().is_ok(), "{text}: {value}");
        }
    }
}
