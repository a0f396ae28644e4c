//! Errors of TOML itself, without the noise that follows from them.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::errors::Errors;
use super::fault::Fault;
use super::text::Text;

/// Reports the errors of TOML, of those that follow from one another the first alone, and returns
/// the parts of the text whose meaning is in doubt because of them, in order.
pub(super) fn report(
    found: &[Error],
    table: &DeTable,
    text: &Text,
    errors: &mut Errors,
) -> Vec<Range<usize>> {
    let mut found: Vec<_> =
        found.iter().map(|error| (error.span().unwrap_or_default(), error.message())).collect();
    found.sort_by_key(|(span, _)| span.start);
    let values = if found.is_empty() { Vec::new() } else { outermost(table) };
    let mut doubtful: Vec<Range<usize>> = Vec::new();
    for (span, message) in found {
        if doubtful.last().is_some_and(|last| span.start <= last.end) {
            continue;
        }
        let value = containing(&values, span.start);
        errors.push(text.diagnostic(span.clone(), fault(message, value, text, span.start)));
        doubtful.push(doubt(text, &span, value));
    }
    doubtful
}

/// The error in the operator's words. One that is noticed lines after the value began comes from
/// a quote or bracket forgotten there.
fn fault(message: &str, value: Option<&Range<usize>>, text: &Text, offset: usize) -> Fault {
    let fault = Fault::new(message);
    let first = value.map(|value| text.line_number(value.start));
    match first.filter(|first| *first < text.line_number(offset)) {
        Some(first) => fault.help(format!("the value begins in line {first}: is its end missing?")),
        None if message.contains("must be quoted") => {
            fault.help(format!("write `\"{}\"`", text.get(value.cloned().unwrap_or_default())))
        }
        None => fault,
    }
}

/// The lines that an error puts in doubt: its own, those of the value it stands in, and below a
/// broken header all that would have been its table.
fn doubt(text: &Text, span: &Range<usize>, value: Option<&Range<usize>>) -> Range<usize> {
    let start = value.map_or(span.start, |value| value.start.min(span.start));
    let end = value.map_or(span.end, |value| value.end.max(span.end));
    let first = text.line_span(start);
    let mut last = text.line_span(end);
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
