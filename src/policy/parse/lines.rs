//! Source files with one source per line, as a provider or a script publishes them.

use std::sync::Arc;

use super::source;
use crate::model::Location;
use crate::policy::diag::{
    Issue, IssueList, Quoted, count_chars, diagnose, saturate, without_mark,
};
use crate::policy::name::looks_like_address;
use crate::policy::{FILE_SOURCES_MAX, Source, SourceOrigin};

/// Reads the text of a source file with at most `room` sources.
pub(in crate::policy) fn parse(
    text: &str,
    file: &Arc<str>,
    room: usize,
    errors: &mut IssueList,
) -> Vec<Source> {
    // Most lines have ten bytes or more.
    let mut sources = Vec::with_capacity((text.len() / 10).min(room));
    let origin = SourceOrigin::of_file(file);
    for (index, line) in without_mark(text).lines().enumerate() {
        let at = |column| Location {
            file: file.clone(),
            line: saturate(index + 1),
            column: saturate(column),
        };
        if sources.len() == room {
            errors.push(diagnose(at(1), line, 0..line.len(), too_many()));
            break;
        }
        // Most lines are a source in its usual form.
        if let Some(addresses) = source::parse_plain(line) {
            sources.push(Source::read(addresses, &origin, saturate(index + 1), 1));
            continue;
        }
        let content = without_comment(line);
        let start = content.len() - content.trim_start().len();
        let content = content.trim();
        if content.is_empty() {
            continue;
        }
        let column = count_chars(line.as_bytes().get(..start).unwrap_or_default()) + 1;
        let issue = match source::parse(content) {
            Ok(addresses) => {
                sources.push(Source::read(
                    addresses,
                    &origin,
                    saturate(index + 1),
                    saturate(column),
                ));
                continue;
            }
            Err(issue) => issue,
        };
        let span = start..start + content.len();
        // What is of another format has an error in every line.
        if sources.is_empty()
            && errors.len() == 0
            && let Some(issue) = other_format(content)
        {
            errors.push(diagnose(at(column), line, span, issue));
            break;
        }
        let issue = match source::commented(content) {
            Some(meant) => {
                issue.help(format!("write {}: a comment begins with `#`", Quoted(&meant)))
            }
            None => issue,
        };
        errors.push(diagnose(at(column), line, span, issue));
        if errors.is_full() {
            break;
        }
    }
    sources
}

/// That the source files together have too many sources.
pub(super) fn too_many() -> Issue {
    Issue::new(format!("the source files of this policy have more than {FILE_SOURCES_MAX} sources"))
}

/// The line up to its comment. `#` begins one anywhere. So does `;`, unless a source follows it on a line
/// that has one before it: then it may separate the two. `//` begins one where a line or a word
/// begins, because `192.0.2.0//24` is rather a slip than a host.
fn without_comment(line: &str) -> &str {
    let content = line.split('#').next().unwrap_or_default();
    if let Some((before, comment)) = content.split_once(';') {
        let is_separator = !before.trim().is_empty() && begins_with_source(comment);
        return if is_separator { content } else { before };
    }
    // Most lines have neither a blank nor a comment.
    if !content.starts_with("//") && !content.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return content;
    }
    let is_start = |start: usize| {
        let before = content.get(..start).unwrap_or_default();
        before.is_empty() || before.ends_with(|c: char| c.is_ascii_whitespace())
    };
    match content.match_indices("//").find(|(start, _)| is_start(*start)) {
        Some((start, _)) => content.get(..start).unwrap_or_default(),
        None => content,
    }
}

/// Whether the first word of a text is a source, or what may be meant as one.
fn begins_with_source(text: &str) -> bool {
    let is_end = |c: char| c.is_whitespace() || c == ';' || c == ',';
    let first = text.split(is_end).find(|word| !word.is_empty());
    // Most remarks do not look like one, and to find out what a text may be meant as takes long.
    first.filter(|word| looks_like_address(word)).and_then(source::values).is_some()
}

/// That the first line with content begins JSON or a page of the web.
fn other_format(content: &str) -> Option<Issue> {
    let is_address = content.ends_with(']') && content.contains(':');
    let begins_json = content.starts_with('{') || (content.starts_with('[') && !is_address);
    if begins_json {
        return Some(Issue::new("the file is JSON").help(
            "name the path of its sources, as in `{ file = \"list.json\", json = \"prefixes[].ip_prefix\" }`",
        ));
    }
    content.starts_with('<').then(|| {
        Issue::new("the file is HTML or XML")
            .help("convert it to a text file with one address, prefix or range in each line")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sources with their positions, and the errors.
    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let mut errors = IssueList::default();
        let sources = parse(text, &"list".into(), FILE_SOURCES_MAX, &mut errors);
        let place = |source: &Source| {
            format!("{} {}", source.addresses(), source.at().expect("a position"))
        };
        let help = |it: crate::policy::Diagnostic| it.help.unwrap_or(it.message);
        (sources.iter().map(place).collect(), errors.into_vec().into_iter().map(help).collect())
    }

    #[test]
    fn comments_blank_lines_and_line_ends_are_ignored() {
        let text = "\u{feff}# a comment\r\n\r\n \t192.0.2.1 # a host\r\n2001:db8::/32#a network";
        let (sources, errors) = read(text);
        assert_eq!(sources, ["192.0.2.1 list:3:3", "2001:db8::/32 list:4:1"]);
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn other_comments_are_ignored() {
        let text = "; Spamhaus DROP List 2026/11/27 - (c) 2026\n192.0.2.0/24 ; SBL123\n\
            198.51.100.0/24;SBL456 ; 2026-11-27\n// a comment\n203.0.113.7\t// a host\n\
            # 192.0.2.7\n; 192.0.2.8 ; 192.0.2.9\n// 192.0.2.10\n192.0.2.11 ;\n192.0.2.12;\n";
        let (sources, errors) = read(text);
        assert_eq!(
            sources,
            [
                "192.0.2.0/24 list:2:1",
                "198.51.100.0/24 list:3:1",
                "203.0.113.7 list:5:1",
                "192.0.2.11 list:9:1",
                "192.0.2.12 list:10:1"
            ]
        );
        assert!(errors.is_empty(), "{errors:?}");
    }

    /// A comment never swallows a source that another line would have to hold.
    #[test]
    fn a_separator_is_not_a_comment() {
        for line in ["192.0.2.1;192.0.2.2", "192.0.2.1 ; 192.0.2.2", "192.0.2.1; 192.0.2.2"] {
            let (sources, errors) = read(line);
            assert!(sources.is_empty(), "{line}");
            assert_eq!(errors, ["list each separately: `192.0.2.1`, `192.0.2.2`"], "{line}");
        }
        for line in ["192.0.2.0//24", "192.0.2.1;192.0.2.0/24;x", "192.0.2.1 x", "192.0.2.0 /24"] {
            let (sources, errors) = read(line);
            assert_eq!((sources.len(), errors.len()), (0, 1), "{line}");
        }
    }

    #[test]
    fn parsing_stops_after_too_many_errors() {
        let mut errors = IssueList::default();
        let sources =
            parse(&"garbage\n".repeat(100_000), &"list".into(), FILE_SOURCES_MAX, &mut errors);
        assert!(sources.is_empty());
        let errors = errors.into_vec();
        assert_eq!(errors.len(), IssueList::MAX + 1);
        assert_eq!(errors[IssueList::MAX].message, "more than 1000 errors in this file");
    }
}
