//! Errors in the TOML syntax, without the errors that follow from them.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::{interface, port, source};
use crate::policy::diag::{Diagnostic, Issue, IssueList, Quoted, Text};
use crate::policy::name::looks_like_address;

/// Reports syntax errors, at most one per line, and returns the spans of the text whose meaning is
/// uncertain because of them, in order.
pub(in crate::policy) fn report(
    found: &[Error],
    table: &DeTable,
    text: &Text,
    errors: &mut IssueList,
) -> Vec<Range<usize>> {
    if found.is_empty() {
        return Vec::new();
    }
    let values = outermost(table);
    let mut found: Vec<_> = found.iter().map(|error| locate(error, &values, text)).collect();
    found.sort_by_key(|error| error.span.start);
    let mut poisoned: Vec<Range<usize>> = Vec::new();
    let mut last_line = 0;
    let mut open_end = None;
    for error in found {
        let line = text.line_number(error.span.start);
        // All other errors in an unclosed value follow from the missing end.
        if line == last_line || open_end.is_some_and(|end| error.span.start <= end) {
            continue;
        }
        last_line = line;
        open_end = error.is_unclosed.then_some(error.value.end);
        errors.push(text.diagnostic(error.span.clone(), error.issue(text)));
        if errors.is_full() {
            break;
        }
        let span = poisoned_span(text, &error.value);
        match poisoned.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => poisoned.push(span),
        }
    }
    poisoned
}

/// That the text is not TOML at all but JSON: it begins with a brace, as no TOML does.
pub(in crate::policy) fn other_format(text: &str, file: &str) -> Option<Diagnostic> {
    let start = text.len() - text.trim_start().len();
    let issue = Issue::new("the policy is JSON, not TOML")
        .help("write an entry as `[[allow]]` and below it lines such as `ports = [\"443/tcp\"]`");
    let text = Text::new(file.into(), text);
    (text.get(start..start + 1) == "{").then(|| text.diagnostic(start..start + 1, issue))
}

/// A syntax error.
struct Located<'e> {
    message: &'e str,
    /// Where it is reported.
    span: Range<usize>,
    /// The value that contains it, or its own span.
    value: Range<usize>,
    /// Whether the end of the value is missing.
    is_unclosed: bool,
}

/// The parser notices a missing end lines below the value; it is reported where the value begins.
fn locate<'e>(error: &'e Error, values: &[Range<usize>], text: &Text) -> Located<'e> {
    let message = error.message();
    let span = error.span().unwrap_or_default();
    let Some(value) = containing(values, span.start) else {
        return Located { message, value: span.clone(), span, is_unclosed: false };
    };
    let is_unclosed =
        span.start == value.end && text.line_number(value.start) < text.line_number(value.end);
    let span = match is_unclosed {
        true => value.start..value.start,
        false if is_bare(message) => bare(text, span),
        false => span,
    };
    Located { message, span, value: value.clone(), is_unclosed }
}

impl Located<'_> {
    /// The message of the parser, or a clearer one.
    fn issue(&self, text: &Text) -> Issue {
        let wrong = text.get(self.span.clone());
        if !is_bare(self.message) {
            Issue::new(self.message)
        } else if wrong.is_empty() {
            Issue::new("missing value")
        } else {
            if self.message.starts_with("invalid date") && is_date(wrong) {
                return Issue::new("this date or time does not exist");
            }
            let line = text.line_span(self.value.start);
            let before = text.get(line.start..self.span.start);
            Issue::new("missing quotes around this string").help(quoted(key(before), wrong))
        }
    }
}

/// Whether a value begins like a date: `2026-02-30`.
fn is_date(text: &str) -> bool {
    let is_form = |(byte, form): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    const FORM: &[u8] = b"0000-00-00";
    text.len() >= FORM.len() && text.bytes().zip(FORM.iter().copied()).all(is_form)
}

