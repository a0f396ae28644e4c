//! Errors of TOML itself, without the noise that follows from them.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::issue::{Issue, Quoted};
use super::issue_list::IssueList;
use super::text::Text;

/// Reports the errors of TOML, one a line at most, and returns the parts of the text whose meaning
/// is in doubt because of them, in order.
pub(super) fn report(
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
    let mut doubtful: Vec<Range<usize>> = Vec::new();
    let mut last_line = 0;
    let mut open_end = None;
    for error in found {
        let line = text.line_number(error.span.start);
        // In a value that does not end, all other errors follow from that.
        if line == last_line || open_end.is_some_and(|end| error.span.start <= end) {
            continue;
        }
        last_line = line;
        open_end = error.is_unclosed.then_some(error.value.end);
        errors.push(text.diagnostic(error.span.clone(), error.fault(text)));
        if errors.is_full() {
            break;
        }
        let doubt = poisoned_span(text, &error.value);
        match doubtful.last_mut() {
            Some(last) if doubt.start <= last.end => last.end = last.end.max(doubt.end),
            _ => doubtful.push(doubt),
        }
    }
    doubtful
}

/// An error of TOML.
struct Located<'e> {
    message: &'e str,
    /// Where it is reported.
    span: Range<usize>,
    /// The value in which it stands, or its own span.
    value: Range<usize>,
    /// Whether the end of the value is missing.
    is_unclosed: bool,
}

/// The parser notices a missing end lines after the value began. It is missing where it began.
fn locate<'e>(error: &'e Error, values: &[Range<usize>], text: &Text) -> Located<'e> {
    let message = error.message();
    let span = error.span().unwrap_or_default();
    let Some(value) = containing(values, span.start) else {
        return Located { message, value: span.clone(), span, is_unclosed: false };
    };
    let is_unclosed =
        span.start == value.end && text.line_number(value.start) < text.line_number(value.end);
    let span = if is_unclosed { value.start..value.start } else { span };
    Located { message, span, value: value.clone(), is_unclosed }
}

impl Located<'_> {
    /// The error in the operator's words where the parser's would mislead.
    fn fault(&self, text: &Text) -> Issue {
        let wrong = text.get(self.span.clone());
        if !self.message.contains("must be quoted") {
            Issue::new(self.message)
        } else if wrong.is_empty() {
            Issue::new("the value is missing")
        } else {
            Issue::new("the string has no quotes")
                .help(format!("write {}", Quoted(&format!("\"{wrong}\""))))
        }
    }
}

/// The lines that an error puts in doubt: those of the value it stands in, and below a broken
/// header all that would have been its table.
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

/// The value in which `offset` lies.
fn containing(values: &[Range<usize>], offset: usize) -> Option<&Range<usize>> {
    let index = values.partition_point(|value| value.start <= offset);
    let value = values.get(index.checked_sub(1)?)?;
    (offset <= value.end).then_some(value)
}

/// The spans of the values that lie in no other value, in order.
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