/// Whether the parser misses quotes, or read the beginning of a string without them as a value of
/// another type: `192.0.2.1`, `true-ports`.
fn is_bare(message: &str) -> bool {
    let is_of = |kind: &str| message.starts_with(kind);
    message.contains("must be quoted")
        || ["invalid float", "invalid integer", "invalid boolean", "invalid date"]
            .iter()
            .any(|it| is_of(it))
}

/// The span of the word in which the parser found something wrong.
fn bare(text: &Text, span: Range<usize>) -> Range<usize> {
    let is_end = |c: char| c.is_whitespace() || "=,[]{}#\"'".contains(c);
    let line = text.line_span(span.start);
    let before = text.get(line.start..span.start);
    let start = before.char_indices().rfind(|(_, c)| is_end(*c));
    let start = line.start + start.map_or(0, |(index, c)| index + c.len_utf8());
    let word = text.get(start..line.end);
    start..start + word.find(is_end).unwrap_or(word.len())
}

/// The key of a value, of which `before` is the text before it.
fn key(before: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let before = before.rsplit_once('=').map_or("", |(before, _)| before.trim_end());
    before.rsplit(|c| !is_part(c)).next().unwrap_or_default()
}

/// How to write a string without quotes that is the value of `key` or an element of it.
fn quoted(key: &str, wrong: &str) -> String {
    let as_it_is = Some(vec![wrong.to_owned()]);
    let (values, example) = match key {
        "ports" => (port::values(wrong), "write a string such as \"443/tcp\""),
        "in-interface" => (interface::values(wrong), "write a string such as \"eth1\""),
        "enabled" | "host-network" => (None, "write `true` or `false`"),
        "mark" => (None, "write a number with one bit, such as 0x2000"),
        "established" if !["keep", "cut"].contains(&wrong) => {
            (None, "write `\"keep\"` or `\"cut\"`")
        }
        "direct-routing" if !["drop", "allowed"].contains(&wrong) => {
            (None, "write `\"drop\"` or `\"allowed\"`")
        }
        "to" => (source::values(wrong), "write a string such as \"192.0.2.1\""),
        // What is not an address may be the name of a group.
        "from" if looks_like_address(wrong) => {
            (source::values(wrong), "write a string such as \"192.0.2.0/24\"")
        }
        _ => (source::values(wrong).or(as_it_is), ""),
    };
    match values {
        Some(values) => {
            let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
            format!("write {}", Quoted(&quoted.join(", ")))
        }
        None => example.to_owned(),
    }
}

/// The lines whose meaning an error makes uncertain: those of the value that contains it, and below
/// a broken header the whole table.
fn poisoned_span(text: &Text, value: &Range<usize>) -> Range<usize> {
    let first = text.line_span(value.start);
    let mut last = text.line_span(value.end);
    if text.get(first.clone()).trim_start().starts_with('[') {
        while let Some(next) = text.line_after(&last)
            && !text.get(next.clone()).trim_start().starts_with('[')
        {
            last = next;
        }
    }
    first.start..last.end
}

/// The value that contains `offset`.
fn containing(values: &[Range<usize>], offset: usize) -> Option<&Range<usize>> {
    let index = values.partition_point(|value| value.start <= offset);
    let value = values.get(index.checked_sub(1)?)?;
    (offset <= value.end).then_some(value)
}

/// The spans of the values that no other value contains, in order.
fn outermost(table: &DeTable) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for value in table.values() {
        collect(value, &mut spans);
    }
    spans.sort_by_key(|span: &Range<usize>| (span.start, std::cmp::Reverse(span.end)));
    let mut end = 0;
    spans.retain(|span| {
        let outer = span.start >= end;
        end = end.max(span.end);
        outer
    });
    spans
}

/// Collects the spans of a value and all values in it. The span of a table with a header is that
/// of the header, so its values are not in it.
fn collect(value: &Spanned<DeValue>, spans: &mut Vec<Range<usize>>) {
    spans.push(value.span());
    match value.get_ref() {
        DeValue::Table(table) => table.values().for_each(|value| collect(value, spans)),
        DeValue::Array(array) => array.iter().for_each(|value| collect(value, spans)),
        _ => {}
    }
}
